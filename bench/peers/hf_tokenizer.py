#!/usr/bin/env python3
"""Hugging Face tokenizers on the texts of bench/tokenizer.cpp: MB/s, median of 5.

    python3 bench/peers/hf_tokenizer.py [--patterns] [--ours build/bench/bench_tokenizer] [--gguf FILE] [--python FILE]

With --patterns the small tokenizers of data/golden/tokenizers instead of SmolLM2's: one a pattern, the fastest of
encode, encode_batch and encode_batch_fast on one thread. With --ours, bench_tokenizer runs before and after and the
ratios are printed.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time

import peer_env

peer_env.ensure("hf", peer_env.HF)

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers  # noqa: E402
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


def patterns(texts):
    """{name_kind: MB/s} of the golden tokenizers, each by its fastest call."""
    result = {}
    for name in ("gpt2", "llama3", "qwen2", "llama2"):
        made = tokenizers.Tokenizer.from_file(str(GOLDEN / "tokenizers" / f"{name}.json"))
        made.post_processor = tokenizers.processors.Sequence([])  # ours adds no BOS either
        calls = [
            lambda all: [made.encode(t, add_special_tokens=False) for t in all],
            lambda all: made.encode_batch(all, add_special_tokens=False),
            lambda all: made.encode_batch_fast(all, add_special_tokens=False),
        ]
        for kind, (lines, repeats) in texts.items():
            result[f"{name}_{kind}"] = max(speed(call, lines, repeats) for call in calls)
    return result


def ours(program):
    """{name_kind: MB/s} of bench_tokenizer, medians of 5."""
    out = subprocess.run(
        [program, "--benchmark_filter=^pattern/", "--benchmark_min_time=0.2", "--benchmark_repetitions=5", "--benchmark_format=json"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    medians = [run for run in json.loads(out)["benchmarks"] if run.get("aggregate_name") == "median"]
    return {run["run_name"].split("/")[1]: run["bytes_per_second"] / 1e6 for run in medians}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf")
    parser.add_argument("--patterns", action="store_true")
    parser.add_argument("--ours")
    peer_env.threads_argument(parser)
    options = parser.parse_args()
    varied = [json.loads(line)["text"] for line in (GOLDEN / "smollm2_tokens.jsonl").open()]
    prose = (GOLDEN / "prompts50.txt").read_text().splitlines()
    if options.patterns or options.ours:
        before = ours(options.ours) if options.ours else {}
        result = patterns({"varied": (varied, 1), "prose": (prose, 40)})
        after = ours(options.ours) if options.ours else {}
        ratios = {name: round((before[name] + after[name]) / 2 / result[name], 2) for name in before}
        print(json.dumps({"tokenizers_mb_s": result, "ours_mb_s": after, "ratio": ratios}))
        return
    gguf = peer_env.smollm2_gguf(options.gguf)
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    backend = tokenizer.backend_tokenizer
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
