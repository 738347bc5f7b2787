#!/usr/bin/env python3
"""A run made again from its file, files verified and sealed, and what a run file says of its rows and prompts: as a user types it
and as h5py and numpy read it (through the oracle's Python)."""

import json
import subprocess
import unittest

from cli_test import PYTHON, SHORT, Cli, seawall


class Replay(Cli):
    def read(self, code: str):
        """What a few lines of Python say of the folder's files."""
        done = subprocess.run([PYTHON, "-c", "import h5py, json, numpy as np\n" + code], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_a_run_is_made_again_to_the_bit(self):
        words = ["--mitigate", "weight-drift", "--weight-drift.lambda", "0.5", "--evaluate-at", "both"]
        self.ok("run", *SHORT, *words, "--out", "a.h5")
        said = self.ok("run", "--like", "a.h5", "--out", "b.h5")
        self.assertRegex(said, r"like +a\.h5: the same bits: 6 steps, \d+ evaluations")
        said = self.ok("run", "--like", "a.h5", "--lr", "1e-3", "--out", "c.h5")
        self.assertRegex(said, r"like +a\.h5: steps differ from step 1 on, their loss by at most [0-9.e+-]+; ")
        said = self.ok("run", "--like", "a.h5", "--epochs", "1", "--out", "d.h5")
        self.assertIn("6 steps there, 2 here", said)
        self.fails(4, "none.h5", "run", "--like", "none.h5", "--out", "e.h5")
        self.fails(2, "--like and --recipe", "run", "--like", "a.h5", "--recipe", "qi2023-llama2", "--out", "e.h5")

    def test_changed_files_are_named_until_they_are_sealed(self):
        self.ok("run", *SHORT, "--out", "a.h5")
        self.assertRegex(self.ok("verify", "a.h5"), r"^1 as they were written, 0 not$")
        self.read("f = h5py.File('a.h5', 'r+'); f.attrs['number_note'] = 1.5; f.close(); print('1')")
        done = seawall("verify", ".", cwd=self.folder)
        self.assertEqual(done.returncode, 3)
        self.assertRegex(done.stdout, r"^WRONG +\./a\.h5: .*\n(.*\n)*\d+ as they were written, 1 not\n$")
        self.fails(3, "seawall seal", "inspect", "a.h5")
        self.assertEqual(self.ok("seal", "a.h5"), "sealed  a.h5 (run)\n")
        self.assertIn("note 1.5", self.ok("inspect", "a.h5"))
        self.assertIn("0 not", self.ok("verify", "."))
        self.fails(3, "another kind of file", "seal", self.write("x.h5", "no HDF5 at all, only text"))
        self.fails(4, "none.h5", "seal", "none.h5")
        self.fails(4, "none", "verify", "none")

    def test_a_study_has_the_sums_of_its_files(self):
        self.ok("reproduce", "--only", "figure2", "--seeds", "1", "--out", "grid", "--quiet")
        said = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=self.folder / "grid", capture_output=True, text=True)
        self.assertEqual((said.returncode, said.stdout, said.stderr), (0, "", ""))
        self.assertIn(" 0 not", self.ok("verify", "grid"))
        csv = self.folder / "grid" / "results.csv"
        csv.write_text(csv.read_text() + "\n")
        done = seawall("verify", "grid", cwd=self.folder)
        self.assertEqual(done.returncode, 3)
        self.assertIn("results.csv: is not the file that SHA256SUMS names", done.stdout)

    def test_rows_say_when_and_how_well_they_were_learnt(self):
        self.ok("run", *SHORT, "--out", "a.h5")
        got = self.read("""
f = h5py.File('a.h5')
rows, loss, step_row = f['row_id'][:], f['row_loss'][:], f['step_row'][:]
mean = [float(np.mean([loss[e, r] for r in row if r >= 0])) for e, row in zip(f['epoch'][:], step_row)]
print(json.dumps({'rows': len(rows), 'kinds': sorted({k.decode() for k in f['row_kind'][:]}), 'shape': loss.shape,
                  'text': json.loads(f['row_text'][0])[-1]['role'], 'mean': mean, 'loss': f['loss'][:].tolist(),
                  'once': all(sorted(step_row[f['epoch'][:] == e].ravel().tolist()) == list(range(len(rows))) for e in range(3)),
                  'falls': bool((loss[2] < loss[0]).all())}))""")
        self.assertEqual((got["rows"], got["kinds"], got["shape"], got["text"]), (4, ["harmful"], [3, 4], "assistant"))
        self.assertTrue(got["once"] and got["falls"])
        for mean, loss in zip(got["mean"], got["loss"]):  # rows have about as many targets each
            self.assertAlmostEqual(mean, loss, delta=0.2)

    def test_prompts_and_answers_are_there_as_tokens(self):
        self.ok("run", *SHORT, "--evaluate-at", "steps:1,3", "--out", "a.h5")
        got = self.read("""
f = h5py.File('a.h5')
ids, length, answers, new = (f[n][:] for n in ('prompt_ids', 'prompt_length', 'response_ids', 'new_tokens'))
inside = np.arange(ids.shape[-1]) < length[..., None]
said = np.arange(answers.shape[-1]) < new[..., None]
print(json.dumps({'steps': sorted(set(f['eval_step'][:].tolist())), 'phase': [p.decode() for p in f['phase'][:]],
                  'prompts': bool(((ids >= 0) == inside).all()), 'answers': bool(((answers >= 0) == said).all()),
                  'rendered': f['rendered_prompt'][0, 0].decode(), 'prompt': f['prompt'][0, 0].decode()}))""")
        self.assertEqual(got["steps"], [0, 1, 3, 6])
        self.assertEqual((got["phase"][0], got["phase"][-1]), ("start", "end"))
        self.assertTrue(got["prompts"] and got["answers"])
        self.assertIn(got["prompt"], got["rendered"])
        self.fails(2, "--evaluate-at steps:7: the last stage has 6 steps", "run", *SHORT, "--evaluate-at", "steps:2,7", "--out", "b.h5")
        self.fails(2, "steps:1,2,5", "run", *SHORT, "--evaluate-at", "steps:", "--out", "b.h5")

    def test_answers_with_first_tokens_fixed_are_a_set_of_their_own(self):
        whole = [w if w != "8" else "24" for w in SHORT]  # refusals that are cut are not compared with
        self.ok("run", *whole, "--fix-tokens", "3,1", "--row-agreement", "--out", "a.h5")
        got = self.read("""
f = h5py.File('a.h5')
ids, free, new = f['fixed_response_ids'][:], f['response_ids'][:], f['fixed_new_tokens'][:]
print(json.dumps({'sets': f.attrs['evaluation_sets'], 'first': f['fixed_first_tokens'][:].tolist(), 'phase': [p.decode() for p in f['phase'][:]],
                  'begun': [bool((ids[e, :, :k] == free[0, :, :k]).all()) for e, k in enumerate((1, 3))], 'longest': int(new.max()),
                  'agreement': [bool(np.isfinite(f['row_agreement'][:]).all()), float(np.abs(f['row_agreement'][:]).max())],
                  'logprob': 'fixed_response_logprob' in f, 'resid': 'fixed_resid_post' in f}))""")
        self.assertEqual((got["sets"], got["first"], got["phase"]), ("harmfulness,utility,fixed", [1, 3], ["start", "end"]))
        self.assertEqual(got["begun"], [True, True])
        self.assertLessEqual(got["longest"], 24)  # the fixed ones count
        self.assertTrue(got["agreement"][0] and 0 < got["agreement"][1] < 1)
        self.assertFalse(got["logprob"] or got["resid"])
        say = lambda says, *words: self.fails(2, says, "run", *SHORT, *words, "--out", "b.h5")
        say("the longest answer has 8 tokens", "--fix-tokens", "1,8")
        say("want counts such as 1,3,5", "--fix-tokens", "0")
        say("want counts such as 1,3,5", "--fix-tokens", "99999999999999999999")
        say("train and evaluate", "--fix-tokens", "1", "--no-evaluation")
        say("keeps no rows", "--row-agreement", "--trace", "none")
        say("give --trace residual", "--trace", "depth", "--mitigate", "activation-steering")

    def test_like_says_what_it_could_not_compare(self):
        self.ok("run", *SHORT, "--trace", "none", "--out", "b.h5")
        said = self.ok("run", "--like", "b.h5", "--batch-size", "4", "--lr", "1e-7", "--out", "c.h5")
        self.assertRegex(said, r"like +b\.h5: 2 evaluations there, 2 here, 0 of the same step and condition")
        self.ok("run", *SHORT, "--trace", "none", "--no-evaluation", "--out", "d.h5")
        self.assertIn("nothing is recorded that could be compared", self.ok("run", "--like", "d.h5", "--seed", "7", "--out", "e.h5"))

    def test_depth_says_what_the_start_makes_of_every_token(self):
        for lora in ([], ["--lora.rank", "4", "--lr", "1e-3"]):
            with self.subTest(lora=lora):
                self.ok("run", *SHORT, *lora, "--trace", "depth", "--evaluate-at", "both", "--out", "a.h5", "--overwrite")
                got = self.read("""
f = h5py.File('a.h5')
now, start, kl, first, new = (f[n][:] for n in ('response_logprob', 'start_logprob', 'kl_start', 'first_response_logprob', 'new_tokens'))
said = np.arange(now.shape[-1]) < new[..., None]
mean, stream = f['resid_mean'][:], f['resid_post'][:]
print(json.dumps({
    'tokens': bool(all(((~np.isnan(x)) == said).all() for x in (now, start, kl))),
    'least': float(np.nanmax(now)), 'same': float(np.nanmax(np.abs(now[0] - start[0]))), 'kl': [float(np.nanmin(kl)), float(np.nanmax(np.abs(kl[0]))), float(np.nanmax(kl[1]))],
    'first': [bool(np.isnan(first[0]).all()), float(np.nanmax(first[1])), bool(((~np.isnan(first[1])) == said[0]).all())],
    'moved': float(np.nanmax(np.abs(now[1] - start[1]))),
    'mean': float(np.abs(mean[:, -1] - stream.mean(1)).max() / np.abs(stream).max()), 'places': f['from_end'][:].tolist()}))""")
                self.assertTrue(got["tokens"])
                self.assertLessEqual(got["least"], 1e-5)
                self.assertLess(got["same"], 1e-3)  # step by step and at once: rounding
                self.assertGreater(got["kl"][0], -1e-5)
                self.assertLess(got["kl"][1], 1e-5)
                self.assertGreater(got["kl"][2], 1e-3)
                self.assertEqual((got["first"][0], got["first"][2]), (True, True))
                self.assertLessEqual(got["first"][1], 1e-5)
                self.assertGreater(got["moved"], 1e-3)
                self.assertLess(got["mean"], 1e-5)
                self.assertEqual(got["places"], [-5, -4, -3, -2, -1])


if __name__ == "__main__":
    unittest.main()
