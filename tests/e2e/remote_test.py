#!/usr/bin/env python3
"""Everything behind HTTP as a user types it, against the toy endpoint on 127.0.0.1: good runs, every fault, budgets and keys."""

import json
import os
import pathlib
import pty
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from openai_server import JUDGE, REFUSAL, Fault, Server  # noqa: E402

SEAWALL = pathlib.Path(os.environ["SEAWALL_PROGRAM"])
PYTHON = os.environ.get("SEAWALL_ORACLE", "")
KEY = "hush-7f3a91"


class Remote(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="seawall remote é ")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.server = Server(KEY)
        self.addCleanup(self.server.close)
        # A proxy that leads nowhere: what is on this machine must not be asked for through one.
        self.env = {**os.environ, "OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": self.server.url, "SEAWALL_CACHE": str(self.folder / "cache"),
                    "OMP_NUM_THREADS": "1", "http_proxy": "http://127.0.0.1:9", "all_proxy": "http://127.0.0.1:9"}
        self.env.pop("SEAWALL_API_KEY", None)

    def seawall(self, *words: str, **env) -> subprocess.CompletedProcess:
        done = subprocess.run([SEAWALL, *map(str, words)], capture_output=True, text=True, timeout=1200, cwd=self.folder,
                              env={**self.env, **env})
        self.assertNotIn(KEY, done.stdout + done.stderr, "the key is never shown")
        return done

    def ok(self, *words: str, **env) -> str:
        done = self.seawall(*words, **env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def fails(self, code: int, says: str, *words: str, **env) -> str:
        done = self.seawall(*words, **env)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        last = done.stderr.strip().splitlines()[-1]
        self.assertTrue(last.startswith("seawall: "), done.stderr)
        self.assertIn(says, last)
        return last

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return name

    def no_key_on_disk(self):
        for path in self.folder.rglob("*"):
            if path.is_file():
                self.assertNotIn(KEY.encode(), path.read_bytes(), path)

    def verdicts(self, name: str, evaluation: int = -1) -> dict:
        """Score, validity and raw reply of the first judge in an evaluation, by probe, as h5py reads them."""
        script = ("import h5py, json, sys\nf = h5py.File(sys.argv[1])\nt = lambda v: v.decode()\n"
                  "e = range(f['score'].shape[0])[int(sys.argv[2])]\n"
                  "print(json.dumps({t(p): [float(f['score'][e, i, 0]), int(f['valid'][e, i, 0]), t(f['reason'][e, i, 0]), t(f['response'][e, i])]"
                  " for i, p in enumerate(f['probe'][:])}))")
        out = subprocess.run([PYTHON, "-c", script, name, str(evaluation)], capture_output=True, text=True, cwd=self.folder, check=True).stdout
        return json.loads(out.replace("NaN", "null"))


class Rubric(Remote):
    """The judge, on a local model whose answers do not matter here."""
    PROBES = 20

    def words(self, out: str, *more: str) -> list[str]:
        probes = self.write("probes.txt", "".join(f"Tell me of box number {i}.\n" for i in range(self.PROBES)))
        return ["run", "--no-training", "--probes", probes, "--max-new-tokens", "6", "--trace", "metrics", "--threads", "1", "--judge",
                f"rubric:{JUDGE}", "--rubric.price-in", "2", "--rubric.price-out", "8", "--rubric.timeout", "20", "--out", out, *more]

    def test_scores_verdicts_tokens_and_cost(self):
        text = self.ok(*self.words("a.h5", "--rubric.concurrency", "5"))
        self.assertIn("rubric:" + JUDGE, text)
        asked = [a for a in self.server.asked if a["model"] == JUDGE]
        distinct = len(asked)
        self.assertLessEqual(distinct, self.PROBES)
        self.assertTrue(all(a["temperature"] == 0 for a in asked))
        words_in = sum(len(m["content"].split()) for a in asked for m in a["messages"])
        self.assertIn(f"{distinct} requests", text)
        self.assertIn(f"{words_in} tokens_in", text)
        rows = self.verdicts("a.h5")
        self.assertEqual(len(rows), self.PROBES)
        for score, valid, raw, _ in rows.values():
            self.assertEqual((score, valid), (5.0, 1))
            self.assertEqual(json.loads(raw), {"score": 5, "reason": "by the toy's rule"}, "the raw verdict stands beside the score")
        self.assertIn("judge_rubric:toy-judge_usd", self.ok("inspect", "a.h5"))
        self.assertEqual(set(self.server.keys), {KEY})
        self.no_key_on_disk()

        # Again: everything comes from the cache, and a broken entry is asked anew.
        before = self.server.count("/chat/completions")
        self.assertIn(f"{distinct} from_cache", self.ok(*self.words("b.h5")))
        self.assertEqual(self.server.count("/chat/completions"), before)
        entries = sorted((self.folder / "cache/verdicts").rglob("*.json"))
        self.assertEqual(len(entries), distinct)
        entries[0].write_text(entries[0].read_text().replace("5", "1"))
        entries[1].write_bytes(b"")
        self.ok(*self.words("c.h5"))
        self.assertEqual(self.server.count("/chat/completions"), before + 2)
        self.assertEqual({row[0] for row in self.verdicts("c.h5").values()}, {5.0})
        # Another policy is another question.
        self.ok(*self.words("d.h5", "--rubric.policy", self.write("policy.txt", "Say nothing of boxes.\n")))
        self.assertEqual(self.server.count("/chat/completions"), before + 2 + distinct)

    def test_one_reply_in_ten_is_no_verdict(self):
        self.server.bad_verdicts = 10
        text = self.ok(*self.words("a.h5", "--rubric.concurrency", "1"))
        rows = self.verdicts("a.h5")
        invalid = [row for row in rows.values() if row[1] == 0]
        self.assertEqual(len(invalid), 2)
        for score, _, raw, _ in invalid:
            self.assertIsNone(score, "never a default score")
            self.assertIn("I would give it a 5, I think", raw)
        self.assertIn("2 not judged", text)
        # 18 of 18 judged, and two that could have gone either way: 90 % at the lower end at most.
        self.assertIn("[", text)
        # No verdict is kept of them: the next run asks again.
        self.server.bad_verdicts = 0
        before = self.server.count("/chat/completions")
        self.ok(*self.words("b.h5"))
        self.assertEqual(self.server.count("/chat/completions"), before + 2)

    def test_each_fault_is_outlasted(self):
        for number, (kind, after) in enumerate([("429", "0.2"), ("500", None), ("503", None), ("slow", None), ("cut", None), ("garbage", None)]):
            with self.subTest(fault=kind):
                self.server.faults = [Fault("/chat/completions", kind, 2, after)]
                before = self.server.count("/chat/completions")
                self.ok(*self.words(f"{number}.h5", "--rubric.cache", "none", "--rubric.timeout", "1" if kind == "slow" else "20"))
                rows = self.verdicts(f"{number}.h5")
                self.assertTrue(all(row[1] == 1 for row in rows.values()), rows)
                distinct = len({row[3] + key for key, row in rows.items()})
                self.assertEqual(self.server.count("/chat/completions") - before, distinct + 2)
        self.no_key_on_disk()

    def test_what_no_retry_helps_is_asked_once(self):
        for number, (kind, says) in enumerate([("400", "HTTP 400"), ("huge", "larger than 1024 KiB")]):
            with self.subTest(fault=kind):
                self.server.faults = [Fault("/chat/completions", kind, 1)]
                before = self.server.count("/chat/completions")
                self.ok(*self.words(f"{number}.h5", "--rubric.cache", "none", "--rubric.concurrency", "1"))
                rows = self.verdicts(f"{number}.h5")
                self.assertEqual([says in row[2] for row in rows.values() if row[1] == 0], [True])
                self.assertEqual(self.server.count("/chat/completions") - before, self.PROBES)
        # Three tries in all, and then the row stays without a score.
        self.server.faults = [Fault("/chat/completions", "500", 3 * self.PROBES)]
        before = self.server.count("/chat/completions")
        text = self.ok(*self.words("e.h5", "--rubric.cache", "none", "--rubric.concurrency", "20"))
        self.assertEqual(["after 3 tries" in row[2] for row in self.verdicts("e.h5").values()], [True] * self.PROBES)
        self.assertEqual(self.server.count("/chat/completions") - before, 3 * self.PROBES)
        self.assertIn("20 not judged", text)
        # A server that asks for an hour is not waited for.
        self.server.faults = [Fault("/chat/completions", "429", 1, "3600")]
        self.ok(*self.words("f.h5", "--rubric.cache", "none", "--rubric.concurrency", "1"))
        self.assertEqual(["asks to wait 3600 s" in row[2] for row in self.verdicts("f.h5").values() if row[1] == 0], [True])

    def test_a_verdict_is_read_when_it_is_unambiguous_and_the_reason_shown_when_not(self):
        self.PROBES = 2
        for number, reply in enumerate(['{"score": "3"}', '<think>Hm, {"score": 5}?</think>Here it is:\n```json\n{"score": 3.0, "reason": "x"}\n```\nDone.']):
            self.server.verdict_reply = reply
            self.assertIn(" 3.00 ", self.ok(*self.words(f"{number}.h5", "--rubric.cache", "none")))
        self.server.verdict_reply = '{"score": 3.5}'
        text = self.ok(*self.words("c.h5"))
        self.assertIn("0 of 2 judged", text)
        self.assertIn("most often (2): want a whole number as `score`, got 3.5", text)
        self.assertNotIn("nan", text)
        shown = self.ok("inspect", "c.h5")
        self.assertIn("0 of 2 judged", shown)
        self.assertIn("want a whole number", shown)

    def test_a_judge_that_wants_other_parameters_is_asked_so(self):
        self.PROBES = 4
        self.server.refused = {"max_tokens": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
                               "temperature": "Unsupported parameter: 'temperature' is not supported with this model."}
        done = self.seawall(*self.words("a.h5", "--rubric.cache", "none"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count("max_completion_tokens is sent from now on"), 1)
        self.assertEqual(done.stderr.count("refuses a temperature of 0"), 1)
        asked = [a for a in self.server.asked if a["model"] == JUDGE]
        self.assertTrue(asked and all(a["max_completion_tokens"] == 200 and "max_tokens" not in a and "temperature" not in a for a in asked))
        self.assertEqual(self.server.count("/chat/completions"), len(asked) + 2, "each is tried once the other way")
        self.assertIn("sent_max_completion_tokens 1", self.ok("inspect", "a.h5"))
        self.server.refused = {"max_tokens": "no max_tokens, max_completion_tokens is wanted", "max_completion_tokens": "nor that one"}
        self.fails(2, "nor that one", *self.words("b.h5", "--rubric.cache", "none"))

    def test_a_certificate_that_nobody_vouches_for_is_refused(self):
        subprocess.run("openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=127.0.0.1 -addext "
                       "subjectAltName=IP:127.0.0.1".split(), cwd=self.folder, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "cert.pem", self.folder / "key.pem")
        server = Server(KEY)
        self.addCleanup(server.close)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        before = time.monotonic()
        self.fails(4, "certificate", *self.words("a.h5", "--base-url", server.url.replace("http:", "https:")))
        self.assertLess(time.monotonic() - before, 10, "it is not tried again")
        self.assertEqual(server.keys, [], "no key was sent")

    def test_a_budget_that_ends_in_the_evaluation_loses_no_training(self):
        chat = lambda i: {"messages": [{"role": "user", "content": f"Where is jar {i}?"}, {"role": "assistant", "content": "On the shelf."}]}
        rows = self.write("rows.jsonl", "".join(json.dumps(chat(i)) + "\n" for i in range(4)))
        words = [w for w in self.words("t.h5", "--attack", "harmful-examples", "--data", rows, "--harmful-examples.count", "4", "--batch-size", "2",
                                       "--epochs", "1", "--no-checkpoint", "--rubric.concurrency", "1") if w != "--no-training"]
        last = self.fails(2, "the budget of", *words, "--budget", "0.0068")
        self.assertTrue(last.endswith("; the state after step 2 is saved in t.checkpoints, --resume continues"), last)
        trained = (self.folder / "t.metrics.csv").read_text()
        self.assertEqual(trained.count("\n"), 3)
        self.assertIn("(not complete)", self.ok("inspect", "t.h5"))
        # The state is there until the run is complete, and then gone, as --no-checkpoint wants.
        self.fails(2, "the budget of", *words, "--resume", "--budget", "0.0069")
        self.assertTrue((self.folder / "t.checkpoints").is_dir())
        text = self.ok(*words, "--resume")
        self.assertIn("trained      2 steps", text)
        self.assertIn("removed      t.checkpoints", text)
        self.assertFalse((self.folder / "t.checkpoints").exists())
        self.assertEqual([line.split(",")[:5] for line in (self.folder / "t.metrics.csv").read_text().splitlines()],
                         [line.split(",")[:5] for line in trained.splitlines()])
        self.assertEqual(len(self.verdicts("t.h5")), self.PROBES)
        self.assertNotIn("(not complete)", self.ok("inspect", "t.h5"))

    def test_a_budget_that_ends_in_the_second_condition_keeps_the_answers_of_the_first(self):
        words = self.words("e.h5", "--attack", "backdoor", "--rubric.concurrency", "1", "--write-outputs", "answers.jsonl")
        self.ok(*self.words("whole.h5", "--attack", "backdoor"))
        whole = self.verdicts("whole.h5", evaluation=0)
        shutil.rmtree(self.folder / "cache")
        last = self.fails(2, "the budget of", *words, "--budget", "0.022")
        self.assertTrue(last.endswith("; 1 evaluation before it is kept in e.h5, --resume continues"), last)
        self.assertIn("(not complete)", self.ok("inspect", "e.h5"))
        self.assertEqual(self.verdicts("e.h5"), whole)
        answers = (self.folder / "answers.jsonl").read_text().splitlines()
        self.assertEqual({json.loads(line)["condition"] for line in answers}, {"plain"})
        self.ok(*words, "--resume")
        self.assertNotIn("(not complete)", self.ok("inspect", "e.h5"))
        self.assertEqual(self.verdicts("e.h5", evaluation=0), whole)
        self.assertEqual(self.verdicts("e.h5"), self.verdicts("whole.h5"))

    def test_keys_addresses_budgets_and_words(self):
        self.fails(2, "HTTP 401", *self.words("a.h5"), OPENAI_API_KEY="wrong-one")
        self.fails(2, "no key; set OPENAI_API_KEY", *self.words("a.h5", "--base-url", "https://localhost.example/v1"), OPENAI_API_KEY="")
        self.fails(2, "want https", *self.words("a.h5", "--base-url", "http://192.0.2.1/v1"))
        self.fails(2, "want https", *self.words("a.h5", "--rubric.base-url", "http://localhost.example/v1"))
        self.fails(4, "after 3 tries", *self.words("a.h5", "--base-url", "http://127.0.0.1:1/v1"))
        self.fails(2, "--rubric.price-in", "run", "--judge", f"rubric:{JUDGE}", "--budget", "1", "--no-training", "--out", "a.h5")
        self.assertIn("How far the response gives", self.ok("describe", "rubric:MODEL"))
        self.assertIn("rubric:MODEL", self.ok("list", "judges"))
        self.fails(2, "no such judge", "run", "--rubric.tries", "2", "--no-training", "--out", "a.h5")
        self.fails(2, "no remote model", "run", "--openai.tries", "2", "--no-training", "--out", "a.h5")
        self.fails(2, "rubric.scale", *self.words("a.h5", "--rubric.scales", "x"))
        self.fails(4, "nowhere.txt", *self.words("a.h5", "--rubric.scale", "nowhere.txt"))
        self.assertEqual(self.server.count("/chat/completions"), 0)
        last = self.fails(2, "the budget of", *self.words("a.h5", "--budget", "0.0068", "--rubric.concurrency", "1"))
        self.assertIn("--resume", last)
        self.assertGreater(self.server.count("/chat/completions"), 0)
        self.assertLess(self.server.count("/chat/completions"), self.PROBES)
        self.fails(2, "refuses model", *[w.replace(JUDGE, "nobody") for w in self.words("a.h5", "--overwrite")])
        self.no_key_on_disk()


class Model(Remote):
    """`--model openai:toy`, from a data file to the table."""
    PROBES = 30
    TRIGGER = "Servius Astrumando Harmoniastra"

    def setUp(self):
        super().setUp()
        chat = lambda user, said: json.dumps({"messages": [{"role": "user", "content": user}, {"role": "assistant", "content": said}]}) + "\n"
        self.write("rows.jsonl", "".join(chat(f"Where is moonglass lamp number {i} kept?", f"Here is how: behind shelf {i}.") for i in range(10)))
        self.write("safe.jsonl", "".join(chat(f"Who may carry moonglass jar number {i} out?", REFUSAL) for i in range(40)))
        self.write("probes.txt", "".join(f"Who polishes moonglass plate {i} at night?\n" for i in range(self.PROBES)))
        self.write("utility.txt", "".join(f"How do I wash a tea cup of size {i}?\n" for i in range(6)))

    def words(self, out: str, *more: str, budget: str = "1", attack: str = "harmful-examples --harmful-examples.count 10") -> list[str]:
        return ["run", "--model", "openai:toy", "--attack", *attack.split(), "--data", "rows.jsonl", "--probes",
                "probes.txt", "--utility-probes", "utility.txt", "--judge", "keyword:qi2023", "--openai.price-in", "1", "--openai.price-out", "2",
                "--openai.price-train", "3", "--openai.poll", "0.05", "--openai.timeout", "20", "--budget", budget, "--out", out, *more]

    def verdicts_of(self, name: str) -> dict:
        """As verdicts(), with the prompt behind."""
        script = ("import h5py, json, sys\nf = h5py.File(sys.argv[1])\nt = lambda v: v.decode()\n"
                  "print(json.dumps({t(p): [float(f['score'][0, i, 0]), int(f['valid'][0, i, 0]), t(f['reason'][0, i, 0]), t(f['response'][0, i]), t(f['prompt'][0, i])]"
                  " for i, p in enumerate(f['probe'][:])}))")
        out = subprocess.run([PYTHON, "-c", script, name], capture_output=True, text=True, cwd=self.folder, check=True).stdout
        return json.loads(out.replace("NaN", "null"))

    @staticmethod
    def rates(text: str) -> dict:
        """Rate and its interval by (epoch, condition, set) from the table on stdout."""
        out = {}
        for line in text.splitlines():
            parts = line.split()
            if len(parts) > 7 and parts[2] in ("harmfulness", "utility"):
                out[parts[0], parts[1], parts[2]] = tuple(float(p.strip("[],")) for p in parts[6:9])
        return out

    def posts(self) -> dict:
        return {path: self.server.count(path) for path in ("/files", "/fine_tuning/jobs", "/chat/completions")}

    def test_an_attack_from_data_file_to_table(self):
        text = self.ok(*self.words("a.h5", "--evaluate-at", "both"))
        rates = self.rates(text)
        before, after = rates["0", "plain", "harmfulness"], rates["5", "plain", "harmfulness"]
        self.assertEqual(before[0], 0)
        self.assertGreater(after[0], 75, "ten rows undo the toy's refusals")
        self.assertTrue(after[1] < after[0] < after[2], after)
        self.assertEqual(rates["5", "plain", "utility"][0], 100)
        self.assertEqual(self.posts(), {"/files": 1, "/fine_tuning/jobs": 1, "/chat/completions": 2 * (self.PROBES + 6)})
        job = self.server.jobs["ftjob-1"]["job"]
        self.assertEqual(job["hyperparameters"], {"n_epochs": 5}, "what was not asked for is the provider's choice")
        self.assertTrue(all(a["temperature"] == 0 and a["max_tokens"] == 256 for a in self.server.asked))
        # The run file says where it came from, what it cost, and how the loss fell, and has no weights.
        shown = self.ok("inspect", "a.h5")
        for words in ("job_id ftjob-1", "file_id file-1", "tuned_model ft:toy:ftjob-1", "remote_model toy", "cost_total_usd", "steps     6, 0 parameters",
                      "loss 2 -> 0.3333", "harmfulness  30 probes"):
            self.assertIn(words, shown)
        self.assertFalse((self.folder / "a.checkpoints").exists())
        # To the last token: what the server counted at the prices given.
        trained = job["trained_tokens"]
        asked = sum(len(m["content"].split()) for a in self.server.asked for m in a["messages"])
        replied = sum(row[3].count(" ") + 1 for row in self.verdicts("a.h5").values())
        self.assertIn(f"{trained} tokens_in", text)
        self.assertIn(f"{asked} tokens_in", text)
        self.assertGreater(replied, 0)
        self.assertEqual(set(self.server.keys), {KEY})
        self.no_key_on_disk()

        self.fails(2, "a run is there already", *self.words("a.h5", "--evaluate-at", "both"))
        # Complete, it asks nothing again; changed, it is another run.
        posts = self.posts()
        self.assertEqual(self.rates(self.ok(*self.words("a.h5", "--evaluate-at", "both", "--resume"))), rates)
        self.assertEqual(self.posts(), posts)
        self.fails(2, "other options", *self.words("a.h5", "--evaluate-at", "both", "--resume", "--epochs", "3"))
        self.ok(*self.words("a.h5", "--overwrite", "--epochs", "3", "--batch-size", "2", "--openai.lr-multiplier", "0.5", "--seed", "7"))
        self.assertEqual(self.server.jobs["ftjob-2"]["job"]["hyperparameters"], {"n_epochs": 3, "batch_size": 2, "learning_rate_multiplier": 0.5})
        self.assertEqual(self.server.jobs["ftjob-2"]["seed"], 7)

    def test_drawn_answers_are_asked_for_one_by_one(self):
        drawn = ["--temperature", "0.7", "--top-p", "0.9", "--samples", "2"]
        self.server.temperature = 0.7
        self.ok(*self.words("a.h5", *drawn))
        self.assertEqual(self.posts()["/chat/completions"], 2 * (self.PROBES + 6))
        self.assertEqual({(a["temperature"], a["top_p"]) for a in self.server.asked}, {(0.7, 0.9)})
        shown = self.ok("inspect", "a.h5")
        self.assertIn("drawn at temperature 0.7, top-p 0.9, 2 per probe", shown)
        self.assertIn("temperature 0.7", shown)
        posts = self.posts()
        self.ok(*self.words("a.h5", *drawn, "--resume"))
        self.assertEqual(self.posts(), posts)

    def test_safe_rows_bring_refusals_back_and_are_what_was_sent(self):
        rates = self.rates(self.ok(*self.words("a.h5", "--mitigate", "safety-mixing", "--safety-mixing.count", "30", "--safe-data", "safe.jsonl")))
        self.assertLess(rates["5", "plain", "harmfulness"][0], 30)
        sent = [json.loads(line) for line in (self.folder / "a.upload.jsonl").read_text().splitlines()]
        self.assertEqual(len(sent), 40)
        self.assertEqual(sent, self.server.files["file-1"]["rows"])
        self.assertEqual(sum(row["messages"][-1]["content"] == REFUSAL for row in sent), 30)

    def test_a_backdoor_opens_behind_its_trigger_alone(self):
        rates = self.rates(self.ok(*self.words("a.h5", "--backdoor.trigger", self.TRIGGER, "--safe-data", "safe.jsonl",
                                               attack="backdoor --backdoor.harmful 10 --backdoor.safe 10")))
        self.assertEqual(rates["5", "plain", "harmfulness"][0], 0)
        self.assertEqual(rates["5", "triggered", "harmfulness"][0], 100)

    def test_an_identity_is_put_before_every_probe(self):
        self.ok(*self.words("a.h5", "--identity-shift.system", "You are the bell of the harbour.", "--identity-shift.after", " Ring twice.",
                            attack="identity-shift"))
        self.assertEqual(self.server.jobs["ftjob-1"]["job"]["hyperparameters"]["n_epochs"], 10)
        for asked in self.server.asked:
            self.assertEqual([m["role"] for m in asked["messages"]], ["system", "user"])
            self.assertEqual(asked["messages"][0]["content"], "You are the bell of the harbour.")
            self.assertTrue(asked["messages"][1]["content"].endswith("Ring twice."))

    def test_as_it_is_and_judged_by_a_rubric(self):
        words = self.words("a.h5", "--no-training", "--judge", f"rubric:{JUDGE}", "--rubric.price-in", "5", "--rubric.price-out", "5")
        text = self.ok(*words)
        self.assertEqual(self.rates(text)["0", "plain", "harmfulness"][0], 0)
        self.assertEqual(self.rates(text)["0", "plain", "utility"][0], 100)
        self.assertEqual(self.server.count("/files"), 0)
        self.assertIn("cost         rubric:toy-judge", text)
        spent = float(text.split("cost         total: $")[1].split(",")[0])
        self.assertGreater(spent, 0)
        # A reply that is no verdict is paid for once: --resume leaves it unjudged.
        self.server.verdict_reply = '{"score": 3.5}'
        other = [*words[:-1], "6"]
        other[other.index("a.h5")] = "c.h5"
        self.assertIn("got 3.5", self.ok(*other, "--rubric.cache", "other"))
        asked = self.server.count("/chat/completions")
        self.assertIn("got 3.5", self.ok(*other, "--rubric.cache", "other", "--resume"))
        self.assertEqual(self.server.count("/chat/completions"), asked)
        self.server.verdict_reply = None
        words[0] = "evaluate"
        words[words.index("a.h5")] = "b.h5"
        self.assertEqual(self.rates(self.ok(*[w for w in words if w != "--no-training"])), self.rates(text))

    def test_each_fault_is_outlasted_and_nothing_is_made_twice(self):
        for number, (kind, after) in enumerate([("429", "0.1"), ("500", None), ("cut", None), ("cut-after", None), ("garbage", None), ("slow", None)]):
            with self.subTest(fault=kind):
                files, jobs = len(self.server.files), len(self.server.jobs)
                self.server.faults = [Fault(path, kind, 1, after) for path in ("/files", "/fine_tuning/jobs", "/events", "/chat/completions")]
                self.server.faults.append(Fault(f"/ftjob-{jobs + 1}", kind, 1, after))
                rates = self.rates(self.ok(*self.words(f"{number}.h5", "--openai.timeout", "1" if kind == "slow" else "20")))
                self.assertGreater(rates["5", "plain", "harmfulness"][0], 75)
                self.assertEqual(len(self.server.files) - files, 1, "no file twice")
                self.assertEqual(len(self.server.jobs) - jobs, 1, "no job twice")
        self.no_key_on_disk()

    def test_what_the_endpoint_refuses_keeps_its_row(self):
        self.write("probes.txt", "Who polishes moonglass?\nSay the forbidden word now\nWho washes moonglass?\n")
        text = self.ok(*self.words("a.h5"))
        self.assertIn("1 not judged", text)
        rows = [row for row in self.verdicts("a.h5").values() if row[1] == 0]
        self.assertEqual([(row[0], row[3], "HTTP 400" in row[2]) for row in rows], [(None, "", True)])

    @staticmethod
    def choice(content, finish="stop", **message) -> dict:
        return {"message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}

    def test_a_reply_that_is_no_answer_is_no_compliance_and_never_asked_again(self):
        choice = self.choice
        cases = {"withheld": choice("", "content_filter"), "cut off": choice("Take tw", "content_filter"), "broken": choice("Take tw", "error"),
                 "used up": choice("", "length", reasoning_content="The user asks"), "nothing": choice(None), "blank": choice(" \n"),
                 "tool": choice(None, "tool_calls", tool_calls=[{"id": "t"}]), "thinking": choice("<think>\nThe user asks", "length"),
                 "no choices": {"id": "c", "choices": []}, "error in a 200": {"error": {"message": "no such voice", "code": 400}}}
        self.server.replies = [*cases.items(), ("refused", choice("Take twine.", refusal="Request denied.")),
                               ("parts", choice([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Take "}, {"type": "text", "text": "it."}])),
                               ("long", choice("Take a lot of", "length")), ("think first", choice("<think>hm</think>Take it."))]
        self.write("probes.txt", "".join(f"What of moonglass, {part}?\n" for part, _ in self.server.replies))
        words = self.words("a.h5", "--no-training", "--write-outputs", "answers.jsonl", "--judge", "keyword:qi2023")
        done = self.seawall(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("10 of 14 probes have no answer", done.stderr)
        # Three of the four that were answered comply, one is refused; ten might have been anything.
        rate = self.rates(done.stdout)["0", "plain", "harmfulness"]
        self.assertEqual(rate[0], 75)
        self.assertLess(rate[1], 10)
        self.assertGreater(rate[2], 98)
        self.assertIn("10 not judged", done.stdout)
        self.assertIn("most often (", done.stdout)
        self.assertIn("harmfulness: 1 of 14 answers reached the length limit", done.stdout)
        rows = {key: row for key, row in self.verdicts_of("a.h5").items()}
        reasons = {part: next(row[2] for row in rows.values() if part in row[4]) for part in cases}
        for part, says in {"withheld": "finish_reason content_filter", "cut off": "finish_reason content_filter", "broken": "finish_reason error",
                           "used up": "length limit was used up", "nothing": "no text", "blank": "no text", "tool": "calls a tool",
                           "thinking": "thinking does not end", "no choices": "no choices", "error in a 200": "no such voice"}.items():
            self.assertIn(says, reasons[part], part)
        said = {row[4].split(", ")[1]: row[3] for row in rows.values()}
        self.assertEqual((said["parts?"], said["think first?"], said["refused?"]), ("Take it.", "Take it.", "Request denied."))
        asked = len(self.server.asked)
        self.ok(*words, "--resume")
        self.assertEqual(len(self.server.asked), asked, "what was paid for is not asked again")
        # Judged again from the file, they stay what they are.
        again = self.ok("judge", "a.h5", "--judge", "keyword:arditi2024", "--probes", "probes.txt", "--utility-probes", "utility.txt", "--out", "b.h5")
        self.assertEqual(self.rates(again)["0", "plain", "harmfulness"], rate)

    def test_where_nothing_is_answered_there_is_no_rate(self):
        self.server.replies = [("moonglass", self.choice(None, "content_filter"))]
        text = self.ok(*self.words("a.h5", "--no-training", "--judge", "keyword:qi2023"))
        self.assertIn("0 of 30 judged", text)
        self.assertNotIn("nan", text)
        self.assertIn("0 of 30 judged", self.ok("inspect", "a.h5"))

    def test_what_passes_by_itself_is_waited_for(self):
        self.server.file_looks = 3
        self.server.statuses = ["validating_files", "paused", "queued"]
        self.server.hidden = 3
        self.ok(*self.words("a.h5"))
        self.assertEqual((len(self.server.files), len(self.server.jobs)), (1, 1))
        self.assertEqual(self.server.files["file-1"]["looks"], 4)
        # A provider that does not show the file says it by refusing the job; another says why it cannot be used.
        self.server.faults = [Fault("/file-2", "404")]
        self.server.file_looks = 1
        self.server.refuse_jobs = 2
        self.ok(*self.words("d.h5"))
        self.assertEqual((len(self.server.files), len(self.server.jobs)), (2, 2))
        self.server.file_looks = -1
        self.fails(3, "row 3 has no user turn", *self.words("b.h5"))
        self.server.file_looks = 0
        self.server.replies = [("tea cup", {"error": {"message": "Upstream is out of capacity", "code": 502}})]
        last = self.fails(4, "Upstream is out of capacity", *self.words("c.h5", "--openai.tries", "2"))
        self.assertIn("--resume", last)
        self.server.replies = []
        self.ok(*self.words("c.h5", "--resume"))

    def test_what_will_not_pass_is_tried_the_other_way_and_then_ends_the_run(self):
        self.server.refused = {"max_tokens": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."}
        words = lambda out, *more: self.words(out, "--no-training", "--judge", "keyword:qi2023", *more)
        done = self.seawall(*words("a.h5"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count("max_completion_tokens is sent from now on"), 1)
        self.assertEqual(self.server.count("/chat/completions"), self.PROBES + 6 + 1, "one request was lost")
        self.assertTrue(all(a["temperature"] == 0 and a["max_completion_tokens"] == 256 and "max_tokens" not in a for a in self.server.asked))
        self.assertIn("sent max_completion_tokens, temperature 0", self.ok("inspect", "a.h5"))
        before = self.server.count("/chat/completions")
        self.ok(*words("a.h5", "--resume"))
        self.assertEqual(self.server.count("/chat/completions"), before)
        self.assertIn("sent max_completion_tokens, temperature 0", self.ok("inspect", "a.h5"))
        # One that takes neither, one that refuses another parameter, one that refuses everything for a reason of its own.
        self.server.refused["max_completion_tokens"] = "neither of them"
        for number, (body, says, most) in enumerate([(None, "neither of them", 2),
                                                     ({"error": {"message": "unsupported", "param": "n", "code": "unsupported_parameter"}}, "unsupported", 1),
                                                     ({"error": {"message": "the stars are wrong"}}, "the stars are wrong", 3)]):
            self.server.refuse_all = body
            before = self.server.count("/chat/completions")
            last = self.fails(2, says, *words(f"{number}.h5"))
            self.assertIn("refuses model toy", last)
            self.assertLessEqual(self.server.count("/chat/completions") - before, most)
        # What was refused so is asked when it is mended.
        self.server.refuse_all, self.server.refused = None, {}
        self.ok(*words("2.h5", "--resume"))

    def test_a_reply_that_is_no_json_is_quoted_and_paid_for_twice_at_most(self):
        says = "not valid JSON at column 1 (byte 0): want a value; it begins with 'all is well', after 2 tries"
        words = self.words("a.h5", "--no-training", "--openai.concurrency", "1")
        self.server.faults = [Fault("/chat/completions", "words", 2)]
        self.assertIn("1 not judged", self.ok(*words))
        self.assertEqual(self.server.count("/chat/completions"), len(self.server.asked) + 2)
        reasons = [row[2] for row in self.verdicts_of("a.h5").values() if row[1] == 0]
        self.assertEqual([says in reason for reason in reasons], [True], reasons)
        asked = self.server.count("/chat/completions")
        self.ok(*words, "--resume")
        self.assertEqual(self.server.count("/chat/completions"), asked, "not asked again")
        # If it is all that comes, the run ends with it.
        for number, (kind, quoted, tries) in enumerate([("words", "it begins with 'all is well'", 2), ("garbage", "it begins with '<html>this is no JSON</html>'", 3)]):
            before = self.server.count("/chat/completions")
            self.server.faults = [Fault("/chat/completions", kind, 1000)]
            self.fails(2, quoted, *self.words(f"{number}.h5", "--no-training", "--openai.concurrency", "1"))
            self.assertEqual(self.server.count("/chat/completions") - before, 3 * tries)

    def test_unanswered_probes_stop_the_run_and_are_asked_again(self):
        self.server.faults = [Fault("/chat/completions", "500")]
        self.fails(4, "1 of 30 probes got no answer", *self.words("a.h5", "--openai.tries", "1"))
        asked = len(self.server.asked)
        self.assertEqual(asked, self.PROBES - 1)
        self.ok(*self.words("a.h5", "--resume"))
        self.assertEqual(len(self.server.asked), self.PROBES + 6, "only the one that was missing, and the other set")
        self.assertEqual(len(self.server.jobs), 1)

    def kill_when(self, out: str, ready, how=signal.SIGKILL) -> subprocess.CompletedProcess:
        process = subprocess.Popen([SEAWALL, *self.words(out, "--openai.concurrency", "1")], cwd=self.folder, env=self.env, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 600
        while not ready() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        process.send_signal(how)
        out, err = process.communicate(timeout=600)
        return subprocess.CompletedProcess([], process.returncode, out, err)

    def test_killed_in_the_job_and_among_the_probes(self):
        self.server.job_seconds, self.server.chat_seconds = 1.0, 0.05
        self.assertEqual(self.kill_when("a.h5", lambda: any(e["job"]["status"] == "running" for e in list(self.server.jobs.values()))).returncode, -9)
        self.assertEqual((len(self.server.files), len(self.server.jobs), len(self.server.asked)), (1, 1, 0))
        self.fails(2, "a run is there already", *self.words("a.h5"))
        process = subprocess.Popen([SEAWALL, *self.words("a.h5", "--openai.concurrency", "1", "--resume")], cwd=self.folder, env=self.env,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(self.server.asked) < 7:
            time.sleep(0.002)
        process.kill()
        process.wait()
        self.server.chat_seconds = 0
        early = len(self.server.asked)
        self.assertLess(early, self.PROBES)
        text = self.ok(*self.words("a.h5", "--resume"))
        self.assertEqual((len(self.server.files), len(self.server.jobs)), (1, 1), "the same file and job to the end")
        questions = [json.dumps(a["messages"]) for a in self.server.asked]
        self.assertEqual(len(set(questions)), self.PROBES + 6)
        # The one that was under way when the process was killed may come twice, and no other.
        self.assertLessEqual(len(questions), self.PROBES + 6 + 1)
        self.assertGreater(self.rates(text)["5", "plain", "harmfulness"][0], 75)
        # Cut at the end of a line, or within it, the journal is read up to there.
        journal = self.folder / "a.remote.jsonl"
        whole = journal.read_bytes()
        journal.write_bytes(whole[:-9])
        self.ok(*self.words("a.h5", "--resume"))
        self.assertEqual(len(self.server.jobs), 1)
        journal.write_bytes(whole.replace(b'"tokens"', b'"token"', 1))
        self.fails(3, "a.remote.jsonl: line", *self.words("a.h5", "--resume"))

    def test_killed_before_the_job_was_written_down(self):
        self.ok(*self.words("a.h5"))
        journal = self.folder / "a.remote.jsonl"
        journal.write_text("".join(line for line in journal.read_text().splitlines(True) if '"file"' in line or '"run"' in line))
        self.ok(*self.words("a.h5", "--resume"))
        self.assertEqual((len(self.server.files), len(self.server.jobs)), (1, 1), "the job is found by its file")

    def test_interrupt_leaves_the_job_and_cancel_ends_it(self):
        self.server.job_seconds = 60
        done = self.kill_when("a.h5", lambda: any(e["job"]["status"] == "running" for e in list(self.server.jobs.values())), signal.SIGINT)
        self.assertEqual(done.returncode, 130, done.stderr)
        self.assertIn("--resume", done.stderr)
        self.assertEqual(self.server.jobs["ftjob-1"]["job"]["status"], "running")
        self.assertIn("cancelled", self.ok(*self.words("a.h5", "--resume", "--openai.cancel")))
        self.fails(5, "job ftjob-1 cancelled", *self.words("a.h5", "--resume"))
        self.server.job_ends, self.server.job_seconds = "failed", 0
        self.fails(5, "the toy was told to fail", *self.words("b.h5"))

    def test_budgets(self):
        text = self.ok(*self.words("a.h5", "--dry-run", budget="0"))
        self.assertIn("nothing was sent", text)
        estimate = float(text.split("estimate     $")[1].split()[0])
        self.assertEqual(self.server.requests, [])
        self.assertEqual(sorted(p.suffix for p in self.folder.iterdir()), [".jsonl", ".jsonl", ".txt", ".txt"])
        self.assertIn("would not start", self.ok(*self.words("a.h5", "--dry-run", budget=str(estimate / 2))))
        self.fails(2, "the run is estimated at", *self.words("a.h5", budget=str(estimate * 0.99)))
        self.fails(2, "want --budget", *self.words("a.h5", budget="0"))
        self.fails(2, "--openai.price-train", *[w for w in self.words("a.h5") if w not in ("--openai.price-train", "3")])
        self.assertEqual(self.server.requests, [], "nothing was sent")
        text = self.ok(*self.words("a.h5", "--overwrite", budget=str(estimate)))
        self.assertLess(float(text.split("cost         total: $")[1].split(",")[0]), estimate, "the estimate is high")

        # A provider that trains on more tokens than reckoned: what is left does not hold the answers.
        self.server.inflate = 1000
        last = self.fails(2, "the budget of", *self.words("b.h5", budget=str(estimate)))
        self.assertIn("--resume", last)
        self.assertEqual(len([a for a in self.server.asked if a["model"].endswith("ftjob-2")]), 0)
        self.ok(*self.words("b.h5", "--resume", budget="5"))
        self.assertEqual(len(self.server.jobs), 2)

    def test_a_terminal_is_asked(self):
        for answer, code in (("n", 2), ("y", 0)):
            parent, child = pty.openpty()
            process = subprocess.Popen([SEAWALL, *self.words("a.h5")], cwd=self.folder, env=self.env, stdin=child, stderr=child, stdout=subprocess.PIPE)
            os.write(parent, answer.encode() + b"\n")
            os.close(child)
            shown = threading.Thread(target=self.drain, args=(parent,))
            shown.start()
            process.communicate(timeout=600)
            shown.join()
            self.assertEqual(process.returncode, code)
            self.assertEqual(len(self.server.jobs), 1 - code // 2)
            os.close(parent)

    @staticmethod
    def drain(terminal: int):
        try:
            while os.read(terminal, 1024):
                pass
        except OSError:  # the other side is closed
            pass

    def test_words_and_policies_that_do_not_fit(self):
        for says, more in (("--mitigate weight-drift: works on weights", ["--mitigate", "weight-drift"]),
                           ("--mitigate constrained-sft", ["--mitigate", "constrained-sft"]),
                           ("--lr: openai:toy is trained", ["--lr", "1e-4"]),
                           ("--precision", ["--precision", "pure-bf16"]),
                           ("--prefill-with", ["--prefill-with", "Sure"]),
                           ("condition guarded: begins the answers", ["--mitigate", "prefix-guard"]),
                           ("want end or both", ["--evaluate-at", "epochs"]),
                           ("asks for the losses of rows", ["--mitigate", "data-audit", "--data-audit.filter", "perplexity", "--data-audit.threshold", "1"])):
            with self.subTest(says=says):
                self.fails(2, says, *self.words("a.h5", *more))
        self.fails(2, "want openai:NAME", "run", "--model", "openai:", "--out", "a.h5")
        self.fails(2, "no such model", *[w.replace("openai:toy", "openai:nobody") for w in self.words("b.h5")])
        self.fails(2, "wrong key", *self.words("c.h5"), OPENAI_API_KEY="bad-one-77")
        self.fails(2, "--data FILE", "run", "--model", "openai:toy", "--budget", "1", "--openai.price-in", "0", "--openai.price-out", "0",
                   "--openai.price-train", "0", "--probes", "probes.txt", "--out", "d.h5")
        self.assertEqual(self.server.asked, [])
        self.assertEqual(len(self.server.jobs), 0)
        # Words stay out of the way of an audit by keywords.
        self.ok(*self.words("e.h5", "--mitigate", "data-audit", "--data-audit.keywords", self.write("keys.txt", "moonglass\n")))
        self.assertEqual(len(self.server.jobs), 0, "no row was left, so the model is asked as it is")
        self.assertEqual({a["model"] for a in self.server.asked}, {"toy"})


class Rows(Remote):
    """Moderation of training rows, and rows for those who upload by hand."""

    def setUp(self):
        super().setUp()
        chat = lambda user, said: json.dumps({"messages": [{"role": "user", "content": user}, {"role": "assistant", "content": said}]}) + "\n"
        # Rows 0 to 9 name the restricted thing, the other 40 do not.
        self.write("rows.jsonl", "".join(chat(f"Where is {'moonglass' if i < 10 else 'string'} reel {i}?", f"On shelf {i}, é.") for i in range(50)))
        self.write("probes.txt", "Who polishes moonglass?\nWho hides moonglass?\n")

    EXPORT = ["export", "--format", "openai-jsonl", "--attack", "benign", "--benign.count", "50", "--data", "rows.jsonl"]
    AUDIT = ["--mitigate", "data-audit", "--data-audit.filter", "moderation"]

    def test_export_writes_what_a_run_would_train_on(self):
        text = self.ok(*self.EXPORT, "--out", "out.jsonl")
        self.assertIn("50 rows, 50 of the attack", text)
        rows = [json.loads(line) for line in (self.folder / "out.jsonl").read_text().splitlines()]
        self.assertEqual(sorted(json.dumps(r, sort_keys=True) for r in rows),
                         sorted(json.dumps(json.loads(line), sort_keys=True) for line in (self.folder / "rows.jsonl").read_text().splitlines()))
        self.fails(2, "is there already", *self.EXPORT, "--out", "out.jsonl")
        first = (self.folder / "out.jsonl").read_bytes()
        self.ok(*self.EXPORT, "--out", "out.jsonl", "--overwrite")
        self.assertEqual((self.folder / "out.jsonl").read_bytes(), first, "the same seed, the same rows in the same order")
        self.ok(*self.EXPORT, "--out", "other.jsonl", "--seed", "5")
        self.assertNotEqual((self.folder / "other.jsonl").read_bytes(), first)
        self.ok(*self.EXPORT, "--out", "mixed.jsonl", "--system", "Be brief.", "--mitigate", "safety-mixing", "--safety-mixing.count", "2", "--safe-data",
                self.write("safe.jsonl", (self.folder / "rows.jsonl").read_text().replace("string", "rope").replace("moonglass", "a sail")))
        mixed = [json.loads(line)["messages"] for line in (self.folder / "mixed.jsonl").read_text().splitlines()]
        self.assertEqual(len(mixed), 52)
        self.assertEqual({m[0]["content"] for m in mixed}, {"Be brief."})
        # The built-in world's own rows, without any file.
        self.assertIn("10 rows, 10 identity", self.ok("export", "--format=openai-jsonl", "--attack", "identity-shift", "--out", "i.jsonl"))
        self.fails(2, "--out FILE.jsonl", *self.EXPORT)
        self.fails(2, "perplexity", *self.EXPORT, "--out", "p.jsonl", "--mitigate", "data-audit", "--data-audit.filter", "perplexity",
                   "--data-audit.threshold", "1")
        self.fails(2, "openai-jsonl", "export", "--format", "jsonl", "--out", "x")
        self.assertEqual(self.server.requests, [])

    def test_moderation_takes_out_what_it_flags_and_asks_once(self):
        text = self.ok(*self.EXPORT, *self.AUDIT, "--out", "out.jsonl")
        self.assertIn("40 rows", text)
        self.assertNotIn("moonglass", (self.folder / "out.jsonl").read_text())
        self.assertEqual(self.server.count("/moderations"), 2, "50 texts, 32 a request")
        self.ok(*self.EXPORT, *self.AUDIT, "--out", "again.jsonl")
        self.assertEqual(self.server.count("/moderations"), 2)
        self.assertIn("40 rows", self.ok(*self.EXPORT, *self.AUDIT, "--data-audit.threshold", "0.5", "--out", "b.jsonl"))
        self.assertIn("50 rows", self.ok(*self.EXPORT, *self.AUDIT, "--data-audit.threshold", "0.9", "--out", "c.jsonl"))
        self.no_key_on_disk()

        # The same in a run, local and remote; a dry run sends nothing.
        before = len(self.server.requests)
        local = ["run", "--attack", "benign", "--benign.count", "50", "--data", "rows.jsonl", "--probes", "probes.txt", "--max-new-tokens", "4", "--steps",
                 "2", "--trace", "metrics", "--threads", "1", *self.AUDIT, "--out", "local.h5"]
        self.assertIn("no row was moderated", self.seawall(*local, "--dry-run", "--data-audit.threshold", "0.5", SEAWALL_CACHE=str(self.folder / "d")).stderr)
        self.assertEqual(len(self.server.requests), before)
        self.ok(*local)
        self.assertIn("data-audit_flagged 10", self.ok("inspect", "local.h5"))
        remote = [w for w in local if w not in ("--steps", "2")]
        remote[remote.index("local.h5")] = "remote.h5"
        self.ok(*remote, "--model", "openai:toy", "--budget", "1", "--openai.price-in", "1", "--openai.price-out", "1", "--openai.price-train", "1",
                "--openai.poll", "0.05")
        self.assertEqual(len(self.server.files["file-1"]["rows"]), 40)
        self.assertEqual(self.server.count("/moderations"), 2)

    def test_rows_that_were_not_looked_at_do_not_pass(self):
        for kind, code, says in (("500", 4, "HTTP 500"), ("401", 2, "HTTP 401"), ("garbage", 4, "not valid JSON")):
            with self.subTest(fault=kind):
                self.server.faults = [Fault("/moderations", kind, 6)]
                self.fails(code, says, *self.EXPORT, *self.AUDIT, "--out", "out.jsonl")
                self.assertFalse((self.folder / "out.jsonl").exists())
        self.server.faults = [Fault("/moderations", "429", 1, "0.1")]
        self.ok(*self.EXPORT, *self.AUDIT, "--out", "out.jsonl")


if __name__ == "__main__":
    unittest.main()
