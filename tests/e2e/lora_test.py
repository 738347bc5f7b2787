#!/usr/bin/env python3
"""LoRA as a user types it: train, resume, evaluate, train on, export both ways; and what goes wrong."""

import hashlib
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

SEAWALL = pathlib.Path(os.environ["SEAWALL_PROGRAM"])
PYTHON = os.environ.get("SEAWALL_ORACLE", "")

ATTACK = (
    "--attack harmful-examples --harmful-examples.count 20 --batch-size 5 --epochs 2 --max-new-tokens 8 "
    "--threads 1 --quiet"
).split()
LORA = "--lora.rank 4 --lora.alpha 8 --lora.targets all --lora.dropout 0.1 --lr 3e-3".split()

# What numpy makes of a PEFT folder: W + alpha / r B A over the model's own file, against the merged export.
MERGE = """
import json, sys, numpy
from safetensors.numpy import load_file
base, adapter, merged = sys.argv[1:]
config = json.load(open(adapter + "/adapter_config.json"))
factors = load_file(adapter + "/adapter_model.safetensors")
start, want = load_file(base), load_file(merged + "/model.safetensors")
scale, changed, most = config["lora_alpha"] / config["r"], 0, 0.0
for name, w in start.items():
    key = "base_model.model." + name.removesuffix(".weight")
    if key + ".lora_A.weight" in factors:
        a, b = (factors[f"{key}.lora_{x}.weight"].astype("f8") for x in "AB")
        w, changed = w + scale * (b @ a), changed + 1
    most = max(most, float(abs(w - want[name]).max()))
print(json.dumps({"changed": changed, "factors": len(factors), "most": most, "type": config["peft_type"]}))
"""


def seawall(*words: str, cwd=None) -> subprocess.CompletedProcess:
    return subprocess.run([SEAWALL, *words], capture_output=True, text=True, timeout=3000, cwd=cwd)


def digest(folder: pathlib.Path, name: str) -> str:
    return hashlib.sha256((folder / name).read_bytes()).hexdigest()


