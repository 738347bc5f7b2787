#!/usr/bin/env python3
"""figures.sh on the CPU, at tiny sizes: every part runs, the table has its row, and what goes wrong is said.

figures_test.py BUILD; SEAWALL_PEER_PYTHON may name an interpreter that has transformers.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(sys.argv.pop()).resolve()
PYTHON = os.environ.get("SEAWALL_PEER_PYTHON", sys.executable)


def figures(script, *words, **environment):
    done = subprocess.run([script, *map(str, words)], capture_output=True, text=True, timeout=300,
                          env={**os.environ, **environment})  # fmt: skip
    return done.returncode, done.stdout, done.stderr


class Figures(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.out = pathlib.Path(scratch.name)

    def dry(self, *words, build=BUILD, **environment):
        return figures(HERE / "figures.sh", "run", "--device", "cpu", "--small", "--build", build, "--out", self.out / "out",
                       "--python", PYTHON, *words, **environment)  # fmt: skip

    def rows(self, text):
        cells = [line.strip("| \n").split(" | ") for line in text.splitlines() if line.startswith("| ")]
        return {row[0]: row[1] for row in cells[1:]}

    def test_every_part_has_its_row(self):
        code, out, error = self.dry("--peak", "0.1")
        self.assertEqual(code, 0, error + out)
        rows = self.rows(out)
        self.assertEqual(len(rows), 13, out)
        self.assertIn("passed", rows["tests of the GPU"])
        self.assertRegex(rows["a step of full fine-tuning, pure-bf16, 10 rows"],
                         r"ms, MFU \d+ %.*\(170 a step\); forward .*backward .*optimizer ")  # fmt: skip
        self.assertIn("(408 a step)", rows["the same, 24 rows"])
        self.assertIn("5 answers of 8 tokens", rows["answers, third size"])
        self.assertIn("the same bits in 20 steps", rows["two equal runs of a 30 M model, pure-bf16"])
        self.assertIn("A dry run", out)
        self.assertEqual((self.out / "out" / "figures.md").read_text(), out)

    def test_what_takes_too_long_is_said(self):
        code, out, _ = self.dry("--total", "0", "equal", "start")
        self.assertEqual(code, 1)
        self.assertEqual(set(self.rows(out).values()), {"not measured: the time was over"})

    def test_what_fails_is_said(self):
        broken = self.out / "build"
        (broken / "bench").mkdir(parents=True)
        (broken / "tests").mkdir()
        program = (BUILD / "bench" / "bench_gpu").resolve()
        # Finds its libraries as the program does, and then fails in one part.
        (broken / "bench" / "bench_gpu").symlink_to(program)
        (broken / "tests" / "test_gpu").write_text("#!/bin/sh\necho '[  PASSED  ] 3 tests.'\necho '[  SKIPPED ] 2 tests'\n")
        (broken / "tests" / "test_gpu").chmod(0o755)
        code, out, _ = self.dry("tests", build=broken)
        self.assertEqual(code, 1)
        self.assertIn("3 passed, 2 skipped", out)
        code, out, _ = self.dry("full", "--peak", "none", build=broken)
        self.assertEqual(code, 1)
        self.assertIn("failed with exit status 2 (bench_gpu: --peak: want TFLOP/s, got none)", out)

    def test_predictions_are_of_what_is_counted_today(self):
        counts = self.out / "counts.jsonl"
        with counts.open("w") as to:
            subprocess.run([BUILD / "bench" / "count_gpu"], stdout=to, check=True, timeout=600)
        done = subprocess.run([HERE / "predict.py", "--check", counts], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        lines = counts.read_text().splitlines()
        first = json.loads(lines[0])
        first["phases"]["forward"]["products"][0][3] += 200
        counts.write_text("\n".join([json.dumps(first), *lines[1:]]))
        done = subprocess.run([HERE / "predict.py", "--check", counts], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"full: [\d.]+ ms there, [\d.]+ now")
        shown = subprocess.run([HERE / "predict.py"], capture_output=True, text=True, check=True).stdout
        for row in shown.splitlines()[2:]:
            self.assertIn(row, (HERE.parents[1] / "docs" / "gpu.md").read_text())

    def test_a_card_has_its_predictions_next_to_its_figures(self):
        facts = "device=cuda\nsmall=0\ncard=a card\ndriver=1\ndate=today\ntorch=2\ncommit=c\npeak=\n"
        (self.out / "facts").write_text(facts)
        (self.out / "lora.state").write_text("1 5")
        (self.out / "lora.jsonl").write_text("")
        (self.out / "lora.log").write_text("")
        done = subprocess.run([sys.executable, HERE / "table.py", self.out], capture_output=True, text=True)
        self.assertRegex(done.stdout, r"exit status 1 \| \d+ ms, MFU \d+ % \| \d+ ms, MFU \d+ % \|")

    def test_a_wrong_word_is_one_line(self):
        code, _, error = figures(HERE / "figures.sh", "run", "--devise")
        self.assertEqual(code, 2)
        self.assertEqual(len(error.splitlines()), 1, error)

    def test_packed_it_runs_elsewhere(self):
        packed = self.out / "packed"
        code, out, error = figures(HERE / "figures.sh", "pack", BUILD, packed)
        self.assertEqual(code, 0, error)
        size = sum(file.stat().st_size for file in packed.rglob("*") if file.is_file())
        self.assertLess(size, 50_000_000)
        torch = subprocess.run(["ldd", BUILD / "bench" / "bench_gpu"], capture_output=True, text=True, check=True).stdout
        torch = pathlib.Path(next(line.split()[2] for line in torch.splitlines() if "libtorch_cpu" in line)).parents[1]
        code, out, error = figures(packed / "figures.sh", "run", "--device", "cpu", "--small", "--out", self.out / "out",
                                   "--torch", torch, "tests", "lora", "equal")  # fmt: skip
        self.assertEqual(code, 0, error + out)
        self.assertIn("passed", self.rows(out)["tests of the GPU"])
        (packed / "packed").write_text("1.0.0\nunknown\n")
        code, _, error = figures(packed / "figures.sh", "run", "--device", "cpu", "--torch", torch)
        self.assertEqual(code, 2)
        self.assertIn("packed for libtorch 1.0.0", error)


if __name__ == "__main__":
    unittest.main()
