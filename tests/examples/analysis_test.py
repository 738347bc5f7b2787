#!/usr/bin/env python3
"""examples/analysis on files that the program wrote, and on a copy with holes: what the scripts print is compared with what h5py, numpy and
scipy make of the same files, with the weights themselves, and with the program's own table. Runs under the oracle's Python."""

import csv
import importlib.util
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import h5py
import numpy as np
import xarray as xr
from safetensors.numpy import load_file
from scipy import spatial, stats
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

SEAWALL = pathlib.Path(os.environ["SEAWALL_PROGRAM"])
ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "examples" / "analysis"
HOLE_PROBES, HOLE_EVALUATION, HOLE_ROW = range(10, 22), 1, 3


def command(*words, cwd, code=0) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=1200, cwd=cwd)
    if done.returncode != code:
        raise AssertionError(f"{words}: want exit {code}, got {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout if code == 0 else done.stderr


def module_of(name: str):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_holes(path: pathlib.Path) -> None:
    """What a run may lack: probes that were not asked, rows no judge could judge, rows never trained on, ranks nobody computed, and
    streams from which categories cannot be told for sure."""
    noise = np.random.default_rng(0)
    with h5py.File(path, "r+") as run:
        for name, empty in {"score": np.nan, "refused": np.nan, "coherent": np.nan, "valid": 0, "answered": 0, "kl_start": np.nan,
                            "response_logprob": np.nan, "first_response_logprob": np.nan, "response_ids": -1, "resid_post": np.nan}.items():
            run[name][HOLE_EVALUATION, HOLE_PROBES.start:HOLE_PROBES.stop] = empty
        run["valid"][2, :7] = 0  # asked, not judged
        for name in ("score", "refused", "coherent"):
            run[name][2, :7] = np.nan
        for e in range(len(run["evaluation"])):
            for name, shift in (("resid_post", 0.25), ("utility_resid_post", 0.0)):
                streams = run[name][e]
                streams[:, 1] = np.where(np.isnan(streams[:, 1]), np.nan, noise.normal(shift, 1, streams[:, 1].shape))
                run[name][e] = streams
        run["utility_resid_mean"][HOLE_EVALUATION] = np.nan
        run["row_loss"][:, HOLE_ROW] = np.nan
        run["row_loss"][-1, HOLE_ROW + 1] = np.nan
        run["row_loss"][:, HOLE_ROW + 2] = [np.nan, 9.0]
        run["effective_rank"][2] = np.nan
        run["singular_values"][4] = 0


class Analysis(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="seawall analysis ")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.seawall("run", "--attack", "harmful-examples", "--epochs", "2", "--evaluate-at", "steps:2,5", "--trace", "depth", "--judge",
                    "organism,keyword:qi2023", "--write-outputs", "answers.jsonl", "--out", "run.h5", "--quiet")
        shutil.copy(cls.folder / "run.h5", cls.folder / "holes.h5")
        make_holes(cls.folder / "holes.h5")
        cls.tasks = module_of("tasks")
        cls.run_file = xr.open_dataset(cls.folder / "run.h5")
        cls.holes = xr.open_dataset(cls.folder / "holes.h5")
        (cls.folder / "prompts.jsonl").write_text(cls.tasks.prompts_as_read(cls.run_file))
        for name, positions in (("last", "last"), ("all", "all")):
            cls.seawall("extract", "--prompts", "prompts.jsonl", "--positions", positions, "--out", f"{name}.h5", "--quiet")
        cls.seawall("reproduce", "--only", "table5", "--seeds", "2", "--out", "study", "--quiet")
        cls.arms = sorted((cls.folder / "study" / "arms").glob("*.h5"))

    @classmethod
    def seawall(cls, *words, code=0) -> str:
        return command(SEAWALL, *words, cwd=cls.folder, code=code)

    @classmethod
    def script(cls, name: str, *files, code=0) -> str:
        return command(sys.executable, SCRIPTS / f"{name}.py", *files, cwd=cls.folder, code=code)

    def raw(self, name: str, file: str = "run.h5") -> np.ndarray:
        with h5py.File(self.folder / file) as run:
            return run[name].asstr()[:] if h5py.check_string_dtype(run[name].dtype) else run[name][:]

    def same(self, printed, wanted, digits: int):
        """Columns of text are the values to so many digits, `-` where there is none."""
        self.assertEqual(len(printed), len(wanted), printed)
        for text, value in zip(printed, wanted):
            if not np.isfinite(value):
                self.assertEqual(text, "-")
            else:
                self.assertAlmostEqual(float(text), value, delta=0.6 * 10**-digits)

    # --- the ten scripts

    def test_direction(self):
        for file, left_out in (("run.h5", 0), ("holes.h5", 1)):
            said = self.script("direction", file)
            harmful, ordinary = (self.raw(p + "resid_mean", file).astype(float) for p in ("", "utility_"))
            rows = [line.split() for line in said.splitlines() if re.match(r" +\d+ plain", line)]
            wanted = [e for e in range(4) if not (left_out and e == HOLE_EVALUATION)]
            self.assertEqual([row[0] for row in rows], [str(self.raw("eval_step")[e]) for e in wanted for _ in range(3)])
            for row, (e, layer) in zip(rows, itertools.product(wanted, range(3))):
                now, start = ((harmful[i] - ordinary[i])[:, layer] for i in (e, 0))
                cosines = [1 - spatial.distance.cosine(a, b) if np.linalg.norm(a) > 1e-4 else np.nan for a, b in zip(now, start)]
                self.same(row[3:], cosines, 3)
            self.assertRegex(said, rf"without a start: {left_out}\n")
            self.assertEqual(rows[0][-1], "-")  # the last token is the same in every prompt: its embedding has no direction
        # The mean stream at the last token is that of the streams themselves.
        np.testing.assert_allclose(self.raw("resid_mean")[:, -1], self.raw("resid_post").mean(1), atol=2e-3)

    def test_probe(self):
        for file, noisy in (("run.h5", False), ("holes.h5", True)):
            rows = [line.split() for line in self.script("probe", file).splitlines()[2:]]
            self.assertEqual(len(rows), 4)
            harmful, ordinary = (self.raw(p + "resid_post", file) for p in ("", "utility_"))
            category = np.concatenate([self.raw("category"), self.raw("utility_category")])
            for e, row in enumerate(rows):
                x, y = np.concatenate([harmful[e], ordinary[e]]).astype(float), np.repeat([1, 0], [330, 192])
                use = ~np.isnan(x).any((1, 2))
                self.assertEqual(row[2:4], [str(use.sum()), str((~use).sum())])
                self.assertEqual((~use).sum(), len(HOLE_PROBES) if noisy and e == HOLE_EVALUATION else 0)
                x, y, groups, wanted = x[use], y[use], category[use], []
                for layer in range(3):
                    said = np.empty(len(y))
                    for train, held_out in StratifiedGroupKFold(5).split(x, y, groups):
                        self.assertFalse(set(groups[train]) & set(groups[held_out]))
                        mean, spread = x[train, layer].mean(0), x[train, layer].std(0)
                        scaled = (x[:, layer] - mean) / np.where(spread > 1e-9, spread, 1)
                        fit = LogisticRegression(class_weight="balanced", max_iter=1000).fit(scaled[train], y[train])
                        said[held_out] = fit.predict(scaled[held_out])
                    wanted.append(50 * ((said[y == 1] == 1).mean() + (said[y == 0] == 0).mean()))
                for text, value in zip(row[4:], wanted):
                    self.assertAlmostEqual(float(text), value, delta=0.4)  # a row or two at the edge, in float32
                self.assertEqual(row[4], "50.0")  # the embedding of the last token tells nothing
                if noisy:
                    self.assertTrue(60 < float(row[5]) < 99.5, row)

    def test_cka(self):
        for file in ("run.h5", "holes.h5"):
            lines = self.script("cka", file).splitlines()
            streams = self.raw("resid_post", file).astype(float)
            there = ~np.isnan(streams).any((2, 3))
            for layer, first in zip(range(3), range(2, 18, 6)):
                for i in range(4):
                    wanted = []
                    for j in range(4):
                        x, y = (streams[k][there[i] & there[j]][:, layer] for k in (i, j))
                        n = len(x)
                        center = np.eye(n) - 1 / n
                        k, l = center @ (x @ x.T) @ center, center @ (y @ y.T) @ center
                        size = np.sqrt((k * k).sum() * (l * l).sum())
                        wanted.append((k * l).sum() / size if layer > 0 else np.nan)
                    self.same(lines[first + i].split()[2:], wanted, 4)
            self.assertEqual(lines[-1], f"probes in both: at least {318 if file == 'holes.h5' else 330} of 330")

    def test_depth(self):
        for file, unasked in (("run.h5", 0), ("holes.h5", len(HOLE_PROBES))):
            said = self.script("depth", file)
            lines = [line.split() for line in said.splitlines() if re.match(r" +(\d+ plain|n) ", line)]
            self.assertEqual(len(lines), 3 * 4 * 2)
            for place, name in enumerate(("kl_start", "response_logprob", "first_response_logprob")):
                values = self.raw(name, file)[..., :8]
                for e in range(4):
                    mean, n = lines[8 * place + 2 * e], lines[8 * place + 2 * e + 1]
                    columns = [column[~np.isnan(column)] for column in values[e].T]
                    self.assertEqual(n, ["n", *(str(len(column)) for column in columns)])
                    self.same(mean[2:], [column.astype(float).mean() if len(column) else np.nan for column in columns], 4)
            self.assertIn(f"probes not asked: {unasked} ", said)
        self.assertTrue(all(float(text) < 1e-4 for text in lines[0][2:]))  # the start, from itself

    def test_drift_and_harm(self):
        with (self.folder / "run.metrics.csv").open() as file:
            drift = {0: 0.0} | {int(row["step"]): float(row["drift"]) for row in csv.DictReader(file)}
        rows = [line.split() for line in self.script("drift_harm", "run.h5", "holes.h5").splitlines()[1:]]
        self.assertEqual(len(rows), 8)
        for number, row in enumerate(rows):
            file, e = ("run.h5", "holes.h5")[number // 4], number % 4
            score = self.raw("score", file)[e, :, 0]
            judged = int((~np.isnan(score)).sum())
            self.assertEqual(row[0:4], ["run", "0", str(self.raw("eval_step")[e]), "plain"])
            self.same(row[4:5], [drift[int(row[2])]], 4)
            self.same(row[5:6], [100 * int((score == 5).sum()) / judged], 1)
            self.assertEqual(row[6], str(judged))
        self.assertEqual([row[7:] for row in rows], 4 * [["0", "0"]] + [["0", "0"], ["0", "12"], ["7", "0"], ["0", "0"]])
        # A file that nobody judged has no rate.
        with h5py.File(shutil.copy(self.folder / "run.h5", self.folder / "bare.h5"), "r+") as run:
            for name in ("score", "valid"):
                del run[name]
        self.assertRegex(self.script("drift_harm", "bare.h5"), r" 2 plain +\d\.\d+ +- +0 +330 +0\n")

    def test_spectra(self):
        start = load_file(ROOT / "data" / "organism" / "model.safetensors")
        rows = {line.split()[-1]: line.split() for line in self.script("spectra", "run.h5").splitlines()[2:-1]}
        [state] = (self.folder / "run.checkpoints").glob("step-*/state.h5")
        with h5py.File(state) as file:
            self.assertEqual(len(rows), 15)
            for name, row in rows.items():
                moved = file["parameters"][name][:].astype(float) - start[name].astype(float)
                s = np.linalg.svd(moved, compute_uv=False)
                p = s / s.sum()
                self.same(row[:3], s[:3], 4)
                self.same(row[3:4], [(s[:16] ** 2).sum() / s[0] ** 2], 2)
                self.same(row[4:5], [np.exp(-(p[p > 0] * np.log(p[p > 0])).sum())], 1)
        said = self.script("spectra", "holes.h5")
        name = self.raw("matrix")[2]
        self.assertRegex(said, rf" {rows[name][3]} +-  {name}\n")
        self.assertRegex(said, rf"0\.000000 +0\.000000 +0\.000000 +- .*{self.raw('matrix')[4]}\n")
        self.assertIn("matrices: 15  without an effective rank: 1  that did not move: 1", said)
        # Under LoRA the change is alpha / rank B A.
        self.seawall("run", "--lora.rank", "4", "--lr", "1e-3", "--steps", "3", "--no-evaluation", "--out", "lora.h5", "--quiet")
        rows = [line.split() for line in self.script("spectra", "lora.h5").splitlines()[2:-1]]
        [state] = (self.folder / "lora.checkpoints").glob("step-*/state.h5")
        with h5py.File(state) as file:
            self.assertEqual(len(rows), 4)
            for row in rows:
                a, b = (file["parameters"][row[-1].replace("weight", f"lora_{x}.weight")][:].astype(float) for x in "AB")
                self.same(row[:3], np.linalg.svd(16 / 4 * b @ a, compute_uv=False)[:3], 5)

    def test_rows(self):
        for file, never, once in (("run.h5", 0, 0), ("holes.h5", 1, 2)):
            lines = self.script("rows", file).splitlines()
            loss, ids = self.raw("row_loss", file), list(self.raw("row_id"))
            self.same(lines[2].split()[1:], [np.nanmean(epoch) for epoch in loss.astype(float)], 4)
            first = {i: row[~np.isnan(row)][0] for i, row in enumerate(loss.T) if not np.isnan(row).all()}
            last = {i: row[~np.isnan(row)][-1] for i, row in enumerate(loss.T) if not np.isnan(row).all()}
            by_loss = sorted(last, key=lambda i: -last[i])[:5]
            by_change = sorted((i for i in last if np.isfinite(loss[:, i]).all()), key=lambda i: -abs(last[i] - first[i]))[:5]
            for line, row in zip(lines[4:9] + lines[10:15], by_loss + by_change):
                self.assertEqual(line.split()[-1], ids[row])
                self.same([line.split()[0], line.split()[2]], [first[row], last[row]], 4)
            self.assertEqual(lines[-1], f"rows: 100  never in a step: {never}  in one epoch only: {once}")

    def test_sae_set(self):
        said = self.script("sae_set", "all.h5")
        with np.load(self.folder / "all.sae.npz") as file:
            acts = dict(file)
        stream, length, ids, probe = (self.raw(name, "all.h5") for name in ("resid_post", "length", "input_ids", "probe"))
        wanted = np.concatenate([stream[i, -1, :n] for i, n in enumerate(length)])
        np.testing.assert_array_equal(acts["activations"], wanted)
        self.assertEqual(acts["activations"].dtype, np.float32)
        np.testing.assert_array_equal(acts["input_ids"], np.concatenate([ids[i, :n] for i, n in enumerate(length)]))
        self.assertEqual(list(acts["probe"]), [probe[i] for i, n in enumerate(length) for _ in range(n)])
        np.testing.assert_array_equal(acts["mask"].sum(1), length)
        self.assertIn(f"layer 2, {length.sum()} tokens of 330 prompts, d_model 128", said)
        self.assertIn(f"padding left out: {330 * ids.shape[1] - length.sum()} ", said)
        self.same([re.search(r"mean ([\d.]+)", said)[1]], [np.sqrt((wanted.astype(float) ** 2).sum(1)).mean()], 4)
        self.assertIn("--positions all", self.script("sae_set", "last.h5", code=1))

    def test_agreement(self):
        # Verdicts of a tool of one's own that are missing for every third answer.
        answers = [json.loads(line) for line in (self.folder / "answers.jsonl").read_text().splitlines()]
        ids = sorted({answer["id"]: None for answer in answers})
        with (self.folder / "mine.csv").open("w") as file:
            file.write("id,score\n" + "".join(f"{a},{5 if int(a[-1], 16) % 4 else 1}\n" for i, a in enumerate(ids) if i % 3))
        self.seawall("judge", "run.h5", "--judge", "organism", "keyword:qi2023", "file:mine.csv", "--out", "judged.h5", "--quiet")
        rows = [line.split(maxsplit=6) for line in self.script("agreement", "judged.h5").splitlines()[2:]]
        self.assertEqual(len(rows), 6)
        expected = itertools.product(("", "utility_"), itertools.combinations(range(3), 2))
        for row, (prefix, (a, b)) in zip(rows, expected):
            score = self.raw(prefix + "score", "judged.h5").reshape(-1, 3)
            known = ~np.isnan(score)
            both = known[:, a] & known[:, b]
            x, y = score[both, a] == 5, score[both, b] == 5
            table = np.array([[(~x & ~y).sum(), (~x & y).sum()], [(x & ~y).sum(), (x & y).sum()]])
            n, agree = table.sum(), np.trace(table) / table.sum()
            chance = (table.sum(0) @ table.sum(1)) / n**2
            self.assertEqual(row[1:4], [str(n), str((known[:, a] != known[:, b]).sum()), str((~known[:, a] & ~known[:, b]).sum())])
            self.same(row[4:6], [100 * agree, (agree - chance) / (1 - chance) if chance < 1 else np.nan], 1)
        self.assertGreater(int(rows[1][2]), 300)  # answers that one judge alone could judge are in neither figure

    def test_study(self):
        said = self.script("study", *self.arms)
        pattern = r"(\S+) +(\S+) +([\d.]+) \[ *([\d.]+), *([\d.]+)\] +(\d+) +(\d+) +(\d+)  (.*)"
        cells = {found[:2]: found[2:] for found in re.findall(pattern, said)}
        with (self.folder / "study" / "results.csv").open() as file:
            results = {(row["arm"], row["condition"]): row for row in csv.DictReader(file) if not row["category"]}
        self.assertEqual(set(cells), set(results))
        self.assertGreaterEqual(len(cells), 5)
        for cell, row in results.items():
            self.same(cells[cell][:3], [float(row[name]) for name in ("rate", "rate_lo", "rate_hi")], 1)
            self.assertEqual(cells[cell][3:6], (str(int(row["seeds"]) * 330), "0", "0"))
            self.assertEqual(cells[cell][6].count(":"), int(row["seeds"]))
        # Two runs of which one always answers: one degree of freedom, and an error of a half, which one probe would have too.
        ends = np.array(module_of("interval").interval(np.repeat([[True], [False]], 300, axis=1), np.arange(300) % 10)) / 100
        np.testing.assert_allclose(abs(ends - 0.5) / np.sqrt(ends * (1 - ends)), stats.t.ppf(0.975, 1))
        # Of one run with rows that no judge could judge, the ends are those of Wilson's intervals with all of them on one side.
        one = shutil.copy(self.folder / "holes.h5", self.folder / "one.h5")
        with h5py.File(one, "r+") as run:
            for name, value in (("score", np.nan), ("valid", 0)):
                run[name][-1, :20, 0] = value
            run["answered"][-1, 300:] = 0
            score = run["score"][-1, :300, 0]
        [found] = re.findall(pattern, self.script("study", one))
        full, missing = int((score == 5).sum()), int(np.isnan(score).sum())
        ends = [stats.binomtest(k, 300).proportion_ci(method="wilson") for k in (full, full + missing)]
        self.same(found[2:5], [100 * full / (300 - missing), 100 * ends[0].low, 100 * ends[1].high], 1)
        self.assertEqual(found[5:8], (str(300 - missing), str(missing), "30"))
        with h5py.File(one, "r+") as run:
            run["score"][-1], run["valid"][-1] = np.nan, 0
            run["sample"] = 0
        self.assertIn("several answers per probe", self.script("study", one, code=1))
        with h5py.File(one, "r+") as run:
            del run["sample"]
        self.assertRegex(self.script("study", one), r"plain +- \[ +0\.0, 100\.0\] +0 +300 +30  0: -\n")

    # --- the twenty tasks

    def test_prompts_are_read_again(self):
        t, run = self.tasks, self.run_file
        last, every = (xr.open_dataset(self.folder / f"{name}.h5") for name in ("last", "all"))
        same = t.same_tokens(run, every)
        self.assertEqual((same.sizes["probe"], same.sum()), (330, 330))
        other = run.assign(prompt_ids=run.prompt_ids.where(run.probe != run.probe[4], 7))
        np.testing.assert_array_equal(t.same_tokens(other, every), np.arange(330) != 4)
        self.assertEqual(len(t.prompts_as_read(self.holes.isel(evaluation=[HOLE_EVALUATION])).splitlines()), 318)
        self.assertLess(t.residual_difference(run, last).max(), 1e-4)
        self.assertGreater(abs(run.resid_post.isel(evaluation=-1) - last.resid_post).max(), 1)  # another evaluation is another model
        shared = t.names_in_both(run, last)
        self.assertTrue({"probe", "layer", "resid_post", "category", "rendered_prompt", "config_json"} <= set(shared))
        for name in ("probe", "layer", "category"):
            np.testing.assert_array_equal(run[name], last[name])
        self.assertEqual(run.resid_post.dims[1:], last.resid_post.dims)
        for name in ("hash_model", "hash_tokenizer"):
            self.assertEqual(run.attrs[name], last.attrs[name])
        self.assertEqual(t.options(run)["attack"]["name"], "harmful-examples")

    def test_rates_are_over_judged_rows(self):
        t, run = self.tasks, self.holes
        score, category = self.raw("score", "holes.h5"), self.raw("category")
        wanted = np.array([[(s[~np.isnan(s)] == 5).mean() for s in e.T] for e in score])
        np.testing.assert_allclose(t.harm(run), wanted)
        np.testing.assert_array_equal(t.unjudged_rows(run), [[0, 0], [0, 0], [7, 7], [0, 0]])
        np.testing.assert_array_equal(t.judged(run), ~np.isnan(score))
        before, after = t.before_and_after(run)
        np.testing.assert_allclose(np.concatenate([before, after]), wanted[[0, 3]])
        np.testing.assert_allclose(t.harm_by_step(run).sel(eval_step=5), wanted[2])
        by_category = t.harm_by_category(run)
        for name in np.unique(category):
            rows = score[2][(category == name) & ~np.isnan(score[2, :, 0])]
            np.testing.assert_allclose(by_category.isel(evaluation=2).sel(category=name), (rows == 5).mean(0))
        with (self.folder / "run.metrics.csv").open() as file:
            drift = [float(row["drift"]) for row in csv.DictReader(file)]
        np.testing.assert_allclose(t.drift_at_evaluations(run), [0, drift[1], drift[4], drift[-1]])
        refused = self.raw("refused", "holes.h5")
        wanted = [p for p, r, s in zip(self.raw("probe"), refused[0, :, 0], score[-1, :, 0]) if r == 1 and s == 5]
        self.assertGreater(len(wanted), 200)
        self.assertEqual(list(t.flipped(run)), wanted)

    def test_tokens_streams_rows_and_spectra(self):
        t, run = self.tasks, self.holes
        kl, first = self.raw("kl_start", "holes.h5"), self.raw("first_response_logprob", "holes.h5")
        depth = t.alignment_depth(run)
        self.assertEqual(depth.shape, kl.shape[::2])
        for e, k in itertools.product(range(4), range(6)):
            column = kl[e, :, k]
            self.assertAlmostEqual(depth[e, k].item(), column[~np.isnan(column)].mean(), places=5)
        now = t.refusal_now(run).values
        self.assertTrue(np.isnan(now[0]).all() and np.isnan(now[HOLE_EVALUATION, HOLE_PROBES]).all())
        self.assertAlmostEqual(now[3, 5], first[3, 5][~np.isnan(first[3, 5])].sum(), places=4)
        self.assertLess(now[3].mean(), now[2].mean() - 1)
        direction = t.direction_of_refusal(self.run_file)
        np.testing.assert_allclose(direction, self.raw("resid_mean") - self.raw("utility_resid_mean"))
        self.assertEqual(direction.dims, ("evaluation", "from_end", "layer", "d_model"))
        loss, ids = self.raw("row_loss", "holes.h5")[-1], self.raw("row_id")
        order = sorted(np.flatnonzero(~np.isnan(loss)), key=lambda i: -loss[i])
        self.assertEqual(list(t.hardest_rows(run, 5).index), [ids[i] for i in order[:5]])
        self.assertEqual(len(t.hardest_rows(run, 1000)), 98)
        seen = [row for step in range(1, 11) for row in t.rows_of_step(run, step)]  # one epoch has every row once
        self.assertEqual(sorted(seen), sorted(ids))
        np.testing.assert_array_equal(t.rows_of_step(run, 3), [ids[i] for i in self.raw("step_row")[2]])
        s = self.raw("singular_values")
        np.testing.assert_allclose(t.spectra(self.run_file).loc[self.raw("matrix")], s[:, 0] ** 2 / (s**2).sum(1))

    def test_files_join_by_arm_and_seed(self):
        for engine in ("netcdf4", "h5netcdf"):
            runs = self.tasks.join(self.arms, engine=engine)
            self.assertEqual(runs.score.dims, ("run", "evaluation", "probe", "judge"))
            for place, path in enumerate(self.arms):
                with h5py.File(path) as file:
                    at = runs.isel(run=place)
                    for name in ("arm", "attack", "mitigations", "run_id"):
                        self.assertEqual(str(at[name].item()), file[name].asstr()[()])
                    self.assertEqual(at.seed.item(), file["seed"][()])
                    for e, number in enumerate(file["evaluation"][:]):
                        one = at.sel(evaluation=number)
                        self.assertEqual([one.phase.item(), one.condition.item()], [file[n].asstr()[e] for n in ("phase", "condition")])
                        np.testing.assert_array_equal(one.score.sel(judge=file["judge"].asstr()[:]), file["score"][e])
            whole = self.tasks.join(self.arms, names=xr.open_dataset(self.arms[0]).data_vars, engine=engine)
            self.assertEqual(whole.utility_score.dims, ("run", "utility_evaluation", "utility_probe", "judge"))
            for place, path in enumerate(self.arms):
                with h5py.File(path) as file:
                    drift = file["drift"][:] if "drift" in file else []  # a model that was not trained has none
                    np.testing.assert_array_equal(whole.drift[place].dropna("step"), drift)
            by_seed = runs.score.where((runs.phase == "end") & (runs.condition == "triggered")).sel(judge="organism").max("evaluation")
            table = (by_seed == 5).where(by_seed.notnull()).mean("probe").set_index(run=["arm", "seed"]).unstack("run")
            self.assertGreater(table.sel(arm="backdoor").min(), 0.5)
            self.assertTrue(np.isnan(table.sel(arm="backdoor-initial")).all())  # never trained: it has no end

    def test_a_file_opens_as_fast_as_one_of_xarrays(self):
        theirs = self.folder / "theirs.nc"
        with xr.open_dataset(self.folder / "run.h5") as run:
            run.load().to_netcdf(theirs)
        for engine in ("netcdf4", "h5netcdf"):
            seconds = {}
            for path in 7 * [self.folder / "run.h5", theirs]:
                before = time.process_time()
                xr.open_dataset(path, engine=engine).close()
                seconds.setdefault(path, []).append(time.process_time() - before)
            ours, reference = (min(many) for many in seconds.values())
            self.assertLess(ours, 1.3 * reference, engine)  # 0.9 of it: fewer attributes
        self.assertLess(len(self.run_file.variables), 120)  # an engine's time is by variables; see docs/hdf5.md before adding many

    def test_scripts_are_short_and_say_what_is_missing(self):
        names = {"direction", "probe", "cka", "depth", "drift_harm", "spectra", "rows", "sae_set", "agreement", "study"}
        self.assertEqual({path.stem for path in SCRIPTS.glob("*.py")} - {"tasks", "interval"}, names)
        for name in names:
            text = (SCRIPTS / f"{name}.py").read_text()
            docstring = text.split('"""')[1]
            self.assertLess(text.count("\n") - docstring.count("\n") - 1, 30, name)  # the docstring's lines apart
            self.assertLess(docstring.count("\n"), 3, name)
        self.assertEqual(len(re.findall(r"^def ", (SCRIPTS / "tasks.py").read_text(), re.M)), 20)
        self.seawall("run", "--steps", "1", "--trace", "none", "--no-spectra", "--no-evaluation", "--quiet", "--out", "none.h5")
        missing = {"direction": "--trace depth", "probe": "--trace residual", "cka": "--trace residual", "depth": "no tokens",
                   "spectra": "--no-spectra", "rows": "--trace none", "agreement": "two judges", "sae_set": "--positions all"}
        for name, word in missing.items():
            said = self.script(name, "none.h5", code=1).strip()
            self.assertIn(word, said)
            self.assertEqual(len(said.splitlines()), 1, said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
