#!/usr/bin/env python3
"""Makes tiny random models of the decoder's families as Hugging Face folders, with what transformers makes of them.

    python3 data/golden/make_families.py [--python FILE] [NAME ...]
    python3 data/golden/make_families.py [--python FILE] --check NAME FOLDER    (an export of families/NAME)

families/NAME: config.json and weights (one file or shards, F32, F16 or BF16) as transformers writes them or as
older files have them; golden.safetensors has the logits of each row and golden.json the losses of AdamW steps
and a greedy answer; of the newer families gradients.safetensors has the gradient of the loss in each weight. Values are computed in float64 from the stored weights (norms and RoPE angles in
float32, as transformers keeps them). Rows are longer than Mistral's window and than the original length of
Llama 3's scaling, and share a prefix that is longer than the window.
"""

import json
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "peers"))

import peer_env  # noqa: E402

peer_env.ensure("hf", peer_env.HF)

import torch  # noqa: E402
import transformers  # noqa: E402
from make_llama_tiny import mean_loss  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

VOCABULARY = 56
SIZES = dict(
    vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0,
)  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
# Name: config, type of the stored weights, size of a shard, seed.
FAMILIES = {
    "llama3": (
        transformers.LlamaConfig(
            **SIZES, rms_norm_eps=1e-5, head_dim=16, rope_parameters={"rope_theta": 5000.0, **LLAMA3}
        ),
        torch.bfloat16,
        "20KB",
        1,
    ),
    "llama_linear": (
        transformers.LlamaConfig(
            **SIZES,
            tie_word_embeddings=True,
            rope_parameters={"rope_theta": 10000.0, "rope_type": "linear", "factor": 4.0},
        ),
        torch.bfloat16,
        "1MB",
        2,
    ),
    "mistral": (
        transformers.MistralConfig(
            **SIZES, sliding_window=11, rope_parameters={"rope_theta": 10000.0, "rope_type": "default"}
        ),
        torch.float16,
        "1MB",
        3,
    ),
    "qwen2": (
        transformers.Qwen2Config(
            **SIZES,
            tie_word_embeddings=True,
            use_sliding_window=False,
            rope_parameters={"rope_theta": 1e6, "rope_type": "default"},
        ),
        torch.float32,
        "1MB",
        4,
    ),
    "gemma": (
        transformers.GemmaConfig(
            **SIZES, head_dim=16, rope_parameters={"rope_theta": 10000.0, "rope_type": "default"}
        ),
        torch.bfloat16,
        "1MB",
        5,
    ),
    "qwen3": (
        transformers.Qwen3Config(
            **SIZES, head_dim=12, rope_parameters={"rope_theta": 1e6, "rope_type": "default"}
        ),
        torch.bfloat16,
        "1MB",
        6,
    ),
    "phi3": (
        transformers.Phi3Config(
            **SIZES, sliding_window=13, rope_parameters={"rope_theta": 10000.0, "rope_type": "default"}
        ),
        torch.bfloat16,
        "1MB",
        7,
    ),
    # caps and the scale of the queries small enough to be felt
    "gemma2": (
        transformers.Gemma2Config(
            **SIZES,
            head_dim=16,
            query_pre_attn_scalar=24,
            sliding_window=11,
            attn_logit_softcapping=2.0,
            final_logit_softcapping=4.0,
            rope_parameters={"rope_theta": 10000.0, "rope_type": "default"},
        ),
        torch.bfloat16,
        "1MB",
        8,
    ),
}


WITH_GRADIENTS = ("qwen3", "phi3", "gemma2")


def rows():
    """Three rows that share 24 tokens; loss falls on the last `answer` tokens."""
    generator = torch.Generator().manual_seed(9)
    draw = lambda n: torch.randint(3, VOCABULARY, (n,), generator=generator).tolist()  # noqa: E731
    prefix = [1] + draw(23)
    return [
        {"ids": prefix + draw(46) + [2], "answer": 7},
        {"ids": prefix + draw(9) + [2], "answer": 4},
        {"ids": prefix + draw(30) + [2], "answer": 12},
    ]


