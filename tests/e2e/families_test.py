#!/usr/bin/env python3
"""Models of every family as a user has them: a Qwen2 folder fine-tuned, saved, exported and read again."""

import json
import pathlib
import shutil
import unittest

from cli_test import Cli

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "data" / "golden"
TINY = GOLDEN / "llama_tiny"
KEPT = {
    "tokenizer_config.json": b'{ "tokenizer_class":\t"PreTrainedTokenizerFast",\r\n "mine": [1,2 ] }',
    "generation_config.json": b'{"eos_token_id": [2, 0],"top_p":0.9}\n\n',
    "special_tokens_map.json": b"{}",
}


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
            ("use_sliding_window", True),
            ("hidden_act", "relu"),
        ):
            with self.subTest(field):
                model = self.folder_of("bad-" + field, **{field: value})
                self.fails(3, field if field != "rope_scaling" else "rope_type 'yarn'", *self.attack(model, "--out", "x.h5"))
                self.assertIn("does not run here", self.ok("inspect", model))
        # A Qwen2 whose files have no biases is not one.
        self.fails(3, "self_attn.q_proj.bias", *self.attack(self.folder_of("q", model_type="qwen2"), "--out", "x.h5"))
        model = self.folder_of("ids")
        (self.folder / "ids/generation_config.json").write_text('{"eos_token_id": {}}')
        self.fails(3, "generation_config.json: eos_token_id", *self.attack(model, "--out", "x.h5"))
        (self.folder / "none").mkdir()
        self.fails(3, "none", "inspect", "none")


if __name__ == "__main__":
    unittest.main()
