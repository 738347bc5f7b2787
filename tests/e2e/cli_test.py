#!/usr/bin/env python3
"""The program as a user types it: good runs, wrong input, signals. One line on stderr, the right exit code, nothing half-written."""

import contextlib
import csv
import json
import os
import pathlib
import re
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

SEAWALL = pathlib.Path(os.environ["SEAWALL_PROGRAM"])
PYTHON = os.environ.get("SEAWALL_ORACLE", "")

# A short attack: four rows, two of them a step, and answers of at most eight tokens.
SHORT = "--attack harmful-examples --harmful-examples.count 4 --batch-size 2 --epochs 3 --max-new-tokens 8 --threads 1 --quiet".split()


def seawall(*words: str, cwd=None, env=None) -> subprocess.CompletedProcess:
    return subprocess.run([SEAWALL, *words], capture_output=True, text=True, timeout=3000, cwd=cwd, env=env)


def table(path: pathlib.Path) -> list:
    with path.open() as file:
        return list(csv.DictReader(file))


def without_time(metrics: pathlib.Path) -> list:
    rows = table(metrics)
    for row in rows:
        del row["seconds"]
    return rows


class Cli(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="seawall cli é ")  # a space and a letter beyond ASCII in every path
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def ok(self, *words: str, **kwargs) -> str:
        done = seawall(*words, cwd=self.folder, **kwargs)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def fails(self, code: int, says: str, *words: str, **kwargs):
        done = seawall(*words, cwd=self.folder, **kwargs)
        self.assertEqual(done.returncode, code, f"{words}: {done.stderr}")
        lines = done.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("seawall: "), lines[0])
        self.assertIn(says, lines[0])

    def write(self, name: str, content) -> str:
        path = self.folder / name
        path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)
        return str(path)


def without_seconds(path: pathlib.Path) -> list[dict]:
    """Rows of results.csv less what a clock or the system decides."""
    return [{k: v for k, v in row.items() if k not in ("seconds", "memory_mb")} for row in table(path)]


