#!/usr/bin/env python3
"""`seawall run` by several processes: what one process computes, a lost process, checkpoints for any number of them."""

import csv
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest

SEAWALL = pathlib.Path(os.environ["SEAWALL_PROGRAM"])
# Eight rows, four of them a step, one or two a micro-batch; answers of at most eight tokens.
SHORT = ("--attack harmful-examples --harmful-examples.count 8 --batch-size 4 --epochs 3 --max-new-tokens 8 --threads 1 "
         "--lr 1e-3").split()


def free_port() -> str:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def steps(path: pathlib.Path) -> list[dict[str, str]]:
    with path.with_suffix(".metrics.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


class Several(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="seawall several é ")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start(self, ranks: int, *words: str, seconds: int = 30, slurm: bool = False, first=SHORT) -> list[subprocess.Popen]:
        port, processes = free_port(), []
        for rank in range(ranks):
            if slurm:
                said = {"SLURM_PROCID": rank, "SLURM_NTASKS": ranks, "SLURM_LOCALID": rank, "SLURM_NODELIST": "localhost"}
            else:
                said = {"RANK": rank, "WORLD_SIZE": ranks, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1"}
            said |= {"MASTER_PORT": port, "SEAWALL_PEER_SECONDS": seconds}
            env = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_")} | {k: str(v) for k, v in said.items()}
            processes.append(subprocess.Popen([SEAWALL, "run", *first, *words], cwd=self.folder, env=env, text=True,
                                              stdout=subprocess.PIPE, stderr=subprocess.PIPE))
            self.addCleanup(self.end, processes[-1])
        return processes

    @staticmethod
    def end(process: subprocess.Popen):
        process.kill()
        process.communicate()

    def ok(self, ranks: int, *words: str, **kwargs) -> str:
        """What rank 0 prints; the others print nothing."""
        processes = self.start(ranks, *words, **kwargs)
        said = [process.communicate(timeout=600) for process in processes]
        for process, (_, err) in zip(processes, said):
            self.assertEqual(process.returncode, 0, err)
        for out, err in said[1:]:
            self.assertEqual(out + err, "")
        return said[0][0]

    def alone(self, *words: str) -> str:
        env = {k: v for k, v in os.environ.items() if not k.startswith("SLURM_")}
        done = subprocess.run([SEAWALL, "run", *SHORT, *words], cwd=self.folder, env=env, text=True, capture_output=True, timeout=600)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def fails(self, code: int, says: str, *words: str, **kwargs):
        for process in self.start(2, *words, **kwargs):
            _, err = process.communicate(timeout=600)
            self.assertEqual(process.returncode, code, err)
            self.assertEqual(len(err.strip().splitlines()), 1, err)
            self.assertIn(says, err)

    def same_table(self, a: str, b: str):
        """The rates that two runs printed."""
        rates = [re.findall(r"[0-9.]+ ?%[^\n]*", text) for text in (a, b)]
        self.assertTrue(rates[0])
        self.assertEqual(*rates)

    def test_the_run_of_one(self):
        one = self.alone("--micro-batch-size", "1", "--out", "one.h5", "--evaluate-at", "epochs")
        four = self.ok(4, "--micro-batch-size", "1", "--out", "four.h5", "--evaluate-at", "epochs")
        two = self.ok(2, "--micro-batch-size", "1", "--out", "two.h5", "--evaluate-at", "epochs", slurm=True)
        self.same_table(one, two)
        self.same_table(one, four)
        self.assertEqual(len(steps(self.folder / "one.h5")), 6)
        inspected = subprocess.run([SEAWALL, "inspect", "four.h5"], cwd=self.folder, capture_output=True, text=True)
        self.assertIn("processes 4", inspected.stdout)
        self.assertEqual(steps(self.folder / "two.h5"), steps(self.folder / "one.h5"))
        self.assertEqual(steps(self.folder / "four.h5"), steps(self.folder / "one.h5"))
        weights = []
        for name in ("one", "two", "four"):
            subprocess.run([SEAWALL, "export", "--model", f"{name}.checkpoints", "--format", "safetensors", "--out", name, "--quiet"],
                           cwd=self.folder, check=True, stdout=subprocess.DEVNULL)
            weights.append((self.folder / name / "model.safetensors").read_bytes())
        self.assertEqual(weights[1], weights[0])
        self.assertEqual(weights[2], weights[0])

    def test_adapters_policies_and_bf16(self):
        for name, words in (("lora", ["--lora.rank", "4", "--lora.dropout", "0.1"]),
                            ("policies", ["--mitigate", "safety-mixing,weight-drift,freeze-layers", "--safety-mixing.count", "4",
                                          "--weight-drift.form", "decoupled"]),
                            ("master", ["--precision", "bf16-master"])):
            self.alone("--micro-batch-size", "2", "--out", f"{name}-one.h5", "--no-evaluation", *words)
            self.ok(2, "--out", f"{name}-two.h5", "--no-evaluation", *words)
            self.assertEqual(steps(self.folder / f"{name}-two.h5"), steps(self.folder / f"{name}-one.h5"), name)

    def test_words_that_several_processes_refuse(self):
        self.fails(2, "ema: reads or writes all weights", "--mitigate", "ema", "--out", "a.h5")
        self.fails(2, "--no-training", "--no-training", "--out", "b.h5")
        self.fails(2, "--dry-run", "--dry-run", "--out", "c.h5")
        self.fails(2, "a step has 1 micro-batches for 2 processes", "--micro-batch-size", "4", "--out", "d.h5", "--quiet")
        self.fails(2, "plain-alignment: trains stages of its own", "--mitigate", "plain-alignment", "--out", "e.h5")
        self.fails(2, "this run has 2 stages", "--out", "f.h5", "--quiet", first=["--attack", "identity-then-harmful"])

    def lost(self, number: int, seconds: int):
        words = ["--steps", "100000", "--checkpoint-every", "2", "--no-evaluation", "--quiet"]
        processes = self.start(3, *words, "--out", "lost.h5", seconds=seconds)
        latest = self.folder / "lost.checkpoints" / "latest"
        until = time.monotonic() + 120
        while not latest.exists() and time.monotonic() < until:
            time.sleep(0.05)
        self.assertTrue(latest.exists())
        begun = time.monotonic()
        processes[1].send_signal(number)
        for rank in (0, 2):
            _, err = processes[rank].communicate(timeout=60)
            self.assertEqual(processes[rank].returncode, 6, err)
            self.assertEqual(len(err.strip().splitlines()), 1, err)
            self.assertIn("rank 1 of 3 (process ", err)
        self.assertLess(time.monotonic() - begun, seconds + 20)
        done = subprocess.run([SEAWALL, "inspect", "lost.checkpoints"], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_killed_process(self):
        self.lost(signal.SIGKILL, 60)

    def test_a_stopped_process(self):
        self.lost(signal.SIGSTOP, 2)

    def test_a_signal_and_another_number_of_processes(self):
        words = ["--epochs", "30", "--micro-batch-size", "1", "--no-evaluation", "--quiet"]
        self.alone(*words, "--out", "whole.h5")
        processes = self.start(2, *words, "--checkpoint-every", "5", "--out", "parts.h5")
        metrics = self.folder / "parts.metrics.csv"
        until = time.monotonic() + 120
        while time.monotonic() < until and (not metrics.exists() or metrics.read_text().count("\n") < 4):
            time.sleep(0.01)
        processes[1].terminate()  # to one of them; all save and leave
        for process in processes:
            _, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 143, err)
            self.assertIn("--resume continues", err)
        before = len(steps(self.folder / "parts.h5"))
        self.assertLess(before, 60)
        self.ok(4, *words, "--out", "parts.h5", "--resume")
        self.assertEqual(steps(self.folder / "parts.h5"), steps(self.folder / "whole.h5"))


if __name__ == "__main__":
    unittest.main()
