#!/usr/bin/env python3
"""Makes taps.safetensors: what enters and leaves the products inside the blocks of tiny models.

    python3 data/golden/make_taps.py [--python FILE]

Values come from transformers' own modules by forward hooks, and from `output_attentions`, in float64
with eager attention on the stored weights; kept as float32. Keys are MODEL.LAYER.KIND, kinds as in
TapPoint. Each model sees the first 24 ids of the first row in its golden.json.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "peers"))

import peer_env  # noqa: E402

peer_env.ensure("hf", peer_env.HF)

import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

# Plain; biases; fused products and a window; a norm after attention and MLP, caps and a window.
FOLDERS = ["llama_tiny", "families/qwen2", "families/phi3", "families/gemma2"]
TOKENS = 24


def first(*modules):
    """The first of these attributes of a module that is there."""
    return lambda owner: next(getattr(owner, name) for name in modules if hasattr(owner, name))


def watch(model, golden, name):
    """Hooks that keep what the products of each block read and give."""

    def keep_input(key):
        return lambda module, args: golden.__setitem__(key, args[0][0].detach())

    def keep_output(key):
        return lambda module, args, out: golden.__setitem__(key, (out[0] if isinstance(out, tuple) else out)[0])

    for i, layer in enumerate(model.model.layers):
        into = {
            "qkv_in": first("q_proj", "qkv_proj")(layer.self_attn),
            "o_in": layer.self_attn.o_proj,
            "gate_up_in": first("gate_proj", "gate_up_proj")(layer.mlp),
            "down_in": layer.mlp.down_proj,
        }
        for kind, module in into.items():
            module.register_forward_pre_hook(keep_input(f"{name}.{i}.{kind}"))
        layer.self_attn.o_proj.register_forward_hook(keep_output(f"{name}.{i}.attn_out"))
        layer.mlp.down_proj.register_forward_hook(keep_output(f"{name}.{i}.mlp_out"))


def main():
    golden = {}
    for folder in FOLDERS:
        name = pathlib.Path(folder).name
        model = transformers.AutoModelForCausalLM.from_pretrained(
            HERE / folder, dtype=torch.float64, attn_implementation="eager"
        ).eval()
        watch(model, golden, name)
        ids = json.loads((HERE / folder / "golden.json").read_text())["rows"][0]["ids"][:TOKENS]
        with torch.no_grad():
            out = model(torch.tensor([ids]), output_attentions=True)
        for i, shares in enumerate(out.attentions):  # [1,H,T,T]
            golden[f"{name}.{i}.sink"] = shares[0, :, :, 0].t()  # [T,H]
    save_file({k: v.float().contiguous() for k, v in golden.items()}, HERE / "taps.safetensors")
    print(len(golden), "tensors")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
