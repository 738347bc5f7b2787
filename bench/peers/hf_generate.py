#!/usr/bin/env python3
"""Greedy generation with SmolLM2-135M in float32 by Hugging Face generate: the peer of `seawall evaluate`.

Prints one JSON line. A new token counts up to and with the row's end token; what is computed for
finished rows does not count.
"""

import argparse
import pathlib
import time

import peer_env

peer_env.ensure("hf", peer_env.HF)

import torch  # noqa: E402
import transformers  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
PROMPTS = HERE.parents[1] / "data" / "golden" / "prompts50.txt"


def encode_prompts(tokenizer, path):
    """Ids of every line of `path` as a user turn through the chat template."""
    lines = pathlib.Path(path).read_text().splitlines()
    turns = [[{"role": "user", "content": line}] for line in lines]
    return [tokenizer.apply_chat_template(t, add_generation_prompt=True)["input_ids"] for t in turns]


def left_padded(rows, pad):
    """input_ids and attention_mask. Shapes: [B, longest] int64."""
    longest = max(map(len, rows))
    ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return {"input_ids": ids, "attention_mask": mask}


def count_new(rows, end):
    """Tokens up to and with the first `end` of each row."""
    return sum(row.index(end) + 1 if end in row else len(row) for row in rows)


@torch.no_grad()
def generate(model, rows, *, new_tokens, end, pad, batch):
    """New tokens of every row, as lists."""
    out = []
    for at in range(0, len(rows), batch):
        inputs = {name: x.to(model.device) for name, x in left_padded(rows[at : at + batch], pad).items()}
        tokens = model.generate(
            **inputs, max_new_tokens=new_tokens, do_sample=False, eos_token_id=end, pad_token_id=pad
        )
        out.extend(tokens[:, inputs["input_ids"].shape[1] :].tolist())
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf")
    parser.add_argument("--model", help="a Hugging Face folder in place of the GGUF")
    parser.add_argument("--prompts", default=str(PROMPTS))
    parser.add_argument("--new-tokens", type=int, default=48)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--answers", help="write the new tokens of every prompt here, as JSON")
    peer_env.threads_argument(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tokenizer, model = peer_env.load_hf(options.gguf, options.model)
    model.eval()
    rows = encode_prompts(tokenizer, options.prompts)
    end = tokenizer.eos_token_id
    setting = dict(end=end, pad=end, batch=options.batch_size)
    generate(model, rows, new_tokens=2, **setting)  # warm up
    peer_env.reset_peak_memory()
    seconds, cpu_seconds = [], []
    for _ in range(options.repeat):
        started, cpu = time.perf_counter(), time.process_time()
        out = generate(model, rows, new_tokens=options.new_tokens, **setting)
        seconds.append(time.perf_counter() - started)
        cpu_seconds.append(time.process_time() - cpu)
    if options.answers:
        import json

        pathlib.Path(options.answers).write_text(json.dumps(out))
    new = count_new(out, end)
    peer_env.report(
        peer="hf-generate",
        transformers=transformers.__version__,
        torch=torch.__version__,
        cpu=peer_env.cpu_name(),
        threads=options.threads,
        prompts=len(rows),
        prompt_tokens=sum(map(len, rows)),
        new_tokens=new,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        tokens_per_second=new / sorted(seconds)[len(seconds) // 2],
        peak_bytes=peer_env.peak_memory(),
    )


if __name__ == "__main__":
    main()
