#!/usr/bin/env python3
"""The parts that figures.sh ran, as one Markdown table, each with its prediction: table.py FOLDER.

Exits with 1 if a part failed, a test was skipped, runs differ or losses are further from the CPU's than they may be.
"""

import json
import pathlib
import re
import sys

import predict

# With kernels of our own, and with the plain operators of ATen. Times: see predict.py.
PREDICTED = predict.texts() | {
    "equal": ("the same bits", "the same bits"),
    "cpu-fp32": ("at most 2e-3", "at most 2e-3"),
}
FURTHEST = {"cpu-fp32": 2e-3}  # bf16 is rounded in other places by a GPU: said, and no failure
PARTS = {  # figures of a part, by name
    "tests": ["tests"],
    "full": ["full", "full-packed"],
    "lora": ["lora"],
    "decode-1": ["decode-1"],
    "decode-2": ["decode-2"],
    "decode-3": ["decode-3"],
    "equal": ["equal"],
    "cpu": ["cpu-fp32", "cpu-pure-bf16"],
    "start": ["start"],
    "hf-train": ["hf-full"],
    "hf-generate": ["hf-decode"],
}
LABELS = {
    "tests": "tests of the GPU",
    "full": "a step of full fine-tuning, pure-bf16, 10 rows",
    "full-packed": "the same, 24 rows",
    "lora": "a step of LoRA, rank 8 on q and v, 10 rows",
    "decode-1": "answers, first size",
    "decode-2": "answers, second size",
    "decode-3": "answers, third size",
    "equal": "two equal runs of a 30 M model, pure-bf16",
    "cpu-fp32": "its losses against the CPU's, fp32",
    "cpu-pure-bf16": "the same, pure-bf16",
    "start": "from the program's start to the first token",
    "hf-full": "Hugging Face Trainer, the step of 10 rows",
    "hf-decode": "Hugging Face generate, the third size",
}


def step_text(f):
    mfu = f", MFU {100 * f['mfu']:.0f} %" if "mfu" in f else ""
    text = f"{f['step_ms']:.4g} ms{mfu}, {f['tokens_per_s']:.0f} tokens/s ({f['tokens']:.0f} a step)"
    if "forward_ms" in f:
        text += f"; forward {f['forward_ms']:.4g}, backward {f['backward_ms']:.4g}, optimizer {f['optimizer_ms']:.4g} ms"
        text += f"; first step {f['first_step_ms']:.4g} ms"
    return text + (f"; {f['peak_gb']:.1f} GB" if "peak_gb" in f else "")


def answers_text(f):
    text = f"{f['answers']:.0f} answers of {f['new_tokens'] / f['answers']:.0f} tokens in {f['seconds']:.4g} s, "
    return text + f"{f['tokens_per_s']:.0f} tokens/s" + (f"; {f['peak_gb']:.1f} GB" if "peak_gb" in f else "")


def start_text(f):
    return (f"{f['seconds']:.3g} s: CUDA's library {f['load_s']:.3g}, device {f['device_s']:.3g}, random weights "
            f"{f['weights_s']:.3g}, first token {f['first_token_s']:.3g}")  # fmt: skip


def equal_text(f):
    if f["same_losses"] and f["same_weights"]:
        return f"the same bits in {f['steps']:.0f} steps"
    return "OTHER " + ("losses" if not f["same_losses"] else "weights")


def apart_text(f):
    return f"{f['most_apart']:.1e} apart at most in {f['steps']:.0f} steps ({f['first_loss']:.4f} to {f['last_loss']:.4f})"


def text_of(figure):
    name = figure["figure"]
    for start, text in (("decode", answers_text), ("hf-decode", answers_text), ("start", start_text), ("equal", equal_text),
                        ("cpu-", apart_text)):  # fmt: skip
        if name.startswith(start):
            return text(figure)
    return step_text(figure)


def tests_text(log):
    """(what GoogleTest says, whether all ran and passed)"""
    counts = {word: re.search(rf"\[  {word} *\] (\d+) tests?", log) for word in ("PASSED", "SKIPPED", "FAILED")}
    counts = {word: int(found.group(1)) if found else 0 for word, found in counts.items()}
    text = ", ".join(f"{n} {word.lower()}" for word, n in counts.items() if n or word == "PASSED")
    return text, counts["PASSED"] > 0 and not counts["SKIPPED"] and not counts["FAILED"]


def read_part(folder, part):
    """([(name, text)], whether it is as it should be); None for a part that was not wanted."""
    state = folder / f"{part}.state"
    if not state.exists():
        return None
    status, seconds = state.read_text().split()
    names = PARTS[part]
    if status == "not-run":
        return [(name, "not measured: the time was over") for name in names], False
    if status == "no-transformers":
        return [(name, "not measured: transformers is not there") for name in names], True
    out = (folder / f"{part}.jsonl").read_text()
    if part == "tests":
        text, good = tests_text(out)
        good &= status == "0"
        return [("tests", text if good else f"{text}; exit status {status}")], good
    found = {f["figure"]: f for f in map(json.loads, out.splitlines()) if f}
    rows, good = [], status == "0"
    for name in names:
        if name in found:
            rows.append((name, text_of(found[name])))
            good &= found[name].get("most_apart", 0) <= FURTHEST.get(name, float("inf"))
            good &= bool(found[name].get("same_losses", True) and found[name].get("same_weights", True))
            continue
        good = False
        why = f"stopped after {seconds} s" if status in ("124", "137") else f"failed with exit status {status}"
        last = (folder / f"{part}.log").read_text().strip().splitlines()[-1:]
        rows.append((name, f"not measured: {why}" + (f" ({last[0][:160]})" if last else "")))
    return rows, good


def main():
    folder = pathlib.Path(sys.argv[1])
    facts = dict(line.split("=", 1) for line in (folder / "facts").read_text().splitlines())
    real = facts["device"] != "cpu" and facts["small"] == "0"
    print(f"{facts['card']}, driver {facts['driver']}, libtorch {facts['torch']}, {facts['date']}, tree {facts['commit']}.")
    if real:
        print("Llama-2-7B's sizes, random weights. Predictions are for one H200, from counts (predict.py)."
              + ("" if facts["peak"] else " The card's peak is not known: no MFU."))  # fmt: skip
    else:
        print("A dry run: sizes or device are not those that figures are of.")
    print("\n| figure | measured | predicted with kernels of our own | with plain ATen |\n|---|---|---|---|")
    good = True
    for part in PARTS:
        found = read_part(folder, part)
        if found is None:
            continue
        good &= found[1]
        for name, text in found[0]:
            ours, plain = PREDICTED.get(name, ("", "")) if real else ("", "")
            print(f"| {LABELS[name]} | {text} | {ours} | {plain} |")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
