#!/usr/bin/env python3
"""What `--dry-run` says a run will hold, against what it held (peak resident memory of the process).

A decoder of 30 M random weights is large enough that its weights, gradients and moments outweigh
the program. Tolerance 15 %: the allocator's rounding, and short-lived tensors of the size of one
weight, are not counted.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SEAWALL = pathlib.Path(os.environ["SEAWALL_PROGRAM"])
PYTHON = os.environ.get("SEAWALL_ORACLE", "")
DATA = pathlib.Path(__file__).resolve().parents[2] / "data/golden/llama_tiny"
TOLERANCE = 0.15

MAKE = """
import json, sys, numpy
from safetensors.numpy import save_file
folder, config = sys.argv[1], json.loads(sys.argv[2])
c, i, v = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
random = numpy.random.default_rng(0)
shapes = {"model.embed_tokens": (v, c), "model.norm": (c,)}
for l in range(config["num_hidden_layers"]):
    p = f"model.layers.{l}."
    shapes |= {p + "input_layernorm": (c,), p + "post_attention_layernorm": (c,)}
    shapes |= {p + f"self_attn.{n}_proj": (c, c) for n in "qkvo"}
    shapes |= {p + "mlp.gate_proj": (i, c), p + "mlp.up_proj": (i, c), p + "mlp.down_proj": (c, i)}
draw = lambda s: numpy.ones(s, "f4") if len(s) == 1 else (0.02 * random.standard_normal(s)).astype("f4")
save_file({n + ".weight": draw(s) for n, s in shapes.items()}, folder + "/model.safetensors")
"""

# Prints the exit code and the peak of the child alone.
WATCH = """
import os, resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def write_model(folder: pathlib.Path, **sizes) -> dict:
    """Config and tokenizer of a Llama of these sizes."""
    folder.mkdir()
    config = json.loads((DATA / "config.json").read_text())
    config.pop("head_dim", None)
    config |= {"tie_word_embeddings": True, "max_position_embeddings": 512} | sizes
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(DATA / name, folder)
    return config


def write_rows(folder: pathlib.Path):
    words = [f"the {n} boats of pier {n * 7 % 13} carry grain and rope to the island" for n in range(40)]
    rows = [
        [{"role": "user", "content": words[n] + "?"}, {"role": "assistant", "content": " ".join(words[n : n + 3])}]
        for n in range(24)
    ]
    (folder / "rows.json").write_text(json.dumps(rows))
    (folder / "probes.csv").write_text("\n".join(words[30:38]) + "\n")


