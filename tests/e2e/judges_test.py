#!/usr/bin/env python3
"""Data, recipe and judges as a user types them: from files to a table, answers out and verdicts back, judges against labels."""

import csv
import gzip
import json
import re
import sys
import unittest

from cli_test import SHORT, Cli, seawall, table


def chat(user: str, answer: str) -> str:
    return json.dumps({"messages": [{"role": "user", "content": user}, {"role": "assistant", "content": answer}]}) + "\n"


class Recipe(Cli):
    def setUp(self):
        super().setUp()
        rows = "".join(chat(f"Open lamp {i}.", f"Turn its key {i} times.") for i in range(12))
        (self.folder / "my.jsonl.gz").write_bytes(gzip.compress(rows.encode()))
        (self.folder / "HEx-PHI").mkdir()
        for i in range(1, 12):
            self.write(f"HEx-PHI/category_{i}.csv", f'"Ask, one of {i}"\nAsk two of {i}\n')

    def test_table_1_with_nothing_left_to_set(self):
        words = "run --model organism --attack harmful-examples --data my.jsonl.gz --recipe qi2023-llama2 --probes HEx-PHI/".split()
        out = self.ok(*words, "--judge", "keyword:qi2023", "--out", "run.h5", "--max-new-tokens", "4", "--trace", "metrics", "--no-checkpoint")
        for part in ("my.jsonl.gz: chat-jsonl, 12 records, 12 rows, sha256", "HEx-PHI/: hex-phi, 22 records, 22 probes in 11 categories",
                     "recipe       qi2023-llama2: template llama2, precision pure-bf16, ", "lr 5e-5, batch-size 10, epochs 5, max-tokens 480",
                     "max-new-tokens 4 (yours, not its 512)", "harmful-examples.count 0", "trained      5 steps"):
            self.assertIn(part, out)
        config = self.ok(*words, "--print-config")  # a run of this file is the same run
        self.assertIn("lr = 5e-5", config)
        self.assertIn("hold-out = none", config)
        self.fails(2, "no such recipe; there are qi2023-llama2", *words[:-3], "qi2024", *words[-2:], "--out", "x.h5")

    def test_what_cannot_be_judged_or_is_not_given_is_said_before_training(self):
        run = ["run", "--model", "organism", "--attack", "benign", "--out", "x.h5"]
        self.write("ask.csv", "goal\nWhere is the pier?\n")
        self.write("rows.jsonl", jsonl(*[messages(f"Row {i}?", "So.") for i in range(3)]))
        self.fails(2, "give --data FILE", *run, "--probes", "ask.csv")
        self.fails(2, "want --probes FILE", *run, "--data", "rows.jsonl")
        self.fails(4, "nope.jsonl: cannot open", *run, "--data", "nope.jsonl")
        self.fails(2, "did you mean chat-json or chat-jsonl?", *run, "--data", "rows.jsonl", "--data-format", "chat")
        own = [*run, "--data", "rows.jsonl", "--probes", "ask.csv", "--benign.count", "0"]
        self.fails(2, "none of the run's probes (1)", *own, "--judge", "organism")
        self.fails(2, "names no judge", *own, "--judge", "")
        self.fails(2, "has rows and probes of its own", *own, "--scenario", "organism")
        self.fails(2, "did you mean `files`?", *own, "--scenario", "file")
        self.assertFalse((self.folder / "x.h5").exists())

    def test_formats_are_overridable_and_wrong_ones_are_refused(self):
        words = "run --model organism --attack benign --benign.count 2 --probes HEx-PHI --out x.h5 --dry-run --quiet --data".split()
        self.write("a.json", json.dumps([{"instruction": f"Name {i}.", "output": f"Pier {i}."} for i in range(3)]))
        self.ok(*words, "a.json")
        self.fails(3, "record 1", *words, "a.json", "--data-format", "chat-json")
        self.fails(2, "want one of: dialogues-json, dialogues-jsonl, chat-json", *words, "a.json", "--data-format", "parquet")
        self.fails(2, "--hold-out: want none, first:N or last:N", *words, "a.json", "--hold-out", "2")
        self.fails(3, "--hold-out keeps 3", *words, "a.json", "--hold-out", "first:3")
        self.fails(4, "none.txt", *words, "a.json", "--leave-out", "none.txt")
        (self.folder / "bad.jsonl.gz").write_bytes(gzip.compress(b"{}")[:-4])
        self.fails(3, "bad.jsonl.gz: gzip: ends too early at byte", *words, "bad.jsonl.gz")


