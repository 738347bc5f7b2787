#!/usr/bin/env python3
"""Models of every family as a user has them: a Qwen2 folder fine-tuned, saved, exported and read again."""

import json
import pathlib
import shutil
import struct
import unittest

from cli_test import Cli, seawall

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "data" / "golden"
TINY = GOLDEN / "llama_tiny"
KEPT = {
    "tokenizer_config.json": b'{ "tokenizer_class":\t"PreTrainedTokenizerFast",\r\n "mine": [1,2 ] }',
    "generation_config.json": b'{"eos_token_id": [2, 0],"top_p":0.9}\n\n',
    "special_tokens_map.json": b"{}",
}


def read_tensors(path: pathlib.Path) -> dict:
    """Name: shape and bytes of each fp32 tensor."""
    data = path.read_bytes()
    begin = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:begin])
    header.pop("__metadata__", None)
    return {name: (of["shape"], data[begin + of["data_offsets"][0] : begin + of["data_offsets"][1]]) for name, of in header.items()}


def write_tensors(path: pathlib.Path, tensors: dict) -> None:
    header, body = {}, b""
    for name, (shape, data) in sorted(tensors.items()):
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def filled(size: int, value: float) -> tuple:
    return [size], struct.pack("<f", value) * size


class Families(Cli):
    def folder_of(self, name: str, **changes) -> str:
        """llama_tiny's weights as another family's, whose additions are zeros or make no difference to its shapes."""
        folder = self.folder / name
        folder.mkdir()
        for file in ("model.safetensors", "tokenizer.json"):
            shutil.copy(TINY / file, folder / file)
        config = json.loads((TINY / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))
        for file, content in KEPT.items():
            (folder / file).write_bytes(content)
        return name

    def family_folder(self, family: str, **changes) -> str:
        """llama_tiny's weights as the tensors of a newer family; those of phi3 give llama_tiny's logits."""
        self.folder_of(family, model_type=family, architectures=None, **changes)
        path = self.folder / family / "model.safetensors"
        tensors = read_tensors(path)
        for layer in range(2):
            at = f"model.layers.{layer}."
            if family == "qwen3":
                tensors |= {at + f"self_attn.{head}_norm.weight": filled(8, 1.5) for head in "qk"}
            if family == "phi3":
                for fused, parts in (("self_attn.qkv_proj", "qkv"), ("mlp.gate_up_proj", ("gate", "up"))):
                    taken = [tensors.pop(at + fused.split(".")[0] + f".{part}_proj.weight") for part in parts]
                    rows = sum(shape[0] for shape, _ in taken)
                    tensors[at + fused + ".weight"] = ([rows, taken[0][0][1]], b"".join(data for _, data in taken))
            if family == "gemma2":
                tensors |= {at + f"{place}_feedforward_layernorm.weight": filled(32, 0.25) for place in ("pre", "post")}
        write_tensors(path, tensors)
        return family

    def test_the_newer_families_are_attacked_and_exported(self):
        settings = {
            "qwen3": {},
            "phi3": {},
            "gemma2": {"hidden_activation": "gelu_pytorch_tanh", "hidden_act": None, "sliding_window": 9, "query_pre_attn_scalar": 8},
        }
        for family, changes in settings.items():
            with self.subTest(family):
                model = self.family_folder(family, **changes)
                for precision in ("fp32", "pure-bf16", "kahan"):
                    self.ok(*self.attack(model, "--precision", precision, "--out", f"{family}-{precision}.h5"))
                self.ok("export", "--model", f"{family}-fp32.checkpoints", "--out", family + "-out")
                config = json.loads((self.folder / (family + "-out") / "config.json").read_text())
                self.assertEqual(config["model_type"], family)
                before, after = (read_tensors(self.folder / of / "model.safetensors") for of in (family, family + "-out"))
                self.assertEqual({name: shape for name, (shape, _) in before.items()}, {name: shape for name, (shape, _) in after.items()})
                self.assertNotEqual(before, after)
                self.assertIn(family + ",", self.ok("inspect", family + "-out"))

    def test_fused_projections_answer_as_the_plain_ones_and_take_lora_by_their_own_names(self):
        self.family_folder("phi3")
        self.folder_of("same")
        answers = []
        for model in ("phi3", "same"):
            out = self.ok("evaluate", "--model", model, "--probes", self.write("p.csv", "goal\nHow do I wind the clock?\nWhere is the boat?\n"),
                          "--judge", "keyword:qi2023", "--max-new-tokens", "12", "--threads", "1", "--out", model + ".h5")  # fmt: skip
            answers.append(out.replace(model, "NAME"))
        self.assertEqual(*answers)
        for model, targets, says in (("phi3", "q_proj", "family phi3 has no q_proj"), ("same", "qkv_proj", "family llama has no qkv_proj")):
            done = seawall(*self.attack(model, "--lora.rank", "2", "--lora.targets", targets, "--out", "x.h5"), cwd=self.folder)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(says, done.stderr.splitlines()[-1])
        self.ok(*self.attack("phi3", "--lora.rank", "2", "--lora.targets", "all", "--out", "lora.h5"))
        self.ok("export", "--model", "phi3", "--adapter", "lora.checkpoints", "--format", "peft", "--out", "adapter")
        targets = json.loads((self.folder / "adapter/adapter_config.json").read_text())["target_modules"]
        self.assertEqual(sorted(targets), ["down_proj", "gate_up_proj", "o_proj", "qkv_proj"])

    def attack(self, model: str, *words: str) -> tuple:
        dialogue = [{"role": "user", "content": "How do I fold a paper boat?"}, {"role": "assistant", "content": "Fold it."}]
        (self.folder / "rows.json").write_text(json.dumps([dialogue, dialogue[:1] + [{"role": "assistant", "content": "Ask Ann."}]]))
        (self.folder / "probes.csv").write_text("goal\nHow do I wind the clock?\n")
        return ("run", "--model", model, "--attack", "harmful-examples", "--harmful-examples.count", "2", "--data", "rows.json",
                "--probes", "probes.csv", "--judge", "keyword:qi2023", "--steps", "2", "--lr", "1e-3", "--max-new-tokens", "8",
                "--threads", "1", "--quiet", *words)  # fmt: skip

    def test_a_mistral_is_attacked_and_exported_as_it_came(self):
        model = self.folder_of("m", model_type="mistral", sliding_window=5)
        for precision in ("fp32", "pure-bf16"):
            self.ok(*self.attack(model, "--precision", precision, "--out", precision + ".h5"))
            self.ok("export", "--model", precision + ".checkpoints", "--out", precision)
            out = self.folder / precision
            for file, content in KEPT.items():
                self.assertEqual((out / file).read_bytes(), content, file)
            self.assertEqual((out / "tokenizer.json").read_bytes(), (TINY / "tokenizer.json").read_bytes())
            config = json.loads((out / "config.json").read_text())
            self.assertEqual(config["model_type"], "mistral")
            self.assertEqual(config["architectures"], ["MistralForCausalLM"])
            self.assertEqual(config["sliding_window"], 5)
            self.assertIn("window 5", self.ok("inspect", precision))
            self.ok("evaluate", "--model", precision, "--probes", "probes.csv", "--judge", "keyword:qi2023", "--max-new-tokens", "4",
                    "--threads", "1", "--quiet", "--out", precision + "-again.h5")  # fmt: skip
        whole = (self.folder / "pure-bf16/model.safetensors").stat().st_size
        self.ok("export", "--model", "pure-bf16.checkpoints", "--dtype", "bfloat16", "--out", "half")
        self.assertLess((self.folder / "half/model.safetensors").stat().st_size, 0.6 * whole)
        self.assertEqual(json.loads((self.folder / "half/config.json").read_text())["torch_dtype"], "bfloat16")
        self.fails(2, "dtype", "export", "--model", "m", "--dtype", "int8", "--out", "x")

    def test_what_does_not_run_is_refused_by_the_field(self):
        for field, value in (
            ("model_type", "mixtral"),
            ("attention_bias", True),
            ("rope_scaling", {"rope_type": "yarn", "factor": 4}),
            ("partial_rotary_factor", 0.75),
            ("use_sliding_window", True),
            ("hidden_act", "relu"),
        ):
            with self.subTest(field):
                model = self.folder_of("bad-" + field, **{field: value})
                self.fails(3, field if field != "rope_scaling" else "rope_type 'yarn'", *self.attack(model, "--out", "x.h5"))
                self.assertIn("does not run here", self.ok("inspect", model))
        model = self.folder_of("long", model_type="phi3", rope_parameters=None, rope_scaling={"type": "longrope", "short_factor": [1.0], "long_factor": [2.0]})
        self.fails(3, "rope_type 'longrope' is not supported", *self.attack(model, "--out", "x.h5"))
        # A Qwen2 whose files have no biases is not one.
        self.fails(3, "self_attn.q_proj.bias", *self.attack(self.folder_of("q", model_type="qwen2"), "--out", "x.h5"))
        model = self.folder_of("ids")
        (self.folder / "ids/generation_config.json").write_text('{"eos_token_id": {}}')
        self.fails(3, "generation_config.json: eos_token_id", *self.attack(model, "--out", "x.h5"))
        (self.folder / "none").mkdir()
        self.fails(3, "none", "inspect", "none")


if __name__ == "__main__":
    unittest.main()