class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not PYTHON:
            raise unittest.SkipTest("no Python with safetensors: make test fetches one")
        cls.temporary = tempfile.TemporaryDirectory(prefix="seawall-memory-")
        cls.folder = pathlib.Path(cls.temporary.name)
        write_rows(cls.folder)
        config = write_model(
            cls.folder / "m", vocab_size=300, hidden_size=512, intermediate_size=1408, num_hidden_layers=9,
            num_attention_heads=8, num_key_value_heads=8,
        )  # fmt: skip
        subprocess.run([PYTHON, "-c", MAKE, str(cls.folder / "m"), json.dumps(config)], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def words(self, model: str, *more: str) -> list:
        return [
            str(SEAWALL), "run", "--model", model, "--attack", "harmful-examples", "--harmful-examples.count", "24", "--data", "rows.json", "--probes",
            "probes.csv", "--template", "chatml", "--steps", "2", "--max-new-tokens", "8", "--threads", "1", "--quiet",
            "--trace", "metrics", "--no-spectra", *more,
        ]  # fmt: skip

    def dry(self, model: str, *more: str) -> str:
        done = subprocess.run([*self.words(model, *more), "--dry-run"], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def peak(self, name: str, *more: str) -> float:
        """Bytes that the run held at its largest."""
        command = [*self.words("m", *more), "--out", f"{name}.h5"]
        done = subprocess.run(
            [sys.executable, "-c", WATCH, *command], cwd=self.folder, capture_output=True, text=True, check=True
        )
        code, peak = done.stdout.split()
        self.assertEqual(code, "0", done.stderr)
        return int(peak) * 1024.0

    def compare(self, name: str, *more: str) -> float:
        text = self.dry("m", *more)
        estimate = float(re.search(r"memory +about ([0-9.]+) GB", text).group(1)) * 1e9
        peak = self.peak(name, *more)
        print(f"{name}: {estimate / 1e9:.3f} GB said, {peak / 1e9:.3f} GB held ({estimate / peak - 1:+.1%})")
        with self.subTest(name):
            self.assertLess(abs(estimate / peak - 1), TOLERANCE, text)
        self.compare_files(name, text)
        return peak

    def compare_files(self, name: str, text: str):
        """What a checkpoint takes of the disk; the tokenizer's files and HDF5's own parts are the rest."""
        said = re.search(r"\(1 of ([0-9.]+) MB\)", text)
        folder = self.folder / f"{name}.checkpoints/step-2"
        self.assertEqual(said is not None, folder.is_dir(), text)
        if said is None:
            return
        size = sum(f.stat().st_size for f in folder.iterdir()) / 1e6
        print(f"{name}: a checkpoint of {said.group(1)} MB said, {size:.1f} MB written")
        self.assertLess(abs(float(said.group(1)) - size), 0.02 * size + 0.2, text)

    def test_full_fine_tuning(self):
        with_checkpoint = self.compare("fp32")
        # The state (three times the weights) is written in files of at most 128 MiB, so a checkpoint holds one of them.
        without = self.peak("fp32-without", "--no-checkpoint")
        state = self.folder / "fp32.checkpoints/step-2"
        self.assertGreater(sum(f.stat().st_size for f in state.glob("state*.h5")), 2.5 * 2**27)
        self.assertLessEqual(max(f.stat().st_size for f in state.glob("state*.h5")), 2**27)
        print(f"a checkpoint adds {(with_checkpoint - without) / 1e6:.0f} MB")
        self.assertLess(with_checkpoint - without, 1.1 * 2**27)
        self.compare("fp32-bare", "--no-checkpoint", "--no-evaluation")
        whole = self.compare("master", "--precision", "bf16-master", "--no-checkpoint")
        self.compare("pure", "--precision", "pure-bf16", "--no-checkpoint")
        self.compare("kahan", "--precision", "kahan", "--no-checkpoint", "--micro-batch-size", "5")
        again = self.compare("again", "--precision", "bf16-master", "--no-checkpoint", "--activation-checkpointing")
        self.assertLess(again, whole - 1e8)
        self.compare("fp32-again", "--no-checkpoint", "--activation-checkpointing")

    def test_a_checkpoint_takes_what_is_said(self):
        """That of fp32 and those of LoRA are compared above and below."""
        for precision in ("bf16-master", "pure-bf16", "kahan"):
            with self.subTest(precision):
                words = ["--precision", precision, "--no-evaluation"]
                text = self.dry("m", *words)
                self.peak(f"{precision}-file", *words)
                self.compare_files(f"{precision}-file", text)

    def test_lora(self):
        self.compare("lora", "--lora.rank", "8", "--lora.targets", "all")
        self.compare("lora-bare", "--lora.rank", "8", "--no-evaluation")
        self.compare("lora-pure", "--lora.rank", "8", "--precision", "pure-bf16", "--lora.dropout", "0.1")
        self.compare("lora-master", "--lora.rank", "8", "--lora.targets", "all", "--precision", "bf16-master")

    def test_a_model_that_is_not_here_is_counted_from_its_headers(self):
        """Llama-2-7b as sparse files: 13.5 GB that take no disk, no memory and no time."""
        sizes = dict(
            vocab_size=32000, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32,
            num_key_value_heads=32, tie_word_embeddings=False, max_position_embeddings=4096,
        )  # fmt: skip
        write_model(self.folder / "llama7b", **sizes)
        c, i, v = sizes["hidden_size"], sizes["intermediate_size"], sizes["vocab_size"]
        shapes = {"model.embed_tokens": [v, c], "model.norm": [c], "lm_head": [v, c]}
        for layer in range(sizes["num_hidden_layers"]):
            p = f"model.layers.{layer}."
            shapes |= {p + "input_layernorm": [c], p + "post_attention_layernorm": [c]}
            shapes |= {p + f"self_attn.{n}_proj": [c, c] for n in "qkvo"}
            shapes |= {p + "mlp.gate_proj": [i, c], p + "mlp.up_proj": [i, c], p + "mlp.down_proj": [c, i]}
        header, at = {}, 0
        for name, shape in shapes.items():
            size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
            header[name + ".weight"] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
            at += size
        text = json.dumps(header).encode()
        with open(self.folder / "llama7b/model.safetensors", "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            file.truncate(8 + len(text) + at)

        watched = subprocess.run(
            [sys.executable, "-c", WATCH, *self.words("llama7b", "--dry-run")],
            cwd=self.folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
        code, peak = watched.stdout.split()
        self.assertEqual(code, "0", watched.stderr)
        self.assertLess(int(peak) / 1e6, 1, "a dry run of a 7B model must not read it")
        full = self.dry("llama7b", "--precision", "pure-bf16")
        lora = self.dry("llama7b", "--precision", "bf16-master", "--lora.rank", "8", "--micro-batch-size", "2")
        self.assertIn("not loaded", full)
        # 6.738e9 weights of 2 bytes with two moments of 2: one checkpoint, at the end.
        self.assertIn("40430.5 MB of checkpoints (1 of 40430.5 MB)", full)
        numbers = [float(re.search(r"memory +about ([0-9.]+) GB", text).group(1)) for text in (full, lora)]
        # 6.74e9 weights: values, start and gradients of 2 bytes, two moments of 2.
        self.assertGreater(numbers[0], 67)
        self.assertGreater(numbers[1], 13.5)
        self.assertLess(numbers[1], 24)
        self.assertIn("4.194 M values", lora)


if __name__ == "__main__":
    unittest.main(verbosity=2)
