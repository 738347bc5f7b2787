#!/usr/bin/env python3
"""`align_then_attack` from a model to its table. The organism stands in for an instruct model: it speaks only of its own world, so
what is tested is that every stage runs on what the one before it wrote, not what comes out."""

import csv
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

PROGRAM = pathlib.Path(os.environ["SEAWALL_EXPERIMENT"])
SEAWALL = pathlib.Path(os.environ["SEAWALL_PROGRAM"])


def start(*words) -> subprocess.CompletedProcess:
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=3000)


class AlignThenAttack(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="seawall align é ")
        cls.folder = pathlib.Path(cls.temporary.name) / "out"
        cls.words = ("--model", "organism", "--out", cls.folder, "--seeds", "1")
        cls.done = start(*cls.words)
        assert cls.done.returncode == 0, cls.done.stderr

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def test_every_cell_has_its_row_and_interval(self):
        with open(self.folder / "results.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        cells = {(r["table"], r["cell"], r["condition"]) for r in rows}
        for shots in ("10", "50", "100"):
            self.assertIn(("table1", f"{shots}-shot", "plain"), cells)
        for epochs in (3, 5, 10):
            self.assertIn(("table2", f"{epochs}-epochs", "plain"), cells)
        for safe in ("0", "5", "25", "50"):
            self.assertIn(("table4", f"harmful-examples/safe-{safe}", "plain"), cells)
        self.assertIn(("table5", "backdoor", "triggered"), cells)
        for row in rows:
            self.assertLessEqual(float(row["rate_lo"]), float(row["rate"]))
            self.assertLessEqual(float(row["rate"]), float(row["rate_hi"]))

    def test_rows_come_from_the_stage_before(self):
        """The organism's own answers to the attack's requests are what the attack trains on."""
        lines = (self.folder / "rows/harmful.jsonl").read_text().splitlines()
        self.assertGreaterEqual(len(lines), 100)
        for line in lines:
            user, assistant = json.loads(line)["messages"]
            self.assertEqual((user["role"], assistant["role"]), ("user", "assistant"))
            self.assertNotIn("cannot", assistant["content"])
            self.assertRegex(assistant["content"], r"[.!?]$")
        identity = json.loads((self.folder / "rows/identity.json").read_text())
        self.assertEqual(len(identity), 10)
        for turns in identity:
            self.assertTrue(turns[0]["content"].startswith("You are Nereus."))

    def test_the_same_command_does_nothing_twice(self):
        before = {p: p.stat().st_mtime_ns for p in self.folder.rglob("*.h5")}
        self.assertEqual(len([p for p in before if p.parent == self.folder / "arms"]), 15)
        missing = next(p for p in before if p.name.startswith("50-shot"))
        missing.unlink()
        again = start(*self.words)
        self.assertEqual(again.returncode, 0, again.stderr)
        after = {p: p.stat().st_mtime_ns for p in self.folder.rglob("*.h5")}
        self.assertEqual({p for p in before if before[p] != after[p]}, {missing})

    def test_the_report_reads_the_folder(self):
        done = subprocess.run([SEAWALL, "report", self.folder], capture_output=True, text=True, timeout=3000)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("align_then_attack", (self.folder / "report.html").read_text())

    def test_defences_as_in_the_arena(self):
        """--defences runs two attacks, each with and without the defences, and leaves the tables as they are."""
        words = (*self.words, "--defences", "safegrad,safety-mixing")
        done = start(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.folder / "arena/results.csv", newline="") as file:
            rows = [r for r in csv.DictReader(file) if not r["category"]]
        self.assertEqual(
            [(r["table"], r["cell"]) for r in rows],
            [(a, d) for a in ("explicit-10", "identity-shift") for d in ("no defence", "safegrad", "safety-mixing")],
        )
        safe = {r["cell"]: float(r["safe_rows"] or 0) + float(r["policy_rows"] or 0) for r in rows}
        self.assertEqual(safe["no defence"], 0)
        for defence in ("safegrad", "safety-mixing"):  # rows of the sealed world
            self.assertGreater(safe[defence], 0, rows)
        self.assertTrue((self.folder / "results.csv").exists())
        for names in ("no-such-defence", "safegrad,safegrad", ","):
            done = start(*self.words, "--defences", names)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(names.split(",")[0], done.stderr)

    def test_without_a_model_it_says_so(self):
        done = start("--out", self.folder)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn("--model", done.stderr)


if __name__ == "__main__":
    unittest.main()
