#!/usr/bin/env python3
"""Hugging Face's Trainer and generate on the sizes of bench_gpu.cpp: bf16, random weights made on the device.

Prints one JSON line per figure, as bench_gpu does. A step's time is that from its begin to the next one's: each logs its
loss, for which the host waits.
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
os.environ["SEAWALL_PEER_READY"] = "this interpreter"  # peers then take it as it is
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
sys.path.insert(0, str(HERE / "peers" if (HERE / "peers").is_dir() else HERE.parent / "peers"))

import torch  # noqa: E402
import transformers  # noqa: E402

import hf_generate  # noqa: E402
import hf_train  # noqa: E402

WARM = 3


def random_model(options):
    sizes = {"vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
             "num_attention_heads": 32, "num_key_value_heads": 32}  # fmt: skip
    if options.small:
        sizes = {"vocab_size": 256, "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 2,
                 "num_attention_heads": 4, "num_key_value_heads": 4}  # fmt: skip
    config = transformers.LlamaConfig(**sizes, max_position_embeddings=4096, attn_implementation="sdpa")
    with torch.device(options.device):
        torch.set_default_dtype(torch.bfloat16)
        model = transformers.LlamaForCausalLM(config)
        torch.set_default_dtype(torch.float32)
    return model


def random_ids(draw, count, model):
    return [draw.randrange(3, model.config.vocab_size) for _ in range(count)]


def report(figure, **values):
    print(json.dumps({"figure": figure, **values}), flush=True)


def train(options):
    model = random_model(options)
    draw, tokens, batch, steps = random.Random(7), 17 if options.small else 170, 10, 3 if options.small else 10
    rows = []
    for row in range(batch * (WARM + steps + 1)):
        more = draw.randrange(tokens // 10 + 1) if row % 2 == 0 else -more  # noqa: F821
        ids = random_ids(draw, tokens + more, model)
        rows.append((ids, [-100] * (len(ids) // 2) + ids[len(ids) // 2 :]))
    with tempfile.TemporaryDirectory() as out:
        clock = hf_train.train(model, 0, rows, steps=WARM + steps + 1, lr=1e-5, decay=1, clip=0, batch=batch, out=out,
                               cpu=options.device == "cpu")  # fmt: skip
    took = [b - a for a, b in zip(clock.begins, clock.begins[1:])][WARM:]
    seconds = statistics.median(took)
    report("hf-full", step_ms=1e3 * seconds, tokens=tokens * batch, tokens_per_s=tokens * batch / seconds)


def generate(options):
    model = random_model(options).eval()
    draw, new, length = random.Random(11), 8 if options.small else 512, 6 if options.small else 60
    count = 5 if options.small else 330
    prompts = [random_ids(draw, length, model) for _ in range(count)]
    model.generation_config.eos_token_id = None
    setting = {"end": None, "pad": 0, "batch": count}
    hf_generate.generate(model, prompts, new_tokens=4, **setting)
    begin = time.perf_counter()
    out = hf_generate.generate(model, prompts, new_tokens=new, **setting)
    seconds = time.perf_counter() - begin
    made = sum(map(len, out))
    report("hf-decode", answers=count, new_tokens=made, seconds=seconds, tokens_per_s=made / seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["train", "generate"])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    {"train": train, "generate": generate}[options.part](options)


if __name__ == "__main__":
    main()
