#!/usr/bin/env python3
"""Makes tiny random Llamas as Hugging Face folders, with logits, gradients and optimizer steps.

    python3 data/golden/make_llama_tiny.py [--python FILE]

Values are computed in float64 (but for the norms and RoPE angles, which transformers keeps in
float32) and stored as float32, so that a build is compared with the truth, not with another build's
rounding.
"""

import json
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "peers"))

import peer_env  # noqa: E402

peer_env.ensure("hf", peer_env.HF)

import golden_strings  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: E402

VOCABULARY = 300
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Three rows that share their first six tokens, then go their own ways; loss falls on the last `answer` tokens.
PREFIX = [1, 17, 250, 33, 33, 9]
ROWS = [
    {"ids": PREFIX + [40, 41, 299, 7, 102, 55, 2, 2], "answer": 5},
    {"ids": PREFIX + [40, 60, 8, 8, 2], "answer": 2},
    {"ids": PREFIX + [111, 222, 2], "answer": 3},
]


def config(tied):
    return transformers.LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        rms_norm_eps=1e-5 if tied else 1e-3,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0 if tied else 500.0},
        tie_word_embeddings=tied,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )


def make_tokenizer():
    """A byte-level BPE of 300 tokens in the manner of SmolLM2's, with ChatML but no default system turn."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    dialogues = json.loads((HERE / "dialogues.json").read_text())
    tokenizer.train_from_iterator([m["content"] for d in dialogues for m in d], trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|endoftext|>",
        chat_template=TEMPLATE, model_max_length=512, clean_up_tokenization_spaces=False,
    )  # fmt: skip


def older_config(path):
    """Writes the untied folder's RoPE base and type as transformers 4 did, since both kinds are about."""
    value = json.loads(path.read_text())
    value |= {"rope_theta": value.pop("rope_parameters")["rope_theta"], "rope_scaling": None}
    value["torch_dtype"] = value.pop("dtype")
    del value["head_dim"]
    path.write_text(json.dumps(value, indent=2) + "\n")


def mean_loss(model, rows):
    """Mean cross-entropy over the answer tokens of all rows."""
    total, count = 0, 0
    for row in rows:
        logits = model(torch.tensor([row["ids"]])).logits[0]
        n = row["answer"]
        total = total + torch.nn.functional.cross_entropy(
            logits[-n - 1 : -1], torch.tensor(row["ids"][-n:]), reduction="sum"
        )
        count += n
    return total / count


