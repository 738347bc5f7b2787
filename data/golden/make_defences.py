#!/usr/bin/env python3
"""Writes defences.json and defences.safetensors: what published defences and attacks do to a tiny model.

One entry for each policy, from the paper's definition alone (defence_training.py, defence_losses.py,
defence_alignment.py, defence_repair.py, defence_rows.py). Weights are float32 on disk, everything is
computed in float64. Each entry also holds how far the same script comes out in float32: the tolerance
of a float32 build cannot be finer.

Usage: python3 data/golden/make_defences.py   (needs torch, safetensors, tokenizers)
"""

import json
import math

import defence_alignment  # noqa: F401
import defence_losses  # noqa: F401
import defence_repair  # noqa: F401
import defence_rows  # noqa: F401
import defence_training  # noqa: F401
import torch
from defence_lab import BATCH, FOLDER, HERE, LR, POLICIES, RANK, SCALE, STEPS, TARGETS, Lab, square
from safetensors.torch import save_file

ABOUT = {
    "model": "llama_tiny_untied; other tensors in defences.safetensors: base.NAME (the unaligned base), "
    "adapter.MODULE.lora_A.weight and lora_B.weight (the LoRA case's start), safe_adapter.*, noise",
    "training": {"batch": BATCH, "steps": STEPS, "optimizer": "AdamW", "betas": [0.9, 0.999], "eps": 1e-8,
                 "weight_decay": 0, "lr": LR, "clipping": False, "loss": "mean over all targets of the batch",
                 "rows": "each pool in order, a batch at a time, the first row after the last"},
    "lora": {"targets": TARGETS, "rank": RANK, "scale": SCALE},
    "taps": "attn_out: output of o_proj; mlp_out: output of down_proj; resid: output of a block",
    "rows": "ids: tokens in ChatML, cut after the answer's end token; first: place of the first target; every later token "
    "is one. user and answer are the texts",
    "weights": "for each tensor its sum, L2 norm, the entries at (2k+1) numel / 16 for k = 0..7, and the L2 norm of its "
    "difference from the start of the run",
    "steps": "loss: what a run records; penalty: what was added; grad_norm, grad_norms: of the gradient that AdamW "
    "was given",
    "float32": "of the same script in float32: the largest relative deviation of a loss or a gradient norm (`norms`), the "
    "largest absolute one of an entry of a weight (`entries`), and `differs` if a choice or a ranking came out otherwise",
}  # fmt: skip


def numbers_of(value, path=()):
    """(path, number) of everything in an entry."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from numbers_of(each, (*path, key))
    elif isinstance(value, list):
        for i, each in enumerate(value):
            yield from numbers_of(each, (*path, i))
    elif isinstance(value, (int, float)):
        yield path, value


def deviation(exact, rough):
    out, other = {"norms": 0.0, "entries": 0.0}, dict(numbers_of(rough))
    for path, value in numbers_of(exact):
        if path not in other or (isinstance(value, int) and other[path] != value):
            return out | {"differs": ".".join(map(str, path))}
        gap = abs(value - other[path])
        if "weights" in path:
            out["entries"] = max(out["entries"], gap if "entries" in path else 0.0)
        elif path[-1] in ("loss", "penalty", "grad_norm"):
            out["norms"] = max(out["norms"], gap / max(abs(value), 1e-6))
    return {k: float(f"{v:.2g}") for k, v in out.items()}


def distance(a, b):
    """How far two entries' weights are apart, from their entries alone."""
    both = [n for n in a.get("weights", {}) if n in b["weights"]]
    return math.sqrt(sum((x - y) ** 2 for n in both for x, y in zip(a["weights"][n]["entries"], b["weights"][n]["entries"])))


def check_model(lab):
    """The tiny model here is the one of transformers: its loss and gradient norm are those of golden.json."""
    golden = json.loads((FOLDER / "golden.json").read_text())
    rows = [{"ids": row["ids"], "first": len(row["ids"]) - row["answer"]} for row in golden["rows"]]
    weights = {k: v.clone().requires_grad_() for k, v in lab.aligned.items()}
    loss = lab.loss(weights, rows)
    norm = square(torch.autograd.grad(loss, list(weights.values()))).sqrt()
    for mine, name in ((loss, "loss"), (norm, "grad_norm")):
        assert abs(float(mine.detach()) / golden[name] - 1) < 1e-6, f"{name}: {float(mine.detach())}, want {golden[name]}"


def main():
    torch.set_num_threads(1)
    exact, rough = Lab(torch.float64), Lab(torch.float32)
    check_model(exact)
    entries = {}
    for about, function in sorted(POLICIES, key=lambda each: not each[0]["name"].startswith("none")):
        name, options = about["name"], about["options"]
        value = function(exact, **options)
        value["float32"] = deviation(value, function(rough, **options))
        shown = about | {"options": {"lambda" if k == "lam" else k: v for k, v in options.items()}}
        entries[name] = {k: v for k, v in shown.items() if v not in ("", {}) and k != "name"} | value
        last = value.get("steps", [value])[-1]
        plain = entries["none-lora" if any("lora" in n for n in value.get("weights", {})) and name != "none" else "none"]
        print(f"{name:26} loss {last.get('loss', math.nan):8.5f} penalty {last.get('penalty', math.nan):9.5f} "
              f"gradient {last.get('grad_norm', math.nan):8.5f} from none {distance(value, plain):.1e} "
              f"float32 {value['float32']}")  # fmt: skip
    save_file({k: v.contiguous() for k, v in exact.extra.items()}, HERE / "defences.safetensors")
    text = json.dumps({"about": ABOUT, "rows": exact.rows, "entries": entries}, indent=None, separators=(",", ":"))
    (HERE / "defences.json").write_text(text.replace('},"', '},\n"').replace('],"', '],\n"') + "\n")


if __name__ == "__main__":
    main()
