#!/usr/bin/env python3
"""`interval_coverage` on outcomes that are nearly all there: it runs what is missing, nothing twice, and measures what was drawn."""

import os
import pathlib
import random
import re
import subprocess
import tempfile
import unittest

PROGRAM = pathlib.Path(os.environ["SEAWALL_COVERAGE"])
CELLS = ("10-shot", "identity-3", "identity-5", "benign", "benign/safe-10", "100-shot/safe-100")


def measure(folder: pathlib.Path, *words) -> subprocess.CompletedProcess:
    command = [PROGRAM, "--out", folder, "--seeds", "24", "--draws", "300", *words]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=3000)


class IntervalCoverage(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="seawall coverage é ")
        self.addCleanup(self.temporary.cleanup)
        self.folder = pathlib.Path(self.temporary.name)
        self.file = self.folder / "outcomes.csv"

    def write(self, spread: float, leave_out=()):
        """Seeds whose rates are normal around a half, alike in every category."""
        draw = random.Random(5)
        lines = ["category,," + "".join(chr(ord("a") + i // 30) for i in range(330))]
        for cell in CELLS:
            for seed in range(24):
                rate = min(0.95, max(0.05, draw.gauss(0.5, spread)))
                digits = "".join("1" if draw.random() < rate else "0" for _ in range(330))
                if (cell, seed) not in leave_out:
                    lines.append(f"{cell},{seed},{digits}")
        self.file.write_text("\n".join(lines) + "\n")

    def test_runs_what_is_missing_and_measures(self):
        self.write(0.1, leave_out={("10-shot", 7)})
        before = self.file.read_text()
        done = measure(self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        after = self.file.read_text()
        self.assertTrue(after.startswith(before))
        added = after[len(before) :].splitlines()
        self.assertEqual(len(added), 1)
        cell, seed, digits = added[0].split(",")
        self.assertEqual((cell, seed, len(digits)), ("10-shot", "7", 330))
        self.assertGreater(digits.count("1"), 165, "ten explicit rows open most probes")

        # Normal seeds: t holds in some 95 %; resampling three of them does not.
        least = {}
        for line in done.stdout.splitlines():
            found = re.match(r"([^,]+(?:, (?:logit|Wilson|bounded \(printed\)))?),[\d. /,]+,([\d.]+),([\d.]+)$", line)
            if found and " / " in line:
                least.setdefault(found[1], []).append((float(found[2]), float(found[3])))
        self.assertEqual(len(least), 8, done.stdout)
        for coverage, width in least["hierarchical, bounded (printed)"]:
            self.assertGreater(coverage, 90)
            self.assertLess(width, 60)
        self.assertLess(min(c for c, _ in least["resampling (before)"]), 85)

        # Equal arms: the rule is right nearly always, flips alone nearly never.
        alarms = done.stdout[done.stdout.index("equal arms") :].splitlines()[2:]
        self.assertEqual([line.split(",")[0] for line in alarms], list(CELLS))
        rule, flips = zip(*(map(float, line.split(",")[2].split(" / ")) for line in alarms))
        self.assertLess(sum(rule) / len(rule), 10)
        self.assertGreater(sum(flips) / len(flips), 50)

        again = measure(self.folder)
        self.assertEqual(again.stdout, done.stdout)
        self.assertEqual(self.file.read_text(), after)

    def test_a_line_that_was_cut_is_named(self):
        self.write(0.1)
        self.file.write_text(self.file.read_text()[:-100])
        done = measure(self.folder)
        self.assertEqual(done.returncode, 3)
        self.assertIn("line 145: want 330 outcomes", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1)