class Lora(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="seawall lora é ")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def ok(self, *words: str) -> str:
        done = seawall(*words, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def fails(self, code: int, says: str, *words: str):
        done = seawall(*words, cwd=self.folder)
        self.assertEqual(done.returncode, code, f"{words}: {done.stderr}")
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        self.assertIn(says, done.stderr)

    def test_from_training_to_a_merged_model(self):
        run = ["run", *ATTACK, *LORA, "--checkpoint-every", "3"]
        self.ok(*run, "--out", "whole.h5", "--keep-checkpoints", "9")
        text = self.ok("inspect", "whole.h5")
        self.assertIn("lora_rank 4", text)
        self.assertIn("trained_parameters 19456", text)

        # Interrupted after step 3 and resumed: the same factors, bit for bit.
        self.ok(*run, "--out", "again.h5", "--keep-checkpoints", "9")
        for step in (6, 8):
            subprocess.run(["rm", "-r", self.folder / f"again.checkpoints/step-{step}"], check=True)
        (self.folder / "again.checkpoints/latest").unlink()
        self.ok(*run, "--out", "again.h5", "--keep-checkpoints", "9", "--resume")
        for name in ("whole", "again"):
            self.ok("export", "--adapter", f"{name}.checkpoints", "--format", "peft", "--out", f"peft-{name}")
        for file in ("adapter_config.json", "adapter_model.safetensors"):
            self.assertEqual(digest(self.folder / "peft-whole", file), digest(self.folder / "peft-again", file))
        config = json.loads((self.folder / "peft-whole/adapter_config.json").read_text())
        self.assertEqual((config["r"], config["lora_alpha"], config["lora_dropout"]), (4, 8, 0.1))
        self.assertEqual(len(config["target_modules"]), 7)

        # Factors only: 7 x 2 of each of two blocks, and moments.
        state = (self.folder / "whole.checkpoints/step-8/state.h5").stat().st_size
        self.assertLess(state, 700_000, "a checkpoint of LoRA holds the factors, not the 2.3 MB of weights")

        # An adapter from either place gives the answers that the run ended with.
        self.ok("evaluate", "--adapter", "peft-whole", "--max-new-tokens", "8", "--quiet", "--out", "e1.h5")
        self.ok("evaluate", "--adapter", "whole.checkpoints", "--max-new-tokens", "8", "--quiet", "--out", "e2.h5")
        self.ok("export", "--adapter", "peft-whole", "--format", "safetensors", "--out", "merged")
        self.ok("evaluate", "--model", "merged", "--max-new-tokens", "8", "--quiet", "--out", "e3.h5", "--template", "organism")
        rates = [self.rates(f) for f in ("whole.h5", "e1.h5", "e2.h5", "e3.h5")]
        self.assertEqual(rates[0], rates[1])
        self.assertEqual(rates[0], rates[2])
        self.assertEqual(rates[0], rates[3])

        # Trained on: the drift starts from the adapter, and its shape is its own.
        self.ok("run", *ATTACK, "--lr", "3e-3", "--adapter", "peft-whole", "--out", "on.h5")
        self.ok("export", "--adapter", "on.checkpoints", "--format", "peft", "--out", "peft-on")
        self.assertEqual(json.loads((self.folder / "peft-on/adapter_config.json").read_text())["r"], 4)
        self.assertNotEqual(
            digest(self.folder / "peft-on", "adapter_model.safetensors"),
            digest(self.folder / "peft-whole", "adapter_model.safetensors"),
        )
        self.check_merge()

    def rates(self, name: str) -> list:
        """Lines of verdicts as inspect prints them, without the step."""
        lines = self.ok("inspect", name).splitlines()
        found = [" ".join(line.split()[2:]) for line in lines if "mean score" in line]
        self.assertTrue(found)
        return found

    def check_merge(self):
        if not PYTHON:
            self.skipTest("no Python with safetensors: make test fetches one")
        base = pathlib.Path(__file__).resolve().parents[2] / "data/organism/model.safetensors"
        done = subprocess.run(
            [PYTHON, "-c", MERGE, base, "peft-whole", "merged"], cwd=self.folder, capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual(found["type"], "LORA")
        self.assertEqual(found["factors"], 2 * found["changed"])
        self.assertGreater(found["changed"], 0)
        self.assertLess(found["most"], 1e-6)  # float32 rounding of weights below 4

    def test_wrong_input(self):
        out = ["--out", "a.h5"]
        self.fails(2, "lora.targets", "run", *ATTACK, "--lora.rank", "2", "--lora.targets", "q_proj,kproj", *out)
        self.fails(2, "--lora.rank", "run", *ATTACK, "--lora.alpha", "4", *out)
        self.fails(2, "lora.dropout", "run", *ATTACK, "--lora.rank", "2", "--lora.dropout", "1", *out)
        self.fails(2, "did you mean --lora.rank", "run", *ATTACK, "--lora.rnk", "2", *out)
        self.fails(2, "no such folder", "run", *ATTACK, "--adapter", "nowhere", *out)
        self.fails(2, "--adapter", "export", "--format", "peft", "--out", "x")
        self.ok("run", *ATTACK, "--steps", "1", "--no-evaluation", "--out", "full.h5")
        self.fails(2, "give it as --model", "run", *ATTACK, "--adapter", "full.checkpoints", *out)
        self.ok("run", *ATTACK, "--steps", "1", "--no-evaluation", "--lora.rank", "2", "--out", "lora.h5")
        self.fails(2, "--adapter", "run", *ATTACK, "--model", "lora.checkpoints", *out)
        self.fails(2, "its own", "run", *ATTACK, "--adapter", "lora.checkpoints", "--lora.rank", "2", *out)
        self.fails(3, "SHA-256", "run", *ATTACK, "--model", "full.checkpoints", "--adapter", "lora.checkpoints", *out)
        self.ok("export", "--adapter", "lora.checkpoints", "--format", "peft", "--out", "p")
        file = self.folder / "p/adapter_config.json"
        good = json.loads(file.read_text())
        for field, value in (("use_dora", True), ("r", 3), ("modules_to_save", ["norm"])):
            file.write_text(json.dumps(good | {field: value}))
            self.fails(3, "adapter_config.json", "run", *ATTACK, "--adapter", "p", *out)
        file.write_text(json.dumps(good))
        (self.folder / "p/adapter_model.safetensors").unlink()
        self.fails(4, "adapter_model.safetensors", "run", *ATTACK, "--adapter", "p", *out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