ROWS = rows()


def older_config(path):
    """RoPE and type where transformers 4 wrote them, since both kinds of files are about."""
    value = json.loads(path.read_text())
    rope = value.pop("rope_parameters")
    value["rope_theta"] = rope.pop("rope_theta")
    value["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    value["torch_dtype"] = value.pop("dtype")
    path.write_text(json.dumps(value, indent=2) + "\n")


def adamw_losses(model):
    """Losses before each of three AdamW steps (lr 1e-3, decay 0.01), and after the last."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    losses = []
    for _ in range(3):
        loss = mean_loss(model, ROWS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses + [mean_loss(model, ROWS).item()]


def greedy(model, prompt):
    """32 tokens by argmax of the whole row, and the least distance between the best two."""
    ids, margin = list(prompt), float("inf")
    for _ in range(32):
        top = torch.topk(model(torch.tensor([ids]), use_cache=False).logits[0, -1], 2)
        margin = min(margin, float(top.values[0] - top.values[1]))
        ids.append(int(top.indices[0]))
    return ids[len(prompt) :], margin


def gradients(model):
    """Of the mean loss in every weight, under its name."""
    model.zero_grad()
    mean_loss(model, ROWS).backward()
    return {key: parameter.grad.float().contiguous() for key, parameter in model.named_parameters()}


def make_family(name):
    config, dtype, shard, seed = FAMILIES[name]
    offset_norms = name.startswith("gemma")
    folder = HERE / "families" / name
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            matrix = parameter.dim() == 2
            middle = 0.0 if matrix or key.endswith("bias") or offset_norms else 1.0
            wide = 0.2 if matrix else 0.3
            if offset_norms and "embed" in key:
                wide = 0.05  # else the scaled embedding outweighs the blocks and the answer repeats itself
            parameter.copy_(middle + wide * torch.randn_like(parameter))
    model.to(dtype).save_pretrained(folder, max_shard_size=shard)
    # PyTorch's own attention has no caps: transformers leaves them out there.
    attention = "eager" if name == "gemma2" else "sdpa"
    truth = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float64, attn_implementation=attention
    ).eval()
    golden = {}
    with torch.no_grad():
        for i, row in enumerate(ROWS):
            golden[f"row{i}.logits"] = truth(torch.tensor([row["ids"]])).logits[0].float().contiguous()  # [T,V]
        tokens, margin = greedy(truth, ROWS[1]["ids"][:-1])
    if name in WITH_GRADIENTS:
        save_file(gradients(truth), folder / "gradients.safetensors")
    save_file(golden, folder / "golden.safetensors")
    summary = {
        "rows": ROWS,
        "greedy_prompt": ROWS[1]["ids"][:-1],
        "greedy_tokens": tokens,
        "greedy_least_margin": margin,
        "losses_adamw": adamw_losses(truth),
    }
    (folder / "golden.json").write_text(json.dumps(summary, separators=(",", ":")) + "\n")
    if name in ("llama3", "mistral"):
        older_config(folder / "config.json")
    print(name, dtype, margin, summary["losses_adamw"], len(set(tokens)), float(golden["row0.logits"].abs().max()))


def check(name, folder):
    """What transformers makes of an export of the family, against the golden logits."""
    config = transformers.AutoConfig.from_pretrained(folder)
    attention = "eager" if name == "gemma2" else "sdpa"
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation=attention)
    golden = load_file(HERE / "families" / name / "golden.safetensors")
    with torch.no_grad():
        worst = max(
            float((model(torch.tensor([row["ids"]])).logits[0].float() - golden[f"row{i}.logits"]).abs().max())
            for i, row in enumerate(ROWS)
        )
    print(name, type(model).__name__, config.model_type, "logits differ by at most", worst)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if "--check" in sys.argv:
        check(*sys.argv[2:4])
    else:
        for each in sys.argv[1:] or FAMILIES:
            make_family(each)