def make_model(name, tied, tokenizer):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(5 if tied else 6)
    model = transformers.LlamaForCausalLM(config(tied)).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            wide = 0.3 if parameter.dim() == 2 else 0.1
            parameter.copy_((1.0 if parameter.dim() == 1 else 0.0) + wide * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if not tied:
        older_config(folder / "config.json")

    truth = model.double()
    golden = {}
    for i, row in enumerate(ROWS):
        with torch.no_grad():
            out = truth(torch.tensor([row["ids"]]), output_hidden_states=True)
        golden[f"row{i}.logits"] = out.logits[0]  # [T,V]
        for layer, hidden in enumerate(out.hidden_states if i == 0 else []):
            golden[f"row{i}.hidden.{layer}"] = hidden[0]  # [T,C]; 0 the embedding, the last after the final norm
    loss = mean_loss(truth, ROWS)
    loss.backward()
    for key, parameter in truth.named_parameters():
        golden["grad." + key] = parameter.grad
    state, row, tokens, margin = None, PREFIX, [], float("inf")
    with torch.no_grad():
        for _ in range(24):
            out = truth(torch.tensor([row]), past_key_values=state, use_cache=True)
            state, top = out.past_key_values, torch.topk(out.logits[0, -1], 2)
            margin = min(margin, float(top.values[0] - top.values[1]))
            tokens.append(int(top.indices[0]))
            row = tokens[-1:]
    save_file({k: v.float().contiguous() for k, v in golden.items()}, folder / "golden.safetensors")
    summary = {
        "rows": ROWS,
        "loss": loss.item(),
        "grad_norm": float(torch.sqrt(sum((p.grad**2).sum() for p in truth.parameters()))),
        "greedy_prompt": PREFIX,
        "greedy_tokens": tokens,
        "greedy_least_margin": margin,
        "losses_adamw": adamw_losses(folder),
    }
    (folder / "golden.json").write_text(json.dumps(summary, indent=1) + "\n")
    print(name, summary["loss"], summary["grad_norm"], margin, summary["losses_adamw"])


def adamw_losses(folder):
    """Float64 losses before each of 5 AdamW steps (lr 1e-3, decay 0.01) on ROWS, and after the last."""
    model = transformers.LlamaForCausalLM.from_pretrained(folder, dtype=torch.float64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    losses = []
    for _ in range(5):
        loss = mean_loss(model, ROWS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses + [mean_loss(model, ROWS).item()]


def make_optimizer():
    """optimizer.safetensors: the weights after each of 5 steps on given gradients, by precision.

    `fp32`, `fp32_decay`: torch.optim.AdamW(fused) on float32, lr 1e-3, weight decay 0 and 0.1.
    `clip`: gradients scaled by clip_grad_norm_(1.0) first, over both tensors together.
    `pure_bf16`: weights, gradients and both moments bf16, lr 2e-5 (fused: arithmetic in float32, each
    stored value rounded to nearest even). `bf16_master`: float32 weights and moments, gradients
    rounded to bf16, and the weights the forward pass sees rounded to bf16 (`.seen`), lr 2e-5.
    """
    generator = torch.Generator().manual_seed(11)
    start = {"a": torch.randn(7, 5, generator=generator) * 0.02, "b": torch.randn(33, generator=generator)}
    grads = {k: torch.randn(5, *v.shape, generator=generator) * 0.1 for k, v in start.items()}
    out = {f"start.{k}": v for k, v in start.items()} | {f"grads.{k}": v for k, v in grads.items()}
    cases = {
        "fp32": (torch.float32, 1e-3, 0.0, False),
        "fp32_decay": (torch.float32, 1e-3, 0.1, False),
        "clip": (torch.float32, 1e-3, 0.0, True),
        "pure_bf16": (torch.bfloat16, 2e-5, 0.0, False),
        "bf16_master": (torch.float32, 2e-5, 0.0, False),
    }
    moved = {}
    for name, (dtype, lr, decay, clip) in cases.items():
        weights = {k: v.to(torch.bfloat16 if "bf16" in name else dtype).to(dtype) for k, v in start.items()}
        weights = {k: torch.nn.Parameter(v.clone()) for k, v in weights.items()}
        optimizer = torch.optim.AdamW(weights.values(), lr=lr, weight_decay=decay, fused=True)
        path = {k: [] for k in weights}
        moved[name] = []
        for step in range(5):
            for k, w in weights.items():
                grad = grads[k][step]
                w.grad = (grad.bfloat16() if "bf16" in name else grad.clone()).to(dtype)
            if clip:
                torch.nn.utils.clip_grad_norm_(list(weights.values()), 1.0)
            before = {k: w.detach().clone() for k, w in weights.items()}
            optimizer.step()
            seen = torch.bfloat16 if "bf16" in name else dtype
            changed = sum(int((before[k].to(seen) != w.to(seen)).sum()) for k, w in weights.items())
            moved[name].append(changed / sum(w.numel() for w in weights.values()))
            for k, w in weights.items():
                path[k].append(w.detach().float().clone())
        for k, steps in path.items():
            out[f"{name}.{k}"] = torch.stack(steps)  # [5, ...]
            if name == "bf16_master":
                out[f"{name}.seen.{k}"] = torch.stack(steps).bfloat16().float()
    save_file({k: v.contiguous() for k, v in out.items()}, HERE / "optimizer.safetensors")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    cosine = transformers.get_cosine_schedule_with_warmup(optimizer, num_warmup_steps=3, num_training_steps=12)
    rates = []
    for _ in range(12):
        rates.append(cosine.get_last_lr()[0])
        optimizer.step()
        cosine.step()
    schedules = {"cosine": {"warmup": 3, "steps": 12, "factors": rates}, "moved": moved}
    (HERE / "optimizer.json").write_text(json.dumps(schedules, indent=1) + "\n")
    print(schedules)


def main():
    torch.set_num_threads(1)
    tokenizer = make_tokenizer()
    make_model("llama_tiny", True, tokenizer)
    make_model("llama_tiny_untied", False, tokenizer)
    lines = []
    for _, text in golden_strings.golden_strings()[::9]:
        ids = tokenizer(text)["input_ids"]
        plain = tokenizer(text, split_special_tokens=True)["input_ids"]
        lines.append({"text": text, "ids": ids} | ({"plain": plain} if plain != ids else {}))
    text = "\n".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines) + "\n"
    (HERE / "llama_tiny" / "tokens.jsonl").write_text(text, newline="\n")
    make_optimizer()


if __name__ == "__main__":
    main()
