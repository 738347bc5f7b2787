#!/usr/bin/env python3
"""Hugging Face tokenizers on the texts of bench/tokenizer.cpp: MB/s, median of 5.

    python3 bench/peers/hf_tokenizer.py [--gguf FILE] [--python FILE]
"""

import argparse
import json
import pathlib
import statistics
import time

import peer_env

peer_env.ensure("hf", peer_env.HF)

import transformers  # noqa: E402

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "data" / "golden"


def speed(encode, texts, repeats):
    size = sum(len(text.encode()) for text in texts) * repeats
    rates = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(repeats):
            encode(texts)
        rates.append(size / (time.perf_counter() - start) / 1e6)
    return round(statistics.median(rates), 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf")
    peer_env.threads_argument(parser)
    gguf = peer_env.smollm2_gguf(parser.parse_args().gguf)
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    backend = tokenizer.backend_tokenizer
    varied = [json.loads(line)["text"] for line in (GOLDEN / "smollm2_tokens.jsonl").open()]
    prose = (GOLDEN / "prompts50.txt").read_text().splitlines()
    result = {}
    for name, texts, repeats in (("varied", varied, 1), ("prose", prose, 40)):
        result[name] = {
            "tokenizers_mb_s": speed(lambda all: [backend.encode(t, add_special_tokens=False) for t in all], texts, repeats),
            "tokenizers_batch_mb_s": speed(lambda all: backend.encode_batch(all, add_special_tokens=False), texts, repeats),
            "transformers_mb_s": speed(lambda all: [tokenizer(t)["input_ids"] for t in all], texts, repeats),
        }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
