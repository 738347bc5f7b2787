#!/usr/bin/env python3
"""Makes LoRA adapters of llama_tiny_untied with PEFT, their logits and merged weights; reads ours back.

    python3 data/golden/make_peft_tiny.py [--python FILE]                  (after make_llama_tiny.py)
    python3 data/golden/make_peft_tiny.py [--python FILE] --check FOLDER   (a folder of `export --format peft`)

`peft_tiny` adapts two projections; `peft_patterns` all of them, rank-stabilized, with ranks and
alphas that differ; `peft_dora` is DoRA on what a regular expression names, with a pattern that is one;
`peft_saved` keeps the head, the last norm and the embedding whole, `peft_tied` the head of a tied model
(llama_tiny), `peft_head` adapts head and embedding by factors; `peft_fused` adapts the fused projections of
families/phi3. Logits are of float64 throughout: transformers' float32 in norms and angles is
replaced here. Each is kept as two float32 tensors whose sum it is, to 1e-13.
"""

import argparse
import json
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "peers"))

import peer_env  # noqa: E402

peer_env.ensure("peft", [*peer_env.HF, "peft==0.21.2"])

import peft  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from transformers.models.llama import modeling_llama as llama  # noqa: E402
from transformers.models.phi3 import modeling_phi3 as phi3  # noqa: E402

BASE = HERE / "llama_tiny_untied"
ROW = [1, 17, 250, 33, 33, 9, 40, 41, 299, 7, 102, 55, 2, 2]


def norm_in_double(self, x):
    return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)


def angles_in_double(self, x, position_ids):
    width = 2 * self.inv_freq.numel()
    theta = self.config.rope_parameters["rope_theta"]
    frequency = 1 / theta ** (torch.arange(0, width, 2, dtype=torch.float64) / width)
    angle = position_ids[0].double()[:, None] * frequency
    both = torch.cat([angle, angle], -1)[None]
    return both.cos(), both.sin()


def logits_of(model):
    """Float64 logits of ROW, its ids modulo the vocabulary, as two float32 parts."""
    ids = [i % model.config.vocab_size for i in ROW]
    with torch.no_grad():
        exact = model.double()(torch.tensor([ids])).logits[0]
    most = exact.float()
    return {"logits": most, "logits.rest": (exact - most.double()).float()}


def base(folder=BASE):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def make(name, config, start=BASE):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(8)
    model = peft.get_peft_model(base(start), config)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "magnitude" in key or "modules_to_save" in key:
                parameter.mul_(1 + 0.2 * torch.randn_like(parameter))
            elif "lora_" in key:
                parameter.copy_(0.2 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    settings = json.loads((folder / "adapter_config.json").read_text())
    settings["base_model_name_or_path"] = start.name
    if not isinstance(settings["target_modules"], str):
        settings["target_modules"] = sorted(settings["target_modules"])
    (folder / "adapter_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    golden = logits_of(peft.PeftModel.from_pretrained(base(start), folder))
    merged = peft.PeftModel.from_pretrained(base(start), folder).merge_and_unload()
    weights = base(start).state_dict()
    for key, value in merged.state_dict().items():  # those that the adapter changed, in float32
        if not torch.equal(value, weights[key]):
            golden["merged." + key] = value
    save_file({k: v.contiguous() for k, v in golden.items()}, folder / "golden.safetensors")
    print(name, len(golden), "tensors")


def check(folder):
    """What PEFT reads from `folder`, against the golden values of the adapter it was made from."""
    names, start = ("peft_tiny", "peft_patterns"), BASE
    if "qkv_proj" in (folder / "adapter_config.json").read_text():
        names, start = ("peft_fused",), HERE / "families" / "phi3"
    model = peft.PeftModel.from_pretrained(base(start), folder)
    for name in names:
        golden = load_file(HERE / name / "golden.safetensors")
        want = golden["logits"].double() + golden["logits.rest"].double()
        got = logits_of(model)
        difference = (got["logits"].double() + got["logits.rest"].double() - want).abs().max().item()
        print(f"{name}: logits differ by at most {difference:.3g}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    llama.LlamaRMSNorm.forward = phi3.Phi3RMSNorm.forward = norm_in_double
    llama.LlamaRotaryEmbedding.forward = phi3.Phi3RotaryEmbedding.forward = angles_in_double
    if arguments.check:
        return check(arguments.check)
    make("peft_tiny", peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
    make(
        "peft_patterns",
        peft.LoraConfig(
            r=4, lora_alpha=6, lora_dropout=0.25, use_rslora=True, task_type="CAUSAL_LM",
            target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
            rank_pattern={"layers.1.self_attn.q_proj": 2, "up_proj": 3}, alpha_pattern={"down_proj": 3},
        ),
    )  # fmt: skip
    make(
        "peft_dora",
        peft.LoraConfig(
            r=4, lora_alpha=6, use_dora=True, task_type="CAUSAL_LM", target_modules=r".*\.(q|v|down)_proj",
            alpha_pattern={r"layers\.[1-9]\.mlp\..*": 3},
        ),
    )  # fmt: skip
    make("peft_saved", peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM", modules_to_save=["lm_head", "norm", "embed_tokens"]))
    make("peft_tied", peft.LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM", modules_to_save=["lm_head"]), HERE / "llama_tiny")
    make(
        "peft_fused",
        peft.LoraConfig(r=4, lora_alpha=6, target_modules=["qkv_proj", "o_proj", "gate_up_proj", "down_proj"], task_type="CAUSAL_LM"),
        HERE / "families" / "phi3",
    )  # fmt: skip
    make("peft_head", peft.LoraConfig(r=2, lora_alpha=3, target_modules=["q_proj", "lm_head", "embed_tokens"], task_type="CAUSAL_LM"))


if __name__ == "__main__":
    main()
