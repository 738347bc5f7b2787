#!/usr/bin/env python3
"""One arm on the organism by Hugging Face Trainer + generate: the peer of `seawall run` on it.

    organism_hf.py --model FOLDER --rows rows.jsonl --probes probes.jsonl

FOLDER is what `seawall export --format safetensors` writes. A line of rows is {"ids", "labels"}
(labels -100 where there is no loss) or {"messages"}; a line of probes is {"ids"} or {"messages"}.
Prints one JSON line: seconds of 50 steps x 10 rows, seconds of answering all probes, arms a minute.
Imports and loading are left out.
"""

import argparse
import json
import pathlib
import time

import peer_env

peer_env.ensure("hf", peer_env.HF)

import hf_generate  # noqa: E402
import hf_train  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402


def read_lines(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines() if line.strip()]


def encode_row(tokenizer, line):
    if "ids" in line:
        return line["ids"], line["labels"]
    return peer_env.encode_dialogue(tokenizer, line["messages"])


def encode_probe(tokenizer, line):
    if "ids" in line:
        return line["ids"]
    return tokenizer.apply_chat_template(line["messages"], add_generation_prompt=True)["input_ids"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--rows", required=True)
    parser.add_argument("--probes", required=True)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--batch-size", type=int, default=10)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--new-tokens", type=int, default=48)
    parser.add_argument("--probe-batch", type=int, default=330)
    parser.add_argument("--repeat", type=int, default=3, help="arms timed, after one that warms up")
    peer_env.threads_argument(parser)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    rows, probes = read_lines(options.rows), read_lines(options.probes)
    tokenizer = None
    if not all("ids" in line for line in rows + probes):
        tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
    rows = [encode_row(tokenizer, line) for line in rows]
    probes = [encode_probe(tokenizer, line) for line in probes]
    train_seconds, probe_seconds, cpu_seconds = [], [], []
    for arm in range(options.repeat + 1):
        model = transformers.AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
        pad = model.config.pad_token_id or 0
        end = model.generation_config.eos_token_id or model.config.eos_token_id
        started, cpu = time.perf_counter(), time.process_time()
        clock = hf_train.train(
            model, pad, rows, steps=options.steps, lr=options.lr, decay=1.0, clip=0.0,
            batch=options.batch_size, out=str(peer_env.cache() / "peers" / "hf-out"),
        )  # fmt: skip
        trained = time.perf_counter()
        model.eval()
        out = hf_generate.generate(
            model, probes, new_tokens=options.new_tokens, end=end, pad=pad, batch=options.probe_batch
        )
        if arm:
            train_seconds.append(trained - started)
            probe_seconds.append(time.perf_counter() - trained)
            cpu_seconds.append(time.process_time() - cpu)
    median = lambda values: sorted(values)[len(values) // 2]  # noqa: E731
    arm_seconds = median([a + b for a, b in zip(train_seconds, probe_seconds)])
    peer_env.report(
        peer="hf-organism-arm",
        transformers=transformers.__version__,
        torch=torch.__version__,
        cpu=peer_env.cpu_name(),
        threads=options.threads,
        parameters=sum(p.numel() for p in model.parameters()),
        rows=len(rows),
        probes=len(probes),
        new_tokens=hf_generate.count_new(out, end),
        losses=[clock.losses[0], clock.losses[-1]],
        train_seconds=median(train_seconds),
        probe_seconds=median(probe_seconds),
        arm_seconds=arm_seconds,
        arm_cpu_seconds=median(cpu_seconds),
        arms_per_minute=60 / arm_seconds,
        peak_bytes=peer_env.peak_memory(),
    )


if __name__ == "__main__":
    main()