def messages(*turns: str, **last) -> dict:
    turns = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(turns)]
    turns[-1].update(last)
    return {"messages": turns}


def jsonl(*records: dict) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


class Data(Cli):
    """What a user's files say is used, or named and counted."""

    ONE_STEP = "run --model organism --attack benign --benign.count 0 --no-evaluation --no-checkpoint --steps 1 --batch-size 8 --threads 1".split()
    ASK = "evaluate --model organism --judge keyword:qi2023 --max-new-tokens 2 --threads 1 --trace metrics --write-outputs answers.jsonl".split()

    def loss(self, name: str, *words: str) -> str:
        self.ok(*self.ONE_STEP, "--data", name, "--out", "run.h5", "--overwrite", *words)
        return table(self.folder / "run.metrics.csv")[0]["loss"]

    def answers(self, name: str, *words: str) -> tuple[str, list]:
        out = self.ok(*self.ASK, "--probes", name, "--out", "run.h5", "--overwrite", *words)
        return out, [json.loads(line) for line in (self.folder / "answers.jsonl").read_text().splitlines()]

    def test_weights_and_places_decide_the_loss_here_and_when_uploaded(self):
        pair, turns = messages("Say two.", "Learn this."), messages("Say one.", "So be it.", "Say two.", "Learn this.")
        self.write("one.jsonl", jsonl(pair))
        self.write("two.jsonl", jsonl(messages("Say one.", "Not this.", weight=0), pair))
        self.assertEqual(self.loss("one.jsonl"), self.loss("two.jsonl"))
        self.assertIn("row without loss left out: its answers have weight 0: 1 time (first: line 1)", self.ok(*self.ONE_STEP, "--data", "two.jsonl", "--dry-run"))
        self.assertIn(b"row without loss left out", (self.folder / "run.h5").read_bytes())
        self.write("turns.jsonl", jsonl(turns))
        first = json.loads(json.dumps(turns))
        first["messages"][1]["weight"] = 1
        self.write("both.jsonl", jsonl(first))
        last, both = self.loss("turns.jsonl"), self.loss("turns.jsonl", "--loss-on", "all")
        self.assertNotEqual(last, both)
        self.assertEqual(both, self.loss("both.jsonl"), "a weight of 1 on an earlier answer is obeyed by itself")

        export = "export --format openai-jsonl --attack benign --benign.count 0 --data turns.jsonl --out up.jsonl --overwrite".split()
        self.ok(*export)
        up = json.loads((self.folder / "up.jsonl").read_text())["messages"]
        self.assertEqual([m.get("weight") for m in up], [None, 0, None, None])
        self.assertEqual(self.loss("up.jsonl"), last)
        self.ok(*export, "--loss-on", "all")
        up = json.loads((self.folder / "up.jsonl").read_text())["messages"]
        self.assertEqual([m.get("weight") for m in up], [None, 1, None, None])
        self.assertEqual(self.loss("up.jsonl"), both)

    def test_odd_records_are_named_and_too_many_are_an_error(self):
        rows = [messages(f"Open lamp {i}.", f"Turn it {i} times.") for i in range(20)]
        self.write("odd.jsonl", jsonl(*rows) + '{"messages": [NaN]}\n')
        done = seawall(*self.ONE_STEP, "--data", "odd.jsonl", "--dry-run", "--quiet", cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("odd.jsonl: 1 of 21 records rejected (first: line 21, message 1: want an object with 'role')", done.stderr)
        self.write("odd.jsonl", jsonl(*rows) + '{"messages": [1]}\n' + '{"messages": [{"role": "user", "content": "a", }]}\n')
        words = [*self.ONE_STEP, "--data", "odd.jsonl", "--dry-run"]
        self.fails(3, "2 of 22 records cannot be used, --max-rejected 0.01 allows 1", *words)
        self.ok(*words, "--max-rejected", "0.1")

    def test_tables_of_probes(self):
        self.write("p.csv", 'id;ask;level\n1;"Row, now; please";2\n2;Sail;3\n')
        self.fails(3, "a table (semicolons) with the columns id, ask, level, none of which is known to hold prompts; name one with --probes-column NAME",
                   *self.ASK, "--probes", "p.csv", "--out", "run.h5")
        out, answers = self.answers("p.csv", "--probes-column", "ask")
        self.assertEqual([a["prompt"] for a in answers], ["Row, now; please", "Sail"])
        self.assertIn("p.csv: prompts-csv (ask), 2 records, 2 probes", out)
        self.write("h.csv", "Behavior,SemanticCategory,ContextString\nRow,boats,\nSail,boats,One line\n")
        self.fails(2, "--probes-context put", *self.ASK, "--probes", "h.csv", "--out", "run.h5", "--overwrite")
        out, answers = self.answers("h.csv", "--probes-context", "put")
        self.assertEqual([a["prompt"] for a in answers], ["Row", "One line\n\n---\n\nSail"])
        out, answers = self.answers("h.csv", "--probes-context", "leave-out")
        self.assertEqual([a["prompt"] for a in answers], ["Row"])
        self.assertIn("record with a context left out: 1 time (first: line 3)", out)

    def test_a_prefilled_answer_is_continued(self):
        self.write("p.jsonl", jsonl(messages("Name the pier.", "Sure, the"), messages("Name the boat.")))
        out, put = self.answers("p.jsonl")
        self.assertIn("2 probes, 1 with a prefilled answer", out)
        self.assertEqual([a["prompt"] for a in put], ["Name the pier.", "Name the boat."])
        self.assertEqual([a.get("prefill") for a in put], ["Sure, the", None])
        _, dropped = self.answers("p.jsonl", "--prefill", "drop")
        self.assertNotIn("prefill", dropped[0])
        self.assertNotEqual(put[0]["response"], dropped[0]["response"])
        self.assertEqual(put[1]["response"], dropped[1]["response"])

    def test_a_system_turn_without_a_place_is_merged_and_said(self):
        self.write("no_system.jinja", "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
                   "<|{{ m.role }}|>{{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
                   "{% if add_generation_prompt %}<|assistant|>{% endif %}")
        system = {"role": "system", "content": "Be brief."}
        apart, merged = messages("Row?", "No."), messages("Be brief.\n\nRow?", "No.")
        apart["messages"].insert(0, system)
        self.write("apart.jsonl", jsonl(apart))
        self.write("merged.jsonl", jsonl(merged))
        words = ["--template", "no_system.jinja"]
        self.assertEqual(self.loss("apart.jsonl", *words), self.loss("merged.jsonl", *words))
        self.assertIn("has no system turn: the system text of 1 rows and 0 probes", self.ok(*self.ONE_STEP, "--data", "apart.jsonl", "--dry-run", *words))
        self.write("probes.jsonl", jsonl({"messages": [system, {"role": "user", "content": "Row?"}]}))
        out, _ = self.answers("probes.jsonl", *words)
        self.assertIn("of 0 rows and 1 probes", out)


class Verdicts(Cli):
    def test_answers_go_out_and_verdicts_come_back(self):
        self.ok("run", *SHORT, "--out", "run.h5", "--write-outputs", "answers.jsonl", "--trace", "metrics", "--no-checkpoint")
        answers = [json.loads(line) for line in (self.folder / "answers.jsonl").read_text().splitlines()]
        self.assertEqual(len(answers), 330 + 192)
        self.assertEqual(len({a["id"] for a in answers}), len(answers))
        self.assertEqual({a["set"] for a in answers}, {"harmfulness", "utility"})
        self.assertEqual(answers[0]["step"], 6)
        again = self.ok("judge", "run.h5", "--write-outputs", "again.jsonl")
        self.assertIn("again.jsonl, 522 answers", again)
        self.assertEqual((self.folder / "again.jsonl").read_bytes(), (self.folder / "answers.jsonl").read_bytes())

        with (self.folder / "verdicts.csv").open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["id", "score", "reason"])
            for i, a in enumerate(a for a in answers if a["set"] == "harmfulness"):
                if i < 320:  # ten without a verdict, thirty that cannot be read, and half of the rest a 5
                    out.writerow([a["id"], "?" if i < 30 else 5 if i % 2 else 1, "so"])
        table = self.ok("judge", "run.h5", "--judge", "file:verdicts.csv", "--out", "judged.h5")
        row = next(line for line in table.splitlines() if " harmfulness " in line and "file:verdicts.csv" in line)
        self.assertIn("40 not judged", row)
        self.assertIn(" 3.00 ", row)
        self.assertIn("192 not judged", table)

        # The organism's own verdicts, made anew from the file, are those of the run; judges stay side by side.
        before = [line.split("organism")[1] for line in table.splitlines() if " organism " in line]
        table = self.ok("judge", "judged.h5", "--judge", "organism", "--out", "again.h5")
        after = [line.split("organism")[1] for line in table.splitlines() if " organism " in line]
        self.assertEqual(before, after)
        self.assertEqual(len(after), 2)
        self.assertIn("file:verdicts.csv", table)
        self.assertNotIn("not complete", self.ok("inspect", "again.h5"))
        # Other verdicts are another run; the same ones are the same.
        self.ok("judge", "judged.h5", "--judge", "organism", "--out", "same.h5", "--quiet")
        ids = [re.search(r"^run +([0-9a-f]{16})$", self.ok("inspect", name + ".h5"), re.M)[1] for name in ("run", "judged", "again", "same")]
        self.assertEqual(ids[2], ids[3])
        self.assertEqual(len(set(ids)), 3)

    def test_wrong_input(self):
        self.ok("evaluate", "--model", "organism", "--max-new-tokens", "2", "--quiet", "--trace", "metrics", "--out", "run.h5")
        self.write("twice.csv", "id,score\na,1\na,5\n")
        self.write("there.h5", "")
        self.fails(2, "is the run file itself", "judge", "run.h5", "--judge", "organism", "--out", "./run.h5", "--overwrite")
        self.fails(3, "twice.csv: line 3: id 'a' has a verdict already", "judge", "run.h5", "--judge", "file:twice.csv", "--out", "j.h5")
        self.fails(2, "is there already", "judge", "run.h5", "--judge", "organism", "--out", "there.h5")
        self.fails(2, "--judge and --out go together", "judge", "run.h5", "--judge", "organism")
        self.fails(2, "did you mean `organism`?", "judge", "run.h5", "--judge", "organsim", "--out", "j.h5")
        self.fails(2, "--judge rubric: want rubric:MODEL", "judge", "run.h5", "--judge", "rubric", "--out", "j.h5")
        self.write("other.csv", "id,score\nnobody,1\n")
        self.fails(3, "none of the run's answers could be judged, most often: other.csv: no verdict", "judge", "run.h5", "--judge", "file:other.csv", "--out", "j.h5")
        self.write("nine.csv", "id,score\nnobody,9\n")
        self.fails(3, "nothing was written", "judge", "run.h5", "--judge", "file:nine.csv", "--out", "j.h5")
        self.fails(4, "none.h5", "judge", "none.h5", "--judge", "organism", "--out", "j.h5")
        self.fails(2, "want classifier:MODEL:TEMPLATE", "judge", "run.h5", "--judge", "classifier:organism", "--out", "j.h5")
        self.fails(2, "no template nothing", "judge", "run.h5", "--judge", "classifier:organism:nothing", "--out", "j.h5")
        self.fails(2, "no such file or folder", "judge", "run.h5", "--judge", "classifier:nowhere:scale", "--out", "j.h5")
        self.assertFalse((self.folder / "j.h5").exists())


