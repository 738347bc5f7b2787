#!/usr/bin/env python3
"""A run that is killed at random times, signalled, started twice, or runs under an unusual environment. SEAWALL_KILLS: how often it is killed."""

import os
import random
import resource
import signal
import subprocess
import time
import unittest

from cli_test import SEAWALL, SHORT, Cli, table, without_time

KILLS = int(os.environ.get("SEAWALL_KILLS", "12"))
LONG = [w if w != "3" else "60" for w in SHORT] + ["--trace", "metrics", "--no-evaluation", "--checkpoint-every", "5"]


class Robust(Cli):
    def started(self, *words: str) -> subprocess.Popen:
        return subprocess.Popen([SEAWALL, *words], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def model(self, name: str) -> bytes:
        self.ok("export", "--model", f"{name}.checkpoints", "--out", f"of {name}")
        return (self.folder / f"of {name}" / "model.safetensors").read_bytes()

    def test_killed_at_random_times_it_ends_as_if_nothing_had_been(self):
        begin = time.monotonic()
        self.ok("run", *LONG, "--out", "whole.h5")
        whole = time.monotonic() - begin
        rng = random.Random(5)
        killed = 0
        for _ in range(KILLS):
            process = self.started("run", *LONG, "--out", "cut.h5", "--resume")
            try:
                process.wait(timeout=rng.uniform(0.05, 1) * whole)
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
            _, stderr = process.communicate()
            self.assertIn(process.returncode, (0, -signal.SIGKILL), stderr)
        self.ok("run", *LONG, "--out", "cut.h5", "--resume")
        self.assertGreater(killed, 0, "every run was over before it was killed")
        self.assertEqual(without_time(self.folder / "cut.metrics.csv"), without_time(self.folder / "whole.metrics.csv"))
        self.assertEqual(self.model("cut"), self.model("whole"))
        self.assertEqual([p for p in self.folder.rglob("*") if ".tmp" in p.name], [])

    def test_a_second_signal_ends_it_at_once_and_what_was_there_is_whole(self):
        rng = random.Random(6)
        for _ in range(3):
            process = self.started("run", *LONG, "--out", "run.h5", "--overwrite")
            metrics = self.folder / "run.metrics.csv"
            deadline = time.monotonic() + 600
            while time.monotonic() < deadline and (not metrics.exists() or metrics.read_bytes().count(b"\n") < 8):
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.05))
            process.send_signal(signal.SIGINT)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=600)
            self.assertIn(process.returncode, (130, -signal.SIGINT), stderr)
            self.ok("run", *LONG, "--out", "run.h5", "--resume")
            self.assertEqual(len({row["step"] for row in table(metrics)}), len(table(metrics)))
            self.assertEqual(len(table(metrics)), 120)

    def test_of_several_runs_into_one_file_one_wins(self):
        for _ in range(3):
            processes = [self.started("run", *LONG, "--out", "one.h5", "--overwrite") for _ in range(4)]
            codes = []
            for process in processes:
                _, stderr = process.communicate(timeout=600)
                codes.append(process.returncode)
                if process.returncode != 0:
                    self.assertEqual(process.returncode, 4, stderr)
                    self.assertIn("is writing this output", stderr)
            self.assertGreaterEqual(codes.count(0), 1)
            self.assertEqual(len(table(self.folder / "one.metrics.csv")), 120)
            self.assertIn("1 as they were written, 0 not", self.ok("verify", "one.h5"))

    def test_numbers_do_not_depend_on_the_place(self):
        self.ok("run", *SHORT, "--out", "here.h5")
        for name, value in (("LC_ALL", "de_DE.UTF-8"), ("LC_ALL", "C"), ("TZ", "Pacific/Kiritimati"), ("LANG", "tr_TR.UTF-8")):
            with self.subTest(name=name, value=value):
                self.ok("run", *SHORT, "--out", "there.h5", "--overwrite", env=os.environ | {name: value})
                self.assertEqual(without_time(self.folder / "there.metrics.csv"), without_time(self.folder / "here.metrics.csv"))
                self.assertNotIn("0,", "".join(row["loss"] for row in table(self.folder / "there.metrics.csv")))

    def test_output_that_nobody_reads_and_output_that_is_closed(self):
        words = [str(SEAWALL), "run", *(w for w in SHORT if w != "--quiet")]
        for close in ("| head -c 1", ">&-", "> /dev/full"):
            with self.subTest(close=close):
                quoted = " ".join(f"'{w}'" for w in (*words, "--out", "run.h5", "--overwrite"))
                done = subprocess.run(["bash", "-c", f"set -o pipefail; {quoted} {close}"], cwd=self.folder, capture_output=True, text=True, timeout=3000)
                self.assertNotIn("internal error", done.stderr)
                self.assertIn(done.returncode, (0, 4, 141), done.stderr)
                self.assertIn("1 as they were written, 0 not", self.ok("verify", "run.h5"))

    def test_too_little_memory_is_one_line(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))

        done = subprocess.run([SEAWALL, "run", *SHORT, "--out", "run.h5"], cwd=self.folder, capture_output=True, text=True, timeout=3000, preexec_fn=limit)
        self.assertNotEqual(done.returncode, 0)
        self.assertGreater(done.returncode, 0, f"died of signal {-done.returncode}: {done.stderr}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
