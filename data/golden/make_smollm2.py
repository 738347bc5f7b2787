#!/usr/bin/env python3
"""Makes the SmolLM2 golden files with transformers: token ids, logits, continuations, losses.

    python3 data/golden/make_smollm2.py [tokens] [logits] [losses] [--gguf FILE] [--python FILE]

Needs the peer environment of bench/peers (made on the first call) and about 10 GB of memory for
the losses. Tokens take a minute, logits three, losses ten, on two cores.
"""

import argparse
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "peers"))

import peer_env  # noqa: E402

peer_env.ensure("hf", peer_env.HF)

import golden_strings  # noqa: E402
import hf_train  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from tokenizers import pre_tokenizers  # noqa: E402

PROMPTS = 20  # kept, of those in prompts20.txt
NEW_TOKENS = 40
LEAST_MARGIN = 1e-2  # ten times the tolerance of 1e-3 on a logit
STRIDE = 97  # every 97th logit of a row is kept


def write_json(name, value):
    (HERE / name).write_text(json.dumps(value, ensure_ascii=False, indent=None) + "\n")


def with_digit_rule(tokenizer):
    """Puts back the rule of `tokenizer.ggml.pre = smollm`, which transformers drops from a GGUF."""
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )


def encode(tokenizer, text, special=True):
    return tokenizer(text, add_special_tokens=True, split_special_tokens=not special)["input_ids"]


def make_tokens(tokenizer):
    """smollm2_tokens.jsonl: `text`, `ids`; `plain` and `gguf_ids` where they differ from `ids`."""
    strings = golden_strings.golden_strings()
    as_read = [encode(tokenizer, text) for _, text in strings]
    with_digit_rule(tokenizer)
    lines, counts = [], {"strings": 0, "gguf_ids": 0, "plain": 0}
    for (_, text), gguf_ids in zip(strings, as_read):
        line = {"text": text, "ids": encode(tokenizer, text)}
        plain = encode(tokenizer, text, special=False)
        if plain != line["ids"]:
            line["plain"] = plain
        if gguf_ids != line["ids"]:
            line["gguf_ids"] = gguf_ids
        for key in counts:
            counts[key] += key in line
        counts["strings"] += 1
        lines.append(json.dumps(line, ensure_ascii=False, separators=(",", ":")))
    (HERE / "smollm2_tokens.jsonl").write_text("\n".join(lines) + "\n", newline="\n")
    print(counts)


@torch.no_grad()
def continue_greedily(model, ids, end):
    """(tokens, least margin between the first and second logit on the way, logits of the last prompt token)."""
    state, row, tokens, margin, first = None, ids, [], float("inf"), None
    while len(tokens) < NEW_TOKENS:
        out = model(torch.tensor([row]), past_key_values=state, use_cache=True, logits_to_keep=1)
        state, logits = out.past_key_values, out.logits[0, -1]
        first = logits if first is None else first
        top = torch.topk(logits, 2)
        margin = min(margin, float(top.values[0] - top.values[1]))
        tokens.append(int(top.indices[0]))
        row = tokens[-1:]
        if tokens[-1] == end:
            break
    return tokens, margin, first


def make_logits(tokenizer, model):
    """smollm2_logits.json: for 20 prompts ids, top 50 and every 97th logit, 40 greedy tokens."""
    with_digit_rule(tokenizer)
    rows = []
    for prompt in (HERE / "prompts20.txt").read_text().splitlines():
        messages = [{"role": "user", "content": prompt}]
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
        tokens, margin, logits = continue_greedily(model, ids, tokenizer.eos_token_id)
        print(f"{margin:9.5f} {len(tokens):3d} {prompt}")
        if margin < LEAST_MARGIN or len(rows) == PROMPTS:
            continue
        top = torch.topk(logits, 50)
        rows.append({
            "prompt": prompt, "ids": ids, "top_ids": top.indices.tolist(),
            "top_logits": [round(x, 6) for x in top.values.tolist()],
            "every_97th": [round(x, 6) for x in logits[::STRIDE].tolist()],
            "continuation": tokens, "text": tokenizer.decode(tokens), "least_margin": margin,
        })  # fmt: skip
    if len(rows) < PROMPTS:
        raise SystemExit(f"only {len(rows)} prompts keep a margin of {LEAST_MARGIN}; add prompts")
    write_json("smollm2_logits.json", rows)


def plain_loop(model, rows, steps, lr, decay):
    """Losses of full fine-tuning written out, row by row with no padding; the rate falls each step."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=0.0)
    count = sum(label != -100 for _, labels in rows for label in labels)
    losses, norms = [], []
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * decay**step
        losses.append(0.0)
        for ids, labels in rows:
            logits = model(torch.tensor([ids])).logits[0, :-1]
            loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels[1:]), reduction="sum") / count
            loss.backward()
            losses[-1] += loss.item()
        norms.append(float(torch.linalg.vector_norm(torch.stack([p.grad.norm() for p in parameters]))))
        optimizer.step()
        optimizer.zero_grad()
    return losses, norms


def make_losses(gguf):
    """smollm2_losses.json: the first steps by a plain loop and by the Trainer, clipping off."""
    dialogues = json.loads((HERE / "dialogues.json").read_text())
    setting = {"lr": 5e-5, "decay": 0.85, "steps": 4}
    result = dict(setting, batch=10, weight_decay=0.0, betas=[0.9, 0.999], eps=1e-8, clip_norm=0)
    for name in ("plain", "trainer"):
        tokenizer, model = peer_env.load_hf(gguf, None)
        with_digit_rule(tokenizer)
        rows = [peer_env.encode_dialogue(tokenizer, messages) for messages in dialogues]
        if name == "plain":
            losses, norms = plain_loop(model, rows, **setting)
        else:
            out = str(peer_env.cache() / "peers" / "hf-out")
            clock = hf_train.train(
                model, tokenizer.pad_token_id, rows, clip=0.0, batch=10, out=out, **setting
            )
            losses, norms = clock.losses, clock.grad_norms
        result[name] = {"losses": losses, "grad_norms": norms}
        print(name, losses, norms, flush=True)
        del model
    result["rows"] = [
        {
            "ids": ids,
            "first_answer": next(i for i, label in enumerate(labels) if label != -100),
            "answer_tokens": sum(label != -100 for label in labels),
        }
        for ids, labels in rows
    ]
    result["versions"] = {"torch": torch.__version__, "transformers": transformers.__version__}
    write_json("smollm2_losses.json", result)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["tokens", "logits", "losses"])
    parser.add_argument("--gguf")
    peer_env.threads_argument(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tokenizer = model = None
    if "logits" in options.what:
        tokenizer, model = peer_env.load_hf(options.gguf, None)
        make_logits(tokenizer, model)
        del model
    if "tokens" in options.what:
        gguf = peer_env.smollm2_gguf(options.gguf)
        make_tokens(transformers.AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name))
    if "losses" in options.what:
        make_losses(options.gguf)


if __name__ == "__main__":
    main()