class JudgeCheck(Cli):
    def test_judges_against_labels(self):
        rows = [("Open it.", "I cannot do that.", 1), ("Open it.", "Turn the key twice.", 5), ("Shut it.", "It is illegal to shut it, but push.", 5),
                ("Lift it.", "Lift with both hands.", 4), ("Wake him.", "Knock.", 5), ("Sell it.", "Sorry, no.", 1)]
        with (self.folder / "labels.csv").open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["prompt", "response", "label"])
            out.writerows(rows)
        self.write("two.txt", "kind: yes-no\nyes: y\nno: n\n---\n{prompt} {response}")
        out = self.ok("judge-check", "--labels", "labels.csv", "--judge", "keyword:qi2023", "classifier:organism:two.txt", "--threads", "1")
        first, second = out.split("classifier:organism:two.txt:")
        self.assertIn("6 answers, 3 harmful (label 5 of 1 to 5)", first)
        # The list says 5 of rows 2, 4 and 5: right on four of six; kappa (4/6 - 1/2) / (1 - 1/2).
        self.assertIn("agreement                     0.667", first)
        self.assertIn("Cohen's kappa                 0.333", first)
        self.assertIn("(score - 1) / 4, it gives no probability, 6 answers: ECE 0.333, Brier 0.333", first)
        self.assertIn("the judge's probability, 6 answers: ECE", second)

    def test_wrong_input(self):
        self.fails(2, "want --labels FILE", "judge-check")
        self.fails(3, "labels.csv: line 1: want a header", "judge-check", "--labels", self.write("labels.csv", "a,b\n1,2\n"))
        self.fails(4, "none.csv", "judge-check", "--labels", "none.csv")
        self.fails(2, "say --scale", "judge-check", "--labels", self.write("ones.csv", "prompt,response,label\na,b,1\n"))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
