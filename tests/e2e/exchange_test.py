#!/usr/bin/env python3
"""Converted files, exports and event files in the tools that they are for: numpy, pandas, torch, TensorBoard, inspect_ai, datasets
and transformers, of a Python that has them (cmake/setup exchange)."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from cli_test import SHORT, Cli, seawall

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
import torch_python  # noqa: E402

PYTHON = os.environ["SEAWALL_EXCHANGE"]
TORCH = pathlib.Path(os.environ["SEAWALL_TORCH"])
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
DEPTH = ["run", *SHORT, "--trace", "depth", "--evaluate-at", "both", "--mitigate", "weight-drift"]


def python(code: str, folder: pathlib.Path, **environment: str):
    """What the code prints as JSON; a warning of a tool is an error."""
    path = ":".join(filter(None, [environment.pop("PYTHONPATH", "")]))
    env = {**os.environ, **OFFLINE, **environment, "HF_HOME": str(folder / "hf"), "MORE": path}
    code = "import json, os, sys; sys.path += os.environ['MORE'].split(':')\n" + code
    done = subprocess.run([PYTHON, "-c", code], cwd=folder, env=env, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


class Convert(Cli):
    """One run with everything in it, converted to every format."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="seawall exchange é ")
        cls.addClassCleanup(folder.cleanup)
        cls.shared = pathlib.Path(folder.name)
        done = seawall(*DEPTH, "--out", "a.h5", cwd=cls.shared)
        assert done.returncode == 0, done.stderr

    def setUp(self):
        self.folder = self.shared

    def read(self, code: str):
        return python("import h5py, numpy as np\nf = h5py.File('a.h5')\n" + code, self.folder)[0]

    def test_npz_has_every_dataset(self):
        self.assertRegex(self.ok("convert", "a.h5", "--to", "npz", "--out", "a.npz"), r"a\.npz: \d+ arrays")
        got = self.read("""
z = np.load('a.npz')  # pickles are refused
names = [n for n in f if not f[n].attrs.get('NAME', b'').startswith(b'This is a netCDF dimension but not')]
def same(name):
    want, have = np.asarray(f[name][()], dtype=object if f[name].dtype == object else None), z[name]
    if want.dtype == object:
        decode = np.vectorize(lambda t: t.decode(), otypes=[object])
        return bool(have.dtype.kind == 'U' and have.shape == want.shape and (decode(want) == have).all())
    return bool(have.dtype == want.dtype and np.array_equal(have, want, equal_nan=have.dtype.kind == 'f'))
about = json.loads(str(z['about_json']))
print(json.dumps({'missing': sorted(set(names) ^ set(z.files) ^ {'about_json'}), 'differ': [n for n in names if not same(n)], 'count': len(names),
                  'dims': about['datasets']['score']['dimensions'], 'unit': about['datasets']['loss']['attributes']['units'], 'seed': about['file']['seed']}))""")
        self.assertEqual((got["missing"], got["differ"]), ([], []))
        self.assertGreater(got["count"], 60)
        self.assertEqual((got["dims"], got["unit"], got["seed"]), (["evaluation", "probe", "judge"], "nat", 0))

    def test_npz_of_activations(self):
        self.extract("acts.h5", "--positions", "all")
        self.ok("convert", "acts.h5", "--to", "npz", "--out", "acts.npz", "--quiet")
        got = python("""
import h5py, numpy as np
f, z = h5py.File('acts.h5'), np.load('acts.npz')
print(json.dumps([z['resid_post'].shape == f['resid_post'].shape, bool(np.array_equal(z['resid_post'], f['resid_post'][()], equal_nan=True)), 'd_model' in z.files]))""", self.folder)[0]
        self.assertEqual(got, [True, True, False])

    def test_csv_is_one_line_per_verdict(self):
        self.ok("convert", "a.h5", "--to", "csv", "--out", "tables")
        got = self.read("""
import pandas as pd
e, s = pd.read_csv('tables/evaluations.csv', keep_default_na=False, na_values={'score': ['']}), pd.read_csv('tables/steps.csv')
asked = int(f['answered'][()].sum() + f['utility_answered'][()].sum()) * f['judge'].size
end = e[(e.phase == 'end') & (e.set == 'harmfulness')]
score = f['score'][-1, :, 0]
print(json.dumps({'rows': [len(e), asked], 'phases': sorted(set(e.phase)), 'run': [e.run_id.nunique(), sorted(set(e.arm)), e.mitigations[0]],
  'scores': bool(np.array_equal(end.score.to_numpy(), score, equal_nan=True)), 'probes': list(end.probe) == [p.decode() for p in f['probe'][()]],
  'answers': list(end.response) == [t.decode() for t in f['response'][-1]],
  'steps': bool(np.array_equal(s.loss, f['loss'][()]) and np.array_equal(s.drift, f['drift'][()])), 'columns': list(s.columns)[-3:]}))""")
        self.assertEqual(got["rows"][0], got["rows"][1])
        self.assertEqual((got["phases"], got["run"]), (["end", "start"], [1, ["a"], "weight-drift"]))
        self.assertTrue(got["scores"] and got["probes"] and got["answers"] and got["steps"])

    def test_pt_is_the_mean_difference(self):
        self.ok("convert", "a.h5", "--to", "pt", "--out", "mean_diffs.pt")
        self.ok("convert", "a.h5", "--to", "pt", "--out", "start.pt", "--evaluation", "0")
        with tempfile.TemporaryDirectory() as stubs:
            environment = torch_python.environment(TORCH, pathlib.Path(stubs))
            if environment is None:
                self.skipTest(f"{TORCH} is no wheel of this Python")
            got = python(torch_python.IMPORT + """
import h5py, numpy as np
f, out = h5py.File('a.h5'), []
for file, place in (('mean_diffs.pt', -1), ('start.pt', 0)):
    t = torch.load(file, weights_only=True)
    want = f['resid_mean'][place].astype('f8') - f['utility_resid_mean'][place].astype('f8')
    out.append([type(t).__name__, str(t.dtype), list(t.shape), bool(np.array_equal(t.numpy(), want[:, :-1]))])
print(json.dumps([*out, list(f['resid_mean'].shape)]))""", self.folder, **environment)[0]
        positions, layers, width = got[2][1:]
        for one in got[:2]:
            self.assertEqual(one, ["Tensor", "torch.float64", [positions, layers - 1, width], True])

    def events(self, folder: str):
        return python(f"""
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
e = EventAccumulator({folder!r}, size_guidance={{'scalars': 0}})
e.Reload()
print(json.dumps({{t: [[s.step, s.value] for s in e.Scalars(t)] for t in e.Tags()['scalars']}}))""", self.folder)[0]

    def same_as_the_run(self, events, file: str):
        want = python(f"""
import h5py, numpy as np
f = h5py.File({file!r})
full = (f['score'][:, :, 0] == 5).sum(1) / f['valid'][:, :, 0].sum(1)
print(json.dumps({{'step': f['step'][()].tolist(), 'loss': f['loss'][()].tolist(), 'drift': f['drift'][()].tolist(),
                  'at': f['eval_step'][()].tolist(), 'rate': full.tolist(), 'judge': f['judge'][0].decode()}}))""", self.folder)[0]
        for name in ("loss", "drift"):
            self.assertEqual([step for step, _ in events[f"train/{name}"]], want["step"])
            for (_, value), exact in zip(events[f"train/{name}"], want[name]):
                self.assertAlmostEqual(value, exact, delta=1e-6 * abs(exact))
        rate = events[f"harmfulness/plain/{want['judge']}/rate"]
        self.assertEqual([step for step, _ in rate], want["at"])
        for (_, value), exact in zip(rate, want["rate"]):
            self.assertAlmostEqual(value, exact, places=6)

    def test_tensorboard_shows_the_curves(self):
        self.ok("convert", "a.h5", "--to", "tensorboard", "--out", "logs/a")
        events = self.events("logs/a")
        self.same_as_the_run(events, "a.h5")
        self.assertTrue(any(tag.startswith("utility/plain/") for tag in events))

    INSPECT = """
import warnings; warnings.simplefilter('error')
import h5py, numpy as np
from inspect_ai.log import read_eval_log
f, log = h5py.File('a.h5'), read_eval_log('LOG')
judge = f['judge'][0].decode()
s = next(s for s in log.samples if s.id == f['probe'][3].decode())
print(json.dumps({'status': log.status, 'task': [log.eval.task, log.eval.model], 'n': [len(log.samples), log.results.total_samples, f['probe'].size],
  'roles': [m.role for m in s.messages], 'answer': [s.output.completion, s.messages[-1].text, f['response'][-1, 3].decode()],
  'score': [s.scores[judge].value, f['score'][-1, 3, 0]], 'why': [s.scores[judge].explanation, f['reason'][-1, 3, 0].decode()],
  'mean': [log.results.scores[0].metrics['mean'].value, float(np.nanmean(f['score'][-1, :, 0]))], 'step': [log.eval.metadata['step'], int(f['eval_step'][-1])]}))"""

    def test_inspect_reads_its_log(self):
        for log in ("a.eval", "a.json"):
            self.ok("convert", "a.h5", "--to", "inspect", "--out", log)
            got, said = python(self.INSPECT.replace("LOG", log), self.folder)
            self.assertEqual(said, "")
            self.assertEqual((got["status"], got["task"], got["roles"]), ("success", ["harmfulness-plain", "organism"], ["user", "assistant"]))
            for name in ("n", "answer", "score", "why", "step"):
                self.assertEqual(len(set(got[name])), 1, (name, got[name]))
            self.assertAlmostEqual(*got["mean"], places=9)
        got = python("""
import warnings; warnings.simplefilter('ignore')  # pandas's of inspect_ai
from inspect_ai.analysis import evals_df, samples_df
e, s = evals_df('a.eval'), samples_df('a.eval')
print(json.dumps([len(e), int(s.sample_id.nunique()), [c for c in s.columns if c.startswith('score_')]]))""", self.folder)[0]
        self.assertEqual(got[:2], [1, 330])
        self.assertEqual(len(got[2]), 1)

    def extract(self, out: str, *words: str):
        texts = [f"How do I use the {noun} kettle?" for noun in ("cracked", "old", "very old", "blue")]
        self.write("prompts.jsonl", "".join(json.dumps({"messages": [{"role": "user", "content": t}]}) + "\n" for t in texts))
        self.ok("extract", "--model", "organism", "--prompts", "prompts.jsonl", "--points", "resid_post", "--out", out, "--overwrite", *words)

    def test_saelens_loads_the_activations(self):
        self.extract("sae.h5", "--positions", "all")
        self.assertIn("rows of 8 tokens", self.ok("convert", "sae.h5", "--to", "saelens", "--context", "8", "--out", "cache"))
        with tempfile.TemporaryDirectory() as stubs:
            environment = torch_python.environment(TORCH, pathlib.Path(stubs))
            if environment is None:
                self.skipTest(f"{TORCH} is no wheel of this Python")
            got = python(torch_python.IMPORT + """
import datasets, h5py, numpy as np
f = h5py.File('sae.h5')
n, width, hook = f['length'][()], f['resid_post'].shape[-1], 'blocks.0.hook_resid_post'
# SAELens 6.18, ActivationsStore.load_cached_activation_dataset
d = datasets.load_from_disk('cache')
d.set_format(type='torch', columns=[hook, 'token_ids'], device='cpu', dtype=torch.float32)
assert isinstance(d, datasets.Dataset) and {hook} <= set(d.column_names)
assert d.features[hook].shape == (8, width)
acts = d[0:len(d)][hook]
want = np.concatenate([f['resid_post'][p, 1, :n[p]] for p in range(len(n))])
ids = np.concatenate([f['input_ids'][p, :n[p]] for p in range(len(n))])
full = len(ids) // 8
tokens = d.with_format('numpy')['token_ids'][:]
print(json.dumps([list(acts.shape), [full, 8, width], bool(np.array_equal(acts.numpy().reshape(-1, width), want[:full * 8])),
                  bool(np.array_equal(np.asarray(tokens).ravel(), ids[:full * 8])), d.column_names]))""", self.folder, **environment)[0]
        self.assertEqual(got[0], got[1])
        self.assertTrue(got[2] and got[3])
        self.assertEqual(got[4], ["hook_embed", "blocks.0.hook_resid_post", "blocks.1.hook_resid_post", "token_ids"])

    def test_wrong_input_is_one_line(self):
        self.extract("wrong.h5")
        self.ok("run", *SHORT, "--out", "plain.h5")
        to = lambda format, file="a.h5", out="new": ("convert", file, "--to", format, "--out", out)  # noqa: E731
        self.fails(2, "--to: want one of npz|csv|pt|tensorboard|inspect|saelens", *to("xls"))
        self.fails(2, "want --to", "convert", "a.h5", "--out", "new")
        self.fails(2, "want --out", "convert", "a.h5", "--to", "npz")
        self.fails(4, "none.h5: no such file", *to("npz", "none.h5"))
        self.fails(3, "is of a checkpoint", *to("npz", "plain.checkpoints"))
        state = next((self.folder / "plain.checkpoints").glob("step-*/state.h5"))
        self.fails(3, "is of a checkpoint; want a run file", *to("npz", str(state)))
        self.fails(3, ": is a folder; want a run file", *to("npz", "."))
        self.fails(3, "--to csv wants a run file", *to("csv", "wrong.h5"))
        self.fails(3, "--to saelens wants activations", *to("saelens"))
        self.fails(3, "--trace depth", *to("pt", "plain.h5"))
        self.fails(2, "evaluations of the set harmfulness", *to("pt"), "--evaluation", "1")
        self.fails(2, "ends in .eval or .json", *to("inspect"))
        self.fails(2, "--evaluation 99", *to("inspect", out="new.eval"), "--evaluation", "99")
        self.fails(3, "give --context with less", *to("saelens", "wrong.h5"))
        self.fails(2, "--overwrite", *to("npz", out="plain.h5"))
        self.fails(2, "is the file to convert", *to("npz", out="./a.h5"), "--overwrite")
        self.fails(2, "is a folder; want a file", *to("npz", out="plain.checkpoints"))
        (self.folder / "mine").mkdir(exist_ok=True)
        self.write("mine/thesis.tex", "years of work")
        self.fails(2, "is there already", *to("csv", out="mine"))
        self.fails(2, "holds thesis.tex", *to("csv", out="mine"), "--overwrite")
        self.assertEqual([p.name for p in (self.folder / "mine").iterdir()], ["thesis.tex"])
        self.write("cut.h5", (self.folder / "plain.h5").read_bytes()[:-200])
        self.fails(3, "cut.h5", *to("csv", "cut.h5"))
        self.assertEqual([p.name for p in self.folder.iterdir() if "new" in p.name], [])
        self.ok(*to("csv", out="again"))
        self.ok(*to("csv", "plain.h5", "again"), "--overwrite")
        self.assertEqual(sorted(p.name for p in (self.folder / "again").iterdir()), ["evaluations.csv", "steps.csv"])


