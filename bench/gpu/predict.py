#!/usr/bin/env python3
"""What one H200 should take for the cases of bench_gpu, computed from counts.jsonl: what count_gpu counted on the tests' device.

predict.py [COUNTS]             the table, as Markdown
predict.py --check COUNTS       whether counts made now give the predictions of counts.jsonl, within 1 %

A kernel takes the longest of: what it computes at a rate, what it moves at a bandwidth, the shortest time of any. The device takes
the sum; the host launches one kernel after another and takes a time for each; the step takes the longer of the two. Nothing here
was measured with this program.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
COUNTS = HERE / "counts.jsonl"

# One H200, measured on such cards by others or assumed.
PEAK = 989e12  # FLOP/s of bf16, dense, by the data sheet: MFU is against it
PRODUCTS = ((1700, 690e12), (4000, 740e12))  # FLOP/s of matrix products by their smallest side
ATTENTION = (300e12, 180e12)  # FLOP/s of flash attention, forward; backward in a fixed order: assumed
BANDWIDTH = 3.8e12  # bytes/s
SHORTEST = 2e-6  # seconds on the device of any kernel
LAUNCH = 5e-6  # seconds of the host for one

WEIGHTS = 6.607e9  # of Llama-2-7B, less the embedding
WIDTH = 4096  # heads times their width
OPTIMIZER = ("seawall::adamw", "aten::_fused_adamw_", "aten::linalg_vector_norm.out")
# A call of ours launches these more: the sum of its blocks' facts; the weight's gradient, its sum and its rounding. Without a
# gradient of the weight, as under LoRA, there are none.
MORE_LAUNCHES = {"seawall::adamw": 1, "seawall::rms_norm_backward": 3}
LABELS = {
    "full": "full, pure-bf16, 10 rows of 170",
    "full-packed": "full, 24 rows of 170",
    "full-long": "full, one row of 4,096",
    "lora": "LoRA, rank 8 on q and v, 10 rows",
    "decode-1": "14 answers of 512",
    "decode-2": "128 answers of 512",
    "decode-3": "330 answers of 512",
}


def rate_of(m, n, k):
    (low, slow), (high, fast) = PRODUCTS
    share = min(1, max(0, (min(m, n, k) - low) / (high - low)))
    return slow + share * (fast - slow)


def product_seconds(m, n, k, times):
    return times * max(2 * m * n * k / rate_of(m, n, k), 2 * (m * k + k * n + m * n) / BANDWIDTH, SHORTEST)


def predict(figure):
    """Seconds by part, and launches."""
    out = {"products": 0, "attention": 0, "optimizer": 0, "rest": 0, "launches": 0, "waits": 0}
    for phase in figure["phases"].values():
        out["waits"] += phase["waits"]
        out["launches"] += phase["uploads"]
        out["products"] += sum(product_seconds(*p) for p in phase["products"])
        for name, (launches, size, pairs) in phase["operators"].items():
            more = 0 if figure["figure"] == "lora" and "norm" in name else MORE_LAUNCHES.get(name, 0)
            out["launches"] += launches + launches * more
            moves = max(size / BANDWIDTH, launches * (1 + more) * SHORTEST)
            if name.split(".")[0] in ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm"):
                continue
            if "flash_attention" in name:
                back = name.endswith("backward")
                flop = (10 if back else 4) * WIDTH * pairs
                out["attention"] += max(moves, flop / ATTENTION[back])
            else:
                out["optimizer" if name in OPTIMIZER else "rest"] += moves
    out["device"] = out["products"] + out["attention"] + out["optimizer"] + out["rest"]
    out["host"] = LAUNCH * out["launches"]
    out["seconds"] = max(out["device"], out["host"])
    out["tokens_per_s"] = figure["tokens"] / out["seconds"]
    per_token = 4 if figure["figure"] == "lora" else 6
    out["mfu"] = per_token * WEIGHTS * figure["tokens"] / out["seconds"] / PEAK
    return out


def figures(path=COUNTS):
    """[(figure, prediction)] in the order of the file."""
    found = [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]
    return [(f, predict(f)) for f in found]


def text_of(figure, p):
    if figure["figure"].startswith("decode"):
        return f"{p['seconds']:.3g} s"
    return f"{1e3 * p['seconds']:.0f} ms, MFU {100 * p['mfu']:.0f} %"


def texts():
    """Figure -> (with our kernels, with plain operators), for table.py."""
    out = {}
    for figure, p in figures():
        out.setdefault(figure["figure"], ["", ""])[0 if figure["kernels"] else 1] = text_of(figure, p)
    return {name: tuple(both) for name, both in out.items()}


def table(path):
    print("| case | kernels | launches | products | attention | optimizer | the rest | host | predicted | GB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for figure, p in figures(path):
        answers = figure["figure"].startswith("decode")
        parts = [f"{1e3 * p[part]:.0f}" for part in ("products", "attention", "optimizer", "rest", "host")]
        said = f"**{text_of(figure, p)}**, {int(float(format(p['tokens_per_s'], '.3g'))):,} tokens/s"
        print(f"| {LABELS[figure['figure']]} | {'ours' if figure['kernels'] else 'plain'} | {p['launches']:,} | " + " | ".join(parts)
              + f" | {said} | {figure['most_bytes'] / 1e9:.0f} |")  # fmt: skip
        assert answers or p["waits"] == 1, figure["figure"]


def check(path):
    now, before = ({(f["figure"], f["kernels"]): p for f, p in figures(each)} for each in (path, COUNTS))
    other = [f"{name}{'' if ours else ', plain'}: {1e3 * before[name, ours]['seconds']:.1f} ms there, {1e3 * p['seconds']:.1f} now"
             for (name, ours), p in now.items()
             if (name, ours) not in before or abs(p["seconds"] / before[name, ours]["seconds"] - 1) > 0.01]  # fmt: skip
    if other or now.keys() != before.keys():
        print(f"{COUNTS.name} is not what is counted today; make it again: build/bench/count_gpu >bench/gpu/{COUNTS.name}, and the "
              "table of docs/gpu.md: bench/gpu/predict.py", *other, sep="\n")  # fmt: skip
        return 1
    return 0


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == ["--check"] and len(words) == 2:
        sys.exit(check(words[1]))
    if len(words) > 1 or words[:1] == ["--check"]:
        sys.exit(__doc__)
    table(words[0] if words else COUNTS)