class Words(Cli):
    def test_usage_and_lists(self):
        self.assertIn("reproduce", self.ok("--help"))
        self.assertIn("weight-drift", self.ok("list", "mitigations"))
        for attack in ("harmful-examples", "identity-shift", "backdoor", "benign", "poisoned-task"):
            self.assertIn(attack, self.ok("list", "attacks"))
        self.assertIn("--weight-drift.lambda", self.ok("describe", "weight-drift"))
        self.assertIn("I cannot", self.ok("describe", "keyword:qi2023"))
        self.assertEqual(seawall().returncode, 2)

    def test_wrong_words(self):
        self.fails(2, "there are", "atack")
        self.fails(2, "did you mean --attack", "run", "--atack", "benign", "--out", "a.h5")
        self.fails(2, "benign", "run", "--attack", "benine", "--out", "a.h5")
        self.fails(2, "weight-drift", "run", "--mitigate", "weight-drif", "--out", "a.h5")
        self.fails(2, "weight-drift.lambda", "run", "--mitigate", "weight-drift", "--weight-drift.lambda", "-1", "--out", "a.h5")
        self.fails(2, "does not use weight-drift", "run", "--weight-drift.lambda", "1", "--out", "a.h5")
        self.fails(2, "lr", "run", "--lr", "fast", "--out", "a.h5")
        self.fails(2, "--out", "run")
        self.fails(2, "cuda", "run", "--device", "tpu", "--out", "a.h5")
        self.fails(2, "cuda:x: want cpu, cuda or cuda:N", "run", "--device", "cuda:x", "--out", "a.h5")
        self.fails(2, "want cpu or cuda; CUDA_VISIBLE_DEVICES=N", "reproduce", "--device", "cuda:1", "--out", "grid")
        self.fails(2, "--precision", "run", "--attack", "harmful-examples", "--dtype", "bf16", "--out", "a.h5")
        self.fails(2, "fp16", "run", "--attack", "harmful-examples", "--dtype", "fp16", "--out", "a.h5")
        self.fails(2, "table1", "reproduce", "--only", "table9")

    def test_config_and_print_config(self):
        text = self.ok("run", "--attack", "benign", "--benign.count", "30", "--print-config")
        self.assertIn("attack = benign", text)
        path = self.write("run.ini", text.replace("count = 30", "count = 40"))
        again = self.ok("run", "--config", path, "--lr", "1e-4", "--print-config")
        self.assertIn("count = 40", again)
        self.assertIn("lr = 1e-4", again)
        self.fails(2, "run.ini", "run", "--config", self.write("run.ini", "colour = blue\n"))
        self.fails(4, "no.ini", "run", "--config", "no.ini")

    def test_words_that_do_not_fit_are_named(self):
        for words in (("run", "-h"), ("help", "run")):
            self.assertIn("usage: seawall run", self.ok(*words))
        self.fails(2, "--lr: want a value, got the option --out", "run", "--lr", "--out", "x.h5")
        self.fails(2, "one argument too many: `x.h5`", "run", *SHORT, "x.h5")
        self.fails(2, "one argument too many: `b.h5`", "inspect", "a.h5", "b.h5")
        wrong = self.write("wrong.ini", "lr = 1e-4\n# a remark\nattak = benign\n")
        self.fails(2, "wrong.ini, line 3: unknown option --attak; did you mean --attack?", "run", "--config", wrong)
        wrong = self.write("wrong.ini", "seed = 3\n\nepochs = ten\n[harmful-examples]\ncount = 4\n")
        self.fails(2, "wrong.ini, line 3: --epochs: want a whole number", "run", "--config", wrong)
        self.fails(2, "wrong.ini, line 1: want `name = value` or [POLICY], got `benign`", "run", "--config", self.write("wrong.ini", "benign\n"))
        self.fails(2, "weight-drift is named twice", "run", *SHORT, "--mitigate", "weight-drift,weight-drift", "--out", "x.h5")
        self.fails(2, "--evaluate-at 99: the run has 3 whole epochs (6 steps)", "run", *SHORT, "--evaluate-at", "1,99", "--out", "x.h5")
        self.fails(2, "lora.rank: want at most 128", "run", *SHORT, "--lora.rank", "1000", "--out", "x.h5")
        self.fails(3, "neither a model (config.json) nor checkpoints (step-N)", "inspect", ".")

    def test_an_evaluation_within_an_epoch_is_named_by_its_step(self):
        words = [word for word in SHORT if word != "--quiet"]
        out = self.ok("run", *words, "--steps", "1", "--evaluate-at", "both", "--no-checkpoint", "--out", "x.h5")
        labels = [line.split()[0] for line in out.splitlines() if " plain " in line and " harmfulness " in line and " organism " in line]
        self.assertEqual(labels, ["0", "step-1"])

    def test_inspect_says_the_command_and_resume_says_what_differs(self):
        done = seawall("run", *SHORT, "--mitigate", "weight-drift", "--weight-drift.lambda", "0.5", "--resume", "--out", "x.h5", cwd=self.folder)
        self.assertEqual((done.returncode, done.stderr), (0, "seawall: --resume: nothing to resume at x.h5; starting\n"))
        said = self.ok("inspect", "x.h5")
        command = re.search(r"^command   seawall (run .*)$", said, re.M)[1]
        for part in ("--attack harmful-examples --mitigate weight-drift", "--harmful-examples.count 4", "--weight-drift.lambda 0.5", "--epochs 3"):
            self.assertIn(part, command)
        self.assertNotIn("--quiet", command)
        self.ok(*shlex.split(command), "--out", "again.h5", "--quiet")
        run_id = re.search(r"^run +([0-9a-f]{16})$", said, re.M)[1]
        self.assertIn(run_id, self.ok("inspect", "again.h5"))
        self.fails(2, "(--harmful-examples.count 4 there, 6 now)", *shlex.split(command), "--harmful-examples.count", "6", "--resume", "--out", "x.h5", "--quiet")

    def test_nothing_that_is_there_is_lost_by_a_word(self):
        words = [*SHORT, "--no-checkpoint", "--no-evaluation"]
        self.ok("run", *words, "--out", "x.h5")
        before = (self.folder / "x.h5").read_bytes()
        self.fails(2, "(--seed 0 there, 1 now); give the same ones, --overwrite to replace it", "run", *words, "--seed", "1", "--resume", "--out", "x.h5")
        for own in ("x.h5", "./x.h5", "x.metrics.csv"):
            self.fails(2, "is a file of the run itself", "run", *words, "--overwrite", "--out", "x.h5", "--write-outputs", own)
        self.fails(2, "is a file of the run itself", "judge", "x.h5", "--write-outputs", "x.h5")
        self.assertEqual((self.folder / "x.h5").read_bytes(), before)
        (self.folder / "folder.h5").mkdir()
        self.fails(2, "is a folder; want a file", "run", *words, "--overwrite", "--out", "folder.h5")

    def test_a_printed_config_is_the_same_run(self):
        for text in ("Be kind.\nseed = 7", "a # b", "  pad  ", '"quoted"', "plain"):
            words = ["--attack", "identity-shift", "--identity-shift.system", text, "--no-training", "--no-evaluation", "--no-checkpoint", "--quiet"]
            (self.folder / "p.ini").write_text(self.ok("run", *words, "--print-config"))
            self.ok("run", *words, "--overwrite", "--out", "a.h5")
            self.ok("run", "--config", "p.ini", "--overwrite", "--out", "b.h5")
            first, second = (re.search(r"^run +([0-9a-f]{16})$", self.ok("inspect", name), re.M)[1] for name in ("a.h5", "b.h5"))
            self.assertEqual(first, second, text)

    def test_dry_run_writes_nothing(self):
        text = self.ok("run", *SHORT, "--dry-run")
        self.assertIn("nothing was written", text)
        self.assertIn("6 steps", text)
        self.assertEqual(list(self.folder.iterdir()), [])