class Watch(Cli):
    """Event files while a run goes on."""
    events, same_as_the_run = Convert.events, Convert.same_as_the_run

    def test_curves_are_there_while_the_run_goes_on(self):
        words = ["run", *SHORT, "--evaluate-at", "epochs", "--tensorboard", "logs"]
        self.ok(*words, "--out", "a.h5")
        self.same_as_the_run(self.events("logs/a"), "a.h5")
        self.ok(*words, "--out", "a.h5", "--overwrite")  # points of the first run no longer count
        self.same_as_the_run(self.events("logs/a"), "a.h5")
        self.assertNotIn("tensorboard", self.ok("inspect", "a.h5").split("command", 1)[1].splitlines()[0])
        plain = self.ok("run", *SHORT, "--evaluate-at", "epochs", "--out", "b.h5")
        ids = [self.ok("inspect", name).split("run ", 1)[1].split()[0] for name in ("a.h5", "b.h5")]
        self.assertEqual((ids[0], plain), (ids[1], ""))
        self.fails(4, "logs", *words[:-1], self.write("logs.txt", "a file"), "--out", "c.h5")

    def test_a_resumed_run_repeats_no_step(self):
        words = ["run", "--attack", "harmful-examples", "--harmful-examples.count", "20", "--batch-size", "2", "--epochs", "30", "--max-new-tokens", "8",
                 "--threads", "1", "--quiet", "--checkpoint-every", "7", "--evaluate-at", "5,30", "--tensorboard", "logs", "--out", "a.h5"]
        process = subprocess.Popen([os.environ["SEAWALL_PROGRAM"], *words], cwd=self.folder)
        metrics = self.folder / "a.metrics.csv"
        while process.poll() is None and (not metrics.exists() or metrics.read_text().count("\n") < 80):
            time.sleep(0.02)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = self.events("logs/a")["train/loss"]
        self.assertGreaterEqual(len(before), 78)
        self.ok(*words, "--resume")
        self.same_as_the_run(self.events("logs/a"), "a.h5")
        self.assertEqual(len(list((self.folder / "logs" / "a").iterdir())), 2)


