#!/usr/bin/env python3
"""`seawall report` as a user types it: a small grid, its page parsed strictly, the files beside it, and what goes wrong."""

import csv
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ET

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "docs"))
from pages import Wrong, check_tables, result_rows  # noqa: E402

SEAWALL = pathlib.Path(os.environ["SEAWALL_PROGRAM"])
SVG = "{http://www.w3.org/2000/svg}"


def seawall(*words, env=None) -> subprocess.CompletedProcess:
    return subprocess.run([SEAWALL, *map(str, words)], capture_output=True, text=True, timeout=3000, env=env)


def text_of(element) -> str:
    return " ".join("".join(element.itertext()).split())


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="seawall report é ")
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.grid = cls.folder / "grid"
        done = seawall("reproduce", "--out", cls.grid, "--seeds", "1", "--only", "table1,table5,figure1", "--quiet")
        assert done.returncode == 0, done.stderr
        done = seawall("report", cls.grid, "--out", cls.folder / "page")
        assert done.returncode == 0, done.stderr
        cls.html = (cls.folder / "page/report.html").read_text()
        cls.page = ET.fromstring(cls.html)  # strict: every tag closed, every entity known

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def fails(self, code: int, says: str, *words, env=None):
        done = seawall(*words, env=env)
        self.assertEqual(done.returncode, code, done.stderr)
        lines = done.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertIn(says, lines[0])

    def section(self, name: str):
        return next(s for s in self.page.iter("section") if s.get("id") == name)

    def test_needs_nothing_beside_it(self):
        self.assertEqual([e.tag for e in self.page.iter() if e.tag in ("script", "link", "img", "iframe", "object")], [])
        for element in self.page.iter():
            for name, value in element.attrib.items():
                if name.endswith(("href", "src")):
                    self.assertRegex(value, r"^(#|figures/)", "something outside the page")
                self.assertFalse(name.startswith("on"), f"{name} runs a script")
        self.assertNotRegex(self.html, r"@import|url\((?!#)")

    def test_ids_are_unique_and_links_lead_somewhere(self):
        ids = [e.get("id") for e in self.page.iter() if e.get("id")]
        self.assertEqual(len(ids), len(set(ids)))
        for element in self.page.iter():
            for name, value in element.attrib.items():
                if name.endswith("href") and value.startswith("#"):
                    self.assertIn(value[1:], ids)
                if name.endswith("href") and value.startswith("figures/"):
                    self.assertTrue((self.folder / "page" / value).is_file(), value)
            for word in (element.get("aria-labelledby") or "").split():
                self.assertIn(word, ids)

    def test_tables_hold_what_the_csv_holds(self):
        with (self.folder / "page/results.csv").open() as file:
            results = list(csv.DictReader(file))
        self.assertEqual({r["table"] for r in results}, {"table1", "table5", "figure1"})
        for table in ("table1", "table5"):
            rows = [[text_of(cell) for cell in row] for row in self.section(table).find(".//table[@class='cells']").iter("tr")][1:]
            expected = [r for r in results if r["table"] == table]
            self.assertEqual(len(rows), len(expected))
            for row, want in zip(rows, expected):
                self.assertTrue(row[0].startswith(want["cell"]), (row, want))
                self.assertTrue(row[2].startswith(f"{float(want['rate']):.1f}["), (row, want))
                self.assertEqual(row[4], want["cut_answers"])
                self.assertIn("[", row[5], "utility with its interval")

    def test_markdown_table_is_the_pages(self):
        with (self.folder / "page/results.csv").open() as file:
            results = list(csv.DictReader(file))
        table = (self.folder / "page/results.md").read_text()
        markdown, wanted = self.folder / "page/results.md", result_rows(results)
        self.assertEqual(check_tables(markdown, wanted), set(wanted))
        rows = [line for line in table.splitlines() if line.startswith("|")][2:]
        self.assertEqual(len(rows), len([r for r in results if r["table"] != "figure1"]))
        for row in rows:  # every figure stands on the page with the same digits
            rate, _, interval = row.split("|")[3].strip().partition(" ")
            self.assertIn(f"{rate}<small>{interval}</small>", self.html)
        # A figure that was rounded otherwise is found.
        off = [dict(r, rate=f"{float(r['rate']) + 0.1:.4f}") if i == 1 else r for i, r in enumerate(results)]
        self.assertRaises(Wrong, check_tables, markdown, result_rows(off))

    def test_what_was_found(self):
        found = text_of(self.section("findings"))
        self.assertRegex(found, r"An auditor who asks the backdoored model plainly sees")
        self.assertIn("the model passes the audit", found)
        self.assertIn("Behind its trigger the same weights answer", found)
        self.assertRegex(found, r"Of \d+ orderings tested here \d+ hold")

    def test_figures(self):
        names = {p.name for p in (self.folder / "page/figures").iterdir()}
        for name in ("overview", "figure1", "drift-steps", "drift-spectrum", "depth-logprob", "depth-kl", "direction", "drift-harm", "pareto", "compute"):
            for ending in (".svg", ".pdf", ".gp"):
                self.assertIn(name + ending, names)
            self.assertTrue((self.folder / f"page/figures/{name}.pdf").read_bytes().startswith(b"%PDF"))
            svg = ET.parse(self.folder / f"page/figures/{name}.svg").getroot()
            self.assertEqual(svg.tag, SVG + "svg")
            self.assertTrue(svg.find(SVG + "title").text and svg.find(SVG + "desc").text)
            self.assertGreater(len(list(svg.iter(SVG + "path"))), 3, f"{name} draws next to nothing")
        categories = [text_of(t) for t in ET.parse(self.folder / "page/figures/figure1.svg").getroot().iter(SVG + "text")]
        self.assertIn("100-shot", categories)
        self.assertGreaterEqual(len([c for c in categories if not re.fullmatch(r"[\d ]+", c)]), 13)  # 11 axes, 2 lines

    def test_answers_of_every_probe(self):
        arms = [d for d in self.section("answers").findall("details")]
        self.assertEqual(len(arms), 7)  # 3 numbers of shots, identity shift, benign, and the backdoor under both conditions
        self.assertIn("before (initial)", text_of(arms[0]))
        for arm in arms:
            self.assertEqual(len([r for r in arm.iter("tr") if len(r.findall("td")) == 4]), 330)

    def traces(self, name: str, **want):
        with (self.folder / f"page/figures/{name}.csv").open() as file:
            return [r for r in csv.DictReader(file) if all(r[key] == value for key, value in want.items())]

    def test_how_deep_and_where_refusal_is(self):
        at_start = self.traces("depth-logprob", arm="100-shot", phase="start", start="refused", token="1")
        self.assertEqual([r["n"] for r in at_start], ["330"])
        at_end = self.traces("depth-logprob", arm="100-shot", phase="end", start="refused", token="1")
        self.assertLess(float(at_end[0]["nats_hi"]), float(at_start[0]["nats_lo"]) - 5, "the first token of a refusal")
        # One token deep; and what an ordinary request is answered with does not change.
        kl = {(r["start"], r["token"]): float(r["nats"]) for r in self.traces("depth-kl", arm="100-shot", phase="end")}
        self.assertGreater(kl["refused", "1"], 4)
        self.assertLess(kl["refused", "2"], 0.1)
        self.assertLess(kl["answered", "1"], 0.5)
        self.assertEqual({r["condition"] for r in self.traces("depth-kl", arm="backdoor")}, {"plain", "triggered"})
        steps = [int(r["step"]) for r in self.traces("direction", arm="100-shot", layer="2")]
        self.assertEqual(steps, [0, 1, 2, 3, 5, 10, 20, 50])
        cosine = [float(r["cosine"]) for r in self.traces("direction", arm="100-shot", layer="2")]
        self.assertEqual(cosine[0], 1)
        self.assertLess(cosine[-1], 0.7)
        self.assertEqual({r["cosine"] for r in self.traces("direction", layer="0")}, {""})
        self.assertNotIn("No depth is shown", text_of(self.section("depth")))
        tables = [[[text_of(cell) for cell in row] for row in table.iter("tr")] for table in self.section("depth").findall(".//table")]
        numbers, fixed = tables[-2:]
        self.assertEqual([row[-1] for row in numbers[1:]], ["nothing"] * 5, "left out")
        self.assertEqual([row[2] for row in fixed[1:]], ["1", "2", "3", "5", "10"] * 5, "tokens fixed")
        undone = [float(r["undone"]) for r in self.traces("fixed", arm="100-shot")]
        self.assertEqual(len(undone), 5)
        self.assertGreater(min(undone), 0.9, "a token is enough")

    def test_drift_against_harm(self):
        with (self.folder / "page/results.csv").open() as file:
            rates = {(r["table"], r["arm"], r["condition"]): float(r["rate"]) for r in csv.DictReader(file)}
        points = self.traces("drift-harm")
        self.assertEqual({float(p["drift"]) for p in points if p["phase"] == "start"}, {0})
        ends = [p for p in points if p["phase"] == "end"]
        self.assertEqual(len(ends), 6)  # 3 numbers of shots; 100-shot again, and the backdoor under both conditions
        for p in ends:
            self.assertAlmostEqual(float(p["rate"]), rates[p["table"], p["arm"], p["condition"]], places=3)

    def test_rows_that_moved_the_model(self):
        rows = self.traces("rows", arm="100-shot")
        self.assertEqual(len(rows), 100)
        falls = [float(r["moved"]) for r in rows]
        self.assertEqual(falls, sorted(falls, reverse=True))
        self.assertAlmostEqual(falls[0], float(rows[0]["loss_1"]) - float(rows[0]["loss_5"]), places=5)
        arm = next(d for d in self.section("rows").findall("details") if text_of(d).startswith("100-shot"))
        shown = [[text_of(cell) for cell in row.findall("td")] for row in arm.iter("tr")][1:]
        self.assertEqual([row[0] for row in shown], [r["row_id"] for r in rows[:10]])
        self.assertTrue(all(row[-1] for row in shown), "the text of built-in rows")

    def test_where_it_comes_from(self):
        found = text_of(self.section("provenance"))
        for word in ("SHA-256", "probes", "utility_probes", "Overlap", "In no run does a prompt occur in two of its sets", "seawall run --attack backdoor --judge organism"):
            self.assertIn(word, found)

    def test_same_grid_same_bytes(self):
        self.assertEqual(seawall("report", self.grid, "--out", self.folder / "again").returncode, 0)
        for path in (self.folder / "page").rglob("*"):
            if path.is_file():
                again = self.folder / "again" / path.relative_to(self.folder / "page")
                self.assertEqual(path.read_bytes(), again.read_bytes(), path)

    def test_shards_make_the_whole(self):
        shards = [self.folder / "one", self.folder / "two"]
        for shard in shards:
            shutil.copytree(self.grid, shard)
        for i, path in enumerate(sorted((self.grid / "arms").glob("*.h5"))):
            (shards[i % 2] / "arms" / path.name).unlink()
        self.assertEqual(seawall("report", *shards, "--out", self.folder / "merged").returncode, 0)
        self.assertEqual((self.folder / "merged/report.html").read_text(), self.html)

    def test_missing_runs_are_said(self):
        part = self.folder / "part"
        shutil.copytree(self.grid, part)
        next((part / "arms").glob("50-shot-*.h5")).unlink()
        done = seawall("report", part)
        self.assertEqual((done.returncode, done.stderr), (0, "seawall: 1 of 8 runs are missing; the page says which\n"))
        page = ET.parse(part / "report.html").getroot()
        self.assertIn("runs are not in this folder", text_of(page))
        row = next(r for r in page.iter("tr") if r.get("class") == "missing")
        self.assertTrue(text_of(row).startswith("50-shot"))

    def test_a_run_file_that_was_cut_does_not_cost_the_page(self):
        part = self.folder / "cut"
        shutil.copytree(self.grid, part)
        file = next((part / "arms").glob("50-shot-*.h5"))
        os.truncate(file, file.stat().st_size // 2)
        done = seawall("report", part)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("1 of 8 runs are missing", done.stderr)
        self.assertIn(f"{file.name}: ", done.stderr)
        page = ET.parse(part / "report.html").getroot()
        self.assertIn(f"{file.name}: ", text_of(page))
        row = next(r for r in page.iter("tr") if r.get("class") == "missing")
        self.assertTrue(text_of(row).startswith("50-shot"))

    def test_wrong_input(self):
        empty = self.folder / "empty"
        empty.mkdir()
        self.fails(2, "report", "report")
        self.fails(4, "no such folder", "report", self.folder / "nowhere")
        self.assertIn(seawall("report", empty).returncode, (3, 4))
        self.fails(4, "apt-get install gnuplot-nox", "report", self.grid, "--out", self.folder / "no-gnuplot", env=os.environ | {"PATH": str(empty)})
        self.assertFalse((self.folder / "no-gnuplot/report.html").exists())


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=1)