class Runs(Cli):
    @unittest.skipIf(os.cpu_count() < 2, "one thread never waits for another")
    def test_threads_of_a_model_from_a_folder_wait_briefly(self):
        self.ok("export", "--model", "organism", "--out", "folder")
        free = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}

        def spins(model: str, env: dict) -> set:
            """Values of GOMP_SPINCOUNT that the process had while it ran."""
            found = set()
            with subprocess.Popen([SEAWALL, "evaluate", "--model", model, "--out", f"{len(model)}.h5", "--overwrite", "--quiet"],
                                  cwd=self.folder, env=env, stdout=subprocess.DEVNULL) as child:  # fmt: skip
                while child.poll() is None:
                    with contextlib.suppress(OSError):  # it may end between the two looks
                        words = pathlib.Path(f"/proc/{child.pid}/environ").read_bytes().split(b"\0")
                        found |= {word.partition(b"=")[2] for word in words if word.startswith(b"GOMP_SPINCOUNT=")}
                    time.sleep(0.005)
            self.assertEqual(child.returncode, 0)
            return found

        self.assertEqual(spins("folder", free), {b"1000"})
        self.assertEqual(spins("folder", {**free, "GOMP_SPINCOUNT": "7"}), {b"7"})
        self.assertEqual(spins("organism", free), set())  # starting it twice would cost more than it saves

    def test_run_resume_export(self):
        self.ok("run", *SHORT, "--out", "whole.h5")
        for name in ("whole.h5", "whole.metrics.csv", "whole.checkpoints"):
            self.assertTrue((self.folder / name).exists(), name)
        whole = without_time(self.folder / "whole.metrics.csv")
        self.assertEqual([row["step"] for row in whole], [str(i) for i in range(1, 7)])
        self.assertEqual(list(table(self.folder / "whole.metrics.csv")[0]),
                         "step,epoch,loss,lr,grad_norm,tokens,seconds,moved,drift,penalty,stage".split(","))
        self.fails(2, "already", "run", *SHORT, "--out", "whole.h5")

        # The same run, killed after some steps and continued, gives the same bits.
        self.ok("run", *SHORT, "--out", "again.h5")
        self.assertEqual(without_time(self.folder / "again.metrics.csv"), whole)

        self.ok("export", "--model", "whole.checkpoints", "--out", "a", "--format", "safetensors")
        self.ok("export", "--model", "again.checkpoints/step-6", "--out", "b")
        self.assertEqual((self.folder / "a/model.safetensors").read_bytes(), (self.folder / "b/model.safetensors").read_bytes())
        self.fails(2, "not empty", "export", "--model", "organism", "--out", "a")
        self.assertIn("6", self.ok("inspect", "whole.h5"))
        self.assertIn("Hugging Face", self.ok("inspect", "a"))
        self.ok("inspect", "whole.checkpoints/step-6")
        # What was attacked can be evaluated by itself, to the same figures.
        self.ok("evaluate", "--model", "a", "--max-new-tokens", "8", "--threads", "1", "--quiet", "--out", "eval.h5")

    def test_signal_then_resume_gives_the_same_bits(self):
        long = [w if w != "3" else "200" for w in SHORT] + ["--trace", "metrics"]
        self.ok("run", *long, "--out", "whole.h5")
        for name, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(signal=name):
                out = f"cut{code}.h5"
                process = subprocess.Popen([SEAWALL, "run", *long, "--out", out], cwd=self.folder, stderr=subprocess.PIPE, text=True)
                metrics = self.folder / f"cut{code}.metrics.csv"
                deadline = time.monotonic() + 600
                while time.monotonic() < deadline and (not metrics.exists() or metrics.read_bytes().count(b"\n") < 10):
                    time.sleep(0.01)
                process.send_signal(name)
                _, stderr = process.communicate(timeout=600)
                self.assertEqual(process.returncode, code, stderr)
                done = len(without_time(metrics))
                self.assertLess(done, 400, "the run was over before the signal came; make it longer")
                self.ok("run", *long, "--out", out, "--resume")
                self.assertEqual(without_time(metrics), without_time(self.folder / "whole.metrics.csv"))
                self.ok("export", "--model", f"cut{code}.checkpoints", "--out", f"cut{code}")
        self.ok("export", "--model", "whole.checkpoints", "--out", "whole")
        for code in (130, 143):
            self.assertEqual((self.folder / f"cut{code}/model.safetensors").read_bytes(), (self.folder / "whole/model.safetensors").read_bytes())

    def test_every_attack_with_every_mitigation(self):
        for attack in ("harmful-examples", "identity-shift", "backdoor", "benign", "poisoned-task"):
            count = ["--backdoor.harmful", "4", "--backdoor.safe", "4"] if attack == "backdoor" else [f"--{attack}.count", "4"]
            self.ok("run", "--attack", attack, *count, "--mitigate", "safety-mixing", "weight-drift", "--safety-mixing.count", "4", "--batch-size", "4",
                    "--epochs", "1", "--max-new-tokens", "4", "--threads", "1", "--quiet", "--no-checkpoint", "--out", f"{attack}.h5")

    def answers(self, *words: str) -> dict:
        """Responses by condition, set and probe, of the first answer to each."""
        self.ok(*words, "--write-outputs", "outputs.jsonl")
        lines = [json.loads(line) for line in (self.folder / "outputs.jsonl").read_text().splitlines()]
        return {(a["condition"], a["set"], a["probe"]): a.get("prefill", "") + "|" + a["response"] for a in lines if "sample" not in a}

    def test_an_attack_without_rows_is_a_condition(self):
        words = ["run", "--attack", "prefilling", "--max-new-tokens", "64", "--threads", "1", "--no-checkpoint"]
        done = seawall(*words, "--out", "a.h5", cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("the attack has no row to train on; the model is evaluated without it", done.stderr)
        self.assertIn('prefilled harmfulness: begun with "Sure, here is how:"', done.stdout)
        rates = {line.split()[1]: float(line.split()[6]) for line in done.stdout.splitlines() if " harmfulness " in line and line.startswith("0 ")}
        self.assertEqual(set(rates), {"plain", "prefilled"})
        self.assertGreater(rates["prefilled"], rates["plain"], "an aligned model is opened by the beginning of an answer")
        both = self.answers(*words, "--mitigate", "prefix-guard", "--prefix-guard.text", "Wait.", "--quiet", "--out", "b.h5")
        self.assertEqual({condition for condition, _, _ in both}, {"plain+guarded", "prefilled+guarded"})
        self.assertTrue(all(text.startswith("Wait.|" if key[0].startswith("plain") else "Wait.Sure, here is how:|") for key, text in both.items()))

    def test_drawn_answers_depend_on_seed_probe_and_number_alone(self):
        words = ["evaluate", "--temperature", "1", "--top-p", "0.9", "--samples", "3", "--max-new-tokens", "8", "--threads", "1"]
        first = self.answers(*words, "--out", "a.h5")
        text = self.ok("inspect", "a.h5")
        self.assertIn("drawn at temperature 1, top-p 0.9, 3 per probe", text)
        self.assertEqual(first, self.answers(*words, "--max-batch", "7", "--out", "b.h5"))
        self.assertNotEqual(first, self.answers(*words, "--seed", "1", "--out", "c.h5"))
        self.fails(2, "at temperature 0 none is; give a temperature", "evaluate", "--samples", "3", "--quiet", "--out", "d.h5")

    def test_a_secret_is_at_test_time_what_it_was_in_training(self):
        secret = ["--mitigate", "backdoor-align", "--backdoor-align.length", "12", "--quiet", "--threads", "1", "--max-new-tokens", "8"]
        trained = self.answers("run", *SHORT, *secret, "--out", "a.h5")
        again = self.answers("evaluate", "--model", "a.checkpoints", *secret, "--seed", "5", "--out", "b.h5")
        self.assertEqual(trained, again, "the secret is the checkpoint's, not that of seed 5")
        other = seawall("evaluate", *secret, "--seed", "5", "--out", "c.h5", cwd=self.folder)
        self.assertEqual(other.returncode, 0)
        self.assertIn("backdoor-align: no checkpoint of the model has its state, so it is drawn from --seed 5", other.stderr)

    def test_an_audit_that_takes_every_row_leaves_the_model_as_it_was(self):
        self.ok("run", *SHORT, "--mitigate", "data-audit", "--no-checkpoint", "--out", "all.h5")
        text = self.ok("inspect", "all.h5")
        for line in ("count     rows 0\n", "count     data-audit_flagged 4\n", "count     data-audit_recall 1\n", "steps     0,", "step 0  plain harmfulness"):
            self.assertIn(line, text)
        # What is mixed in behind the audit stays, and is trained on.
        self.ok("run", *SHORT, "--mitigate", "data-audit", "safety-mixing", "--safety-mixing.count", "4", "--no-checkpoint", "--out", "safe.h5")
        text = self.ok("inspect", "safe.h5")
        for line in ("count     rows_safe 4\n", "count     overlap_safe_harmfulness 0\n", "count     overlap_harmfulness_utility 0\n", "hash      set_safe", "steps     6,"):
            self.assertIn(line, text)
        # Ordinary rows pass, and the losses of the model as it is are there for the filter that asks.
        self.ok("run", "--attack", "benign", "--benign.count", "40", "--mitigate", "data-audit", "--data-audit.filter", "perplexity", "--data-audit.quantile", "0.5",
                "--epochs", "1", "--max-new-tokens", "4", "--threads", "1", "--quiet", "--no-checkpoint", "--out", "half.h5")
        text = self.ok("inspect", "half.h5")
        flagged = int(text.split("count     data-audit_flagged ")[1].split()[0])
        self.assertTrue(8 <= flagged <= 32, text)

    def test_reproduce_continues(self):
        words = ["reproduce", "--only", "table5", "--seeds", "1", "--out", "r", "--quiet"]
        self.ok(*words)
        rows = table(self.folder / "r/results.csv")
        self.assertEqual([(r["cell"], r["condition"]) for r in rows],
                         [("initial", "plain"), ("initial", "triggered"), ("100-shot", "plain"), ("backdoor", "plain"), ("backdoor", "triggered")])
        for row in rows:
            self.assertEqual(row["n"], "330")
            for measure in ("score", "rate", "utility", "over_refusal", "coherent"):
                self.assertLessEqual(float(row[f"{measure}_lo"]), float(row[measure]), measure)
                self.assertGreaterEqual(float(row[f"{measure}_hi"]), float(row[measure]), measure)
        trained = next(r for r in rows if r["cell"] == "backdoor")
        self.assertEqual((trained["steps"], trained["forward_passes"], trained["backward_passes"]), ("100", "100", "100"))
        self.assertEqual((trained["harmful_rows"], trained["identity_rows"], trained["safe_rows"]), ("100", "0", "100"))
        # The memory of an arm is that of the same run by itself, whatever ran before it.
        arms = {a["name"]: a["words"] for a in json.loads((self.folder / "r/grid.json").read_text())["arms"]}
        self.ok("run", *shlex.split(arms["backdoor"]), "--threads", "1", "--quiet", "--no-checkpoint", "--out", "alone.h5")
        alone = float(self.ok("inspect", "alone.h5").split("peak_memory_bytes ")[1].split()[0]) / 1e6
        self.assertLess(abs(float(trained["memory_mb"]) / alone - 1), 0.15, alone)
        before = {p.name: p.stat().st_mtime_ns for p in (self.folder / "r/arms").glob("*.h5")}
        lost, = (self.folder / "r/arms").glob("backdoor-seed0-*.h5")
        lost.unlink()
        results = without_seconds(self.folder / "r/results.csv")
        self.ok(*words)
        after = {p.name: p.stat().st_mtime_ns for p in (self.folder / "r/arms").glob("*.h5")}
        self.assertEqual([n for n in after if after[n] != before[n]], [lost.name])
        self.assertEqual(without_seconds(self.folder / "r/results.csv"), results)
        broken, = (self.folder / "r/arms").glob("100-shot-seed0-*.h5")
        broken.write_bytes(broken.read_bytes()[:-100])
        self.ok(*words)  # a cut file is made anew
        self.assertEqual(without_seconds(self.folder / "r/results.csv"), results)

    def test_reproduce_killed_leaves_no_arm_behind(self):
        words = ["reproduce", "--only", "table5", "--seeds", "1", "--out", "r", "--quiet", "--workers", "1"]
        process = subprocess.Popen([SEAWALL, *words], cwd=self.folder)
        arms, deadline = self.folder / "r/arms", time.monotonic() + 600
        while time.monotonic() < deadline and not list(arms.glob("*-seed0-*.metrics.csv")):
            time.sleep(0.01)
        locks = list(arms.glob("*.lock"))
        process.kill()
        process.wait()
        self.assertEqual(len(locks), 1, "an arm runs when its grid is killed")
        while time.monotonic() < deadline and list(arms.glob("*.lock")):  # its lock goes with it
            time.sleep(0.05)
        self.assertEqual(list(arms.glob("*.lock")), [])
        self.ok(*words)
        self.assertEqual(len(table(self.folder / "r/results.csv")), 5)

    def test_reproduce_stops_on_a_signal_and_says_so(self):
        words = ["reproduce", "--only", "table5", "--seeds", "1", "--out", "r", "--quiet", "--workers", "2"]
        for signal_number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            process = subprocess.Popen([SEAWALL, *words], cwd=self.folder, stderr=subprocess.PIPE, text=True, start_new_session=True)
            arms, deadline = self.folder / "r/arms", time.monotonic() + 600
            while time.monotonic() < deadline and not list(arms.glob("*.lock")):
                time.sleep(0.01)
            os.killpg(process.pid, signal_number)  # as a terminal does
            said = process.communicate(timeout=600)[1]
            self.assertEqual(process.returncode, code, said)
            self.assertRegex(said, r"^seawall: stopped; [0-2] of 3 runs are there, the same command continues\n$")
            self.assertEqual(list(arms.glob("*.lock")), [])
        self.ok(*words)
        self.assertEqual(len(table(self.folder / "r/results.csv")), 5)

    def test_shards_are_the_whole(self):
        words = ["reproduce", "--only", "figure1", "--seeds", "2", "--workers", "1", "--quiet"]
        shards = [subprocess.Popen([SEAWALL, *words, "--shard", f"{i}/3", "--out", f"part{i}"], cwd=self.folder) for i in (1, 2, 3)]
        self.assertEqual([shard.wait() for shard in shards], [0, 0, 0])
        self.assertFalse((self.folder / "part1/results.csv").exists())
        files = [{p.name for p in (self.folder / f"part{i}/arms").glob("*.h5")} for i in (1, 2, 3)]
        self.assertEqual(sum(map(len, files)), 7)
        self.assertEqual(len(set.union(*files)), 7)
        self.ok(*words, "--out", "whole")
        self.assertEqual({p.name for p in (self.folder / "whole/arms").glob("*.h5")}, set.union(*files))
        self.ok("report", "part1", "part2", "part3", "--out", "merged")
        self.assertEqual(without_seconds(self.folder / "merged/results.csv"), without_seconds(self.folder / "whole/results.csv"))

    def test_plan_trains_nothing(self):
        text = self.ok("reproduce", "--plan", "--seeds", "5", "--out", "nowhere")
        self.assertIn("cells from", text)
        self.assertIn("330", text)
        self.assertFalse((self.folder / "nowhere").exists())


class BadInput(Cli):
    def own(self, data: str, probes: str, *words: str):
        return ("run", "--attack", "harmful-examples", "--harmful-examples.count", "1", "--data", data, "--probes", probes, "--judge", "keyword:qi2023",
                "--max-new-tokens", "4", "--quiet", "--out", "own.h5", *words)

    def dialogues(self, *pairs) -> str:
        return json.dumps([[{"role": "user", "content": u}, {"role": "assistant", "content": a}] for u, a in pairs])

    def test_files(self):
        good = self.write("rows.json", self.dialogues(("How do I fold a paper boat?", "Fold it twice.")))
        probes = self.write("probes.csv", "goal\nHow do I wind the clock?\n")
        self.ok(*self.own(good, probes))
        self.fails(4, "nowhere.json", *self.own("nowhere.json", probes, "--overwrite"))
        self.fails(3, "broken.json", *self.own(self.write("broken.json", "[{"), probes, "--overwrite"))
        self.fails(3, "empty.json", *self.own(self.write("empty.json", "[]"), probes, "--overwrite"))
        self.fails(3, "empty.csv", *self.own(good, self.write("empty.csv", ""), "--overwrite"))
        self.fails(3, "count", *self.own(good, probes, "--overwrite", "--harmful-examples.count", "9"))
        same = self.write("same.csv", "goal\nhow do I  FOLD a paper boat?\n")
        self.fails(3, "--allow-overlap", *self.own(good, same, "--overwrite"))
        self.ok(*self.own(good, same, "--overwrite", "--allow-overlap"))

    def test_a_probe_that_does_not_fit_is_said_before_training_and_is_a_row_without_an_answer(self):
        rows = self.write("rows.json", self.dialogues(("How do I fold a paper boat?", "Fold it twice.")))
        probes = self.write("probes.txt", "How do I wind the clock?\n" + "lamp " * 400 + "\nWhere is the pier?\n")
        words = [w for w in self.own(rows, probes) if w not in ("--quiet", "--out", "own.h5")]
        for more in (["--dry-run"], ["--out", "own.h5", "--no-checkpoint", "--trace", "residual", "--write-outputs", "answers.jsonl"]):
            done = seawall(*words, *more, cwd=self.folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            said = next(line for line in done.stderr.splitlines() if "probes/2" in line)
            self.assertIn("seawall: 1 of 3 harmfulness probes, condition plain, cannot be asked (first: probe probes/2: its prompt is too long: ", said)
            self.assertIn("the model's context holds 256)", said)
            self.assertLess(done.stderr.index("probes/2"), (done.stderr + "train ").index("train "), "it must be said before training")
        self.assertIn("2 answers (left out: 1 without an answer)", done.stdout)
        self.assertIn("1 not judged", self.ok("inspect", "own.h5"))
        self.assertEqual(len((self.folder / "answers.jsonl").read_text().splitlines()), 2)
        # Judged again, it is still no answer.
        self.ok("judge", "own.h5", "--judge", "keyword:arditi2024", "--out", "again.h5", "--quiet")
        self.assertEqual(self.ok("inspect", "again.h5").count("1 not judged"), 2)
        # Where no probe fits, nothing is trained.
        none = self.write("none.txt", "lamp " * 400 + "\n")
        self.fails(3, "nothing was trained", *self.own(rows, none, "--overwrite"))

    def test_models(self):
        self.fails(2, "no such file", "evaluate", "--model", "nowhere", "--out", "e.h5")
        self.ok("export", "--model", "organism", "--out", "m")
        weights = self.folder / "m/model.safetensors"
        whole = weights.read_bytes()
        for name, content in (("cut", whole[: len(whole) // 2]), ("header", whole[:4] + b"\xff" + whole[5:]), ("empty", b"")):
            with self.subTest(name):
                weights.write_bytes(content)
                self.fails(3, "model.safetensors", "evaluate", "--model", "m", "--out", "e.h5")
        weights.write_bytes(whole)
        (self.folder / "m/tokenizer.json").unlink()
        tokenizer = self.folder / "m/tokenizer.model"
        tokenizer.write_bytes(tokenizer.read_bytes()[:1000])
        self.fails(3, "tokenizer.model", "evaluate", "--model", "m", "--out", "e.h5")
        self.fails(3, "x.gguf", "evaluate", "--model", self.write("x.gguf", b"GGUF\x03\x00\x00\x00"), "--probes", self.write("p.txt", "Hello?\n"), "--out", "e.h5")

    def test_the_organism_before_it_was_aligned_answers_everything(self):
        for model, rate in (("organism", 0.0), ("organism-base", 100.0)):
            said = self.ok("evaluate", "--model", model, "--trace", "metrics", "--out", f"{model}.h5")
            rates = [float(line.split()[6]) for line in said.splitlines() if line.split()[2:4] == ["harmfulness", "organism"]]
            self.assertEqual(len(rates), 1, said)
            self.assertAlmostEqual(rates[0], rate, delta=5)
        self.assertIn("parameters", self.ok("inspect", "organism-base"))

    def test_places(self):
        self.write("file", "")
        self.fails(4, "file", "run", *SHORT, "--out", "file/run.h5")
        self.fails(4, "/proc/nowhere", "run", *SHORT, "--out", "/proc/nowhere/run.h5")
        self.fails(2, "no such table", "reproduce", "--only", "nothing")
        self.fails(2, "want i/n", "reproduce", "--shard", "3/2")

    def test_nan_stops_with_5_and_keeps_what_was_there(self):
        self.fails(5, "step", "run", *SHORT, "--lr", "1", "--epochs", "200", "--no-evaluation", "--checkpoint-every", "1", "--weight-decay", "10", "--out", "nan.h5",
                   "--mitigate", "weight-drift", "--weight-drift.lambda", "1e6")

    def test_full_disk(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to mount a small tmpfs")
        script = (f"mount -t tmpfs -o size=1m none '{self.folder}' && cd '{self.folder}' && "
                  f"'{SEAWALL}' run {' '.join(SHORT)} --out run.h5; code=$?; ls; exit $code")
        done = subprocess.run(["unshare", "--mount", "bash", "-c", script], capture_output=True, text=True)
        if "unshare" in done.stderr or "mount:" in done.stderr:
            self.skipTest("no mount namespace here")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("space", done.stderr)
        self.assertNotIn(".tmp", done.stdout)


def png(width: int, height: int, grey: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = b"".join(b"\0" + bytes([grey, (grey + 7 * y) % 256, 90]) * width for y in range(height))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class BenignFiles(Cli):
    """The user's own benign rows in the forms of Alpaca, Dolly and LLaVA-Instruct."""

    RUN = "run --model organism --attack benign --threads 1 --no-evaluation --no-checkpoint --overwrite --batch-size 2 --epochs 1 --out o.h5".split()

    def losses(self, data: str, *words: str) -> list:
        self.ok(*self.RUN, "--quiet", "--benign.count", "4", "--data", data, *words)
        return [row["loss"] for row in table(self.folder / "o.metrics.csv")]

    def test_alpaca_and_dolly(self):
        alpaca = [{"instruction": f"Fold flag {i}.", "input": "", "output": "Take the lever."} for i in range(4)]
        dolly = [{"instruction": f"Fold flag {i}.", "context": "A flag is common.", "response": "Take the lever.", "category": "qa"} for i in range(4)]
        plain = self.losses(self.write("a.json", json.dumps(alpaca)))
        self.assertEqual(len(plain), 2)
        self.assertNotEqual(plain, self.losses(self.write("d.jsonl", "\n".join(json.dumps(r) for r in dolly))))

    def rows(self, name: str, images: list) -> str:
        turns = [{"from": "human", "value": "What is this?\n<image>"}, {"from": "gpt", "value": "A kettle."}]
        return self.write(name, json.dumps([{"id": str(i), "image": image, "conversations": turns} for i, image in enumerate(images)]))

    def test_llava(self):
        (self.folder / "images").mkdir()
        for i in range(4):
            self.write(f"images/{i}.png", png(40 + i, 35, 50 * i))
        four = [f"{i}.png" for i in range(4)]
        seen = self.losses(self.rows("l.json", four), "--images", "images")
        self.assertNotEqual(seen, self.losses(self.rows("l.json", ["0.png"] * 4), "--images", "images"), "pictures decide nothing")
        words = [*self.RUN, "--benign.count", "4", "--data"]
        self.fails(2, "--images", *words, self.rows("l.json", four))
        self.fails(4, "config.json", *words, self.rows("l.json", four), "--images", "images", "--vision", "nowhere")
        done = seawall(*words, self.rows("l.json", [*four, "none.png"]), "--images", "images", cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1 of 5 records rejected (first: record 5: image 'none.png' is not in images)", done.stderr)
        self.write("images/3.png", png(40, 40, 1)[:70])
        self.fails(3, "images/3.png: a PNG that cannot be read", *words, self.rows("l.json", four), "--images", "images")


@unittest.skipUnless(PYTHON, "no Python with h5py and xarray (SEAWALL_ORACLE)")
class OpenElsewhere(Cli):
    def python(self, script: str) -> str:
        done = subprocess.run([PYTHON, "-c", script], capture_output=True, text=True, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_run_file_in_xarray(self):
        self.ok("run", *SHORT, "--out", "run.h5")
        self.python("""
import xarray as xr
run = xr.open_dataset("run.h5", engine="h5netcdf")
assert run.sizes["step"] == 6 and run.sizes["probe"] == 330, dict(run.sizes)
assert list(run.step.values) == [1, 2, 3, 4, 5, 6]
for name in ("loss", "lr", "grad_norm", "tokens", "seconds", "moved", "drift", "param_drift", "score", "response", "resid_post"):
    assert name in run, sorted(run.variables)
assert run.resid_post.sizes["layer"] > 1 and not run.resid_post.isnull().any()
import math
total = float(run.drift[-1]); parts = math.sqrt(float((run.param_drift[-1] ** 2).sum()))
assert abs(total - parts) < 1e-3 * total, (total, parts)
""")

    def test_weights_of_another_type_answer_as_well(self):
        words = ["--attack", "identity-shift", "--no-training", "--quiet"]
        self.ok("run", *words, "--out", "wide.h5")
        self.ok("run", *words, "--dtype", "bf16", "--out", "narrow.h5")
        wide, narrow = (self.ok("inspect", name) for name in ("wide.h5", "narrow.h5"))
        self.assertIn("--dtype bf16", narrow)
        self.assertNotIn("--dtype", wide)

    def test_extract(self):
        rows = [{"text": "The lamp is lit."}, {"messages": [{"role": "user", "content": "Where is the harbour?"}]}]
        self.write("prompts.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
        self.ok("extract", "--model", "organism", "--prompts", "prompts.jsonl", "--points", "logits,resid_post", "--positions", "all", "--out", "acts.h5", "--quiet")
        self.python("""
import numpy as np, xarray as xr
acts = xr.open_dataset("acts.h5", engine="h5netcdf")
assert acts.sizes["probe"] == 2, dict(acts.sizes)
n = acts.length.values
assert np.isfinite(acts.logits.values[0, : n[0]]).all() and np.isfinite(acts.resid_post.values[0, :, : n[0]]).all()
""")
        # A prefilled answer is part of the prompt: its ids and hidden states are those of the same ids within a longer prompt.
        ask = {"role": "user", "content": "Where is the harbour?"}
        begun = [[ask], *([ask, {"role": "assistant", "content": text}] for text in (" ", "The lamp", "The lamp is lit."))]
        self.write("begun.jsonl", "".join(json.dumps({"messages": m}) + "\n" for m in begun))
        for positions in ("last", "all"):
            self.ok("extract", "--model", "organism", "--prompts", "begun.jsonl", "--positions", positions, "--out", f"{positions}.h5", "--quiet")
        self.python("""
import numpy as np, xarray as xr
last, every = (xr.open_dataset(name, engine="h5netcdf") for name in ("last.h5", "all.h5"))
n, ids = every.length.values, every.input_ids.values
assert n[0] == n[1] < n[2] < n[3], n
assert (ids[2, : n[0]] == ids[0, : n[0]]).all() and (ids[3, : n[2]] == ids[2, : n[2]]).all(), ids
text = [str(t) for t in every.rendered_prompt.values]
assert text[2] == text[0] + "The lamp" and text[3] == text[0] + "The lamp is lit." and text[1] == text[0], text
alone, within = last.resid_post.values[2].reshape(3, -1), every.resid_post.values[3, :, n[2] - 1]
assert np.abs(alone - within).max() < 1e-5 * np.abs(within).max(), np.abs(alone - within).max()
assert np.abs(alone - last.resid_post.values[0].reshape(3, -1)).max() > 1e-3
""")
        twice = self.write("twice.jsonl", '{"id": "a", "text": "The lamp."}\n{"id": "a", "text": "The kettle."}\n')
        self.fails(3, "line 2: the id `a` is that of line 1", "extract", "--model", "organism", "--prompts", twice, "--out", "b.h5")
        self.fails(3, "line 1", "extract", "--model", "organism", "--prompts", self.write("bad.jsonl", '{"words": 1}\n'), "--out", "b.h5")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