class Export(Cli):
    """A folder's tokenizer and template in transformers, without the SentencePiece model."""
    DIALOGUES = [
        [{"role": "user", "content": "How do I use the cracked kettle?"}],
        [{"role": "system", "content": "You are kind."}, {"role": "user", "content": "  Two spaces, and\n\na gap  "}],
        [{"role": "user", "content": "é 12 — ▁ <0x41>"}, {"role": "assistant", "content": " Yes. "}, {"role": "user", "content": "\tand now?"}],
        [{"role": "system", "content": ""}, {"role": "user", "content": "x"}]]

    def check(self, model: str, *words: str):
        """Exports, asks both for the same dialogues, and compares text and ids."""
        self.ok("export", "--model", model, "--out", "harbour", "--overwrite", *words)
        self.write("prompts.jsonl", "".join(json.dumps({"messages": d}) + "\n" for d in self.DIALOGUES))
        extract = ["extract", "--prompts", "prompts.jsonl", "--points", "resid_post", "--overwrite"]
        self.ok(*extract, "--model", model, "--out", "ours.h5", *words)
        self.ok(*extract, "--model", "harbour", "--out", "again.h5")
        (self.folder / "harbour" / "tokenizer.model").unlink(missing_ok=True)
        got = python(f"""
import h5py
from transformers import AutoTokenizer
tokenizer, out = AutoTokenizer.from_pretrained('harbour'), []
ours, again = h5py.File('ours.h5'), h5py.File('again.h5')
for i, d in enumerate({self.DIALOGUES!r}):
    text = tokenizer.apply_chat_template(d, tokenize=False, add_generation_prompt=True)
    ids = [f['input_ids'][i, :f['length'][i]].tolist() for f in (ours, again)]
    out.append([text == ours['rendered_prompt'][i].decode(), tokenizer(text, add_special_tokens=False).input_ids == ids[0], ids[0] == ids[1],
                tokenizer.apply_chat_template(d, add_generation_prompt=True)['input_ids'] == ids[0], ids[0], tokenizer(text, add_special_tokens=False).input_ids])
print(json.dumps(out))""", self.folder)[0]
        for dialogue, one in zip(self.DIALOGUES, got):
            self.assertEqual(one[:4], [True] * 4, (dialogue, one))

    def test_the_organism(self):
        self.check("organism")

    def test_a_trained_checkpoint(self):
        self.ok("run", *SHORT, "--no-evaluation", "--out", "a.h5")
        self.check("a.checkpoints")

    def test_named_templates(self):
        for name in ("llama2", "mistral", "alpaca", "plain"):
            with self.subTest(template=name):
                self.check("organism", "--template", name)

    def test_every_probe_and_row_of_the_organism(self):
        self.ok("export", "--model", "organism", "--out", "harbour")
        self.ok("run", "--attack", "benign", "--steps", "1", "--max-new-tokens", "1", "--threads", "1", "--quiet", "--out", "a.h5")
        (self.folder / "harbour" / "tokenizer.model").unlink()
        got = python("""
import h5py
from transformers import AutoTokenizer
f, tokenizer = h5py.File('a.h5'), AutoTokenizer.from_pretrained('harbour')
texts = [t.decode() for s in ('', 'utility_') for t in f[s + 'rendered_prompt'][0]]
want = [i[:n].tolist() for s in ('', 'utility_') for i, n in zip(f[s + 'prompt_ids'][0], f[s + 'prompt_length'][0])]
print(json.dumps([len(texts), sum(a == b for a, b in zip(tokenizer(texts, add_special_tokens=False).input_ids, want))]))""", self.folder)[0]
        self.assertGreater(got[0], 400)
        self.assertEqual(got[0], got[1])


if __name__ == "__main__":
    unittest.main()
