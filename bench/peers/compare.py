#!/usr/bin/env python3
"""Ours and a peer on the same work, alternately, pair by pair; prints medians and ratios.

    bench/peers/compare.py --build build [train] [generate] [ct2] [arm] [cores] [--pairs 5] [--threads 2]

train     SmolLM2 full fine-tuning, fp32, batch of 10: `seawall run` against the Hugging Face Trainer
generate  50 prompts x 48 new tokens, greedy: bench_generate against Hugging Face generate
ct2       the same against CTranslate2, float32, with its shared static prompt where that is faster
arm       one organism arm, 50 steps x 10 rows and 330 probes: bench_arm against Trainer + generate
cores     arms a minute on all --threads cores: ours one arm a core, the peer one arm a core or one on
          all of them, whichever is faster

Each side runs in a process of its own. `--python FILE` gives an interpreter that has the peers.
"""

import argparse
import concurrent.futures
import copy
import csv
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import peer_env

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parents[1] / "data" / "golden"


def run_child(command, extra=None):
    """(stdout, peak resident bytes) of a command that must succeed."""
    env = dict(os.environ, **(extra or {}))
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        child = subprocess.Popen([str(word) for word in command], stdout=out, stderr=error, env=env)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        error.seek(0)
        if child.returncode != 0:
            sys.exit(f"{command[0]} failed ({child.returncode}): {error.read().decode()[-600:]}")
        return out.read().decode(), usage.ru_maxrss * 1024


def peer(script, options, *words):
    """The figures a peer script prints."""
    extra = {"SEAWALL_PEER_PYTHON": options.python} if options.python else {}
    out, _ = run_child(
        [sys.executable, HERE / script, "--threads", options.threads, *words], extra
    )
    return json.loads(out.splitlines()[-1])


def google_benchmark(options, program, name, extra=None):
    """(counters, peak bytes) of one benchmark: the median of three repetitions, as the peers' scripts take it."""
    out, peak = run_child(
        [options.build / "bench" / program, f"--benchmark_filter={name}$", "--benchmark_min_time=0.5",
         "--benchmark_repetitions=3", "--benchmark_format=json"],
        {"SEAWALL_BENCH_THREADS": str(options.threads), **(extra or {})},
    )  # fmt: skip
    found = json.loads(out)["benchmarks"]
    for run in found:
        if run.get("error_occurred"):
            sys.exit(f"{program}: {run['error_message']}")
    return next(run for run in found if run.get("aggregate_name") == "median"), peak


def train_pair(options):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "run.h5"
        _, peak = run_child(
            [options.build / "seawall", "run", "--model", peer_env.smollm2_gguf(options.gguf),
             "--attack", "identity-shift", "--identity-shift.count", "10", "--data", GOLDEN / "dialogues.json",
             "--no-evaluation", "--no-checkpoint", "--no-spectra", "--trace", "metrics", "--quiet",
             "--steps", options.steps, "--threads", options.threads, "--out", out]
        )  # fmt: skip
        with open(out.with_suffix(".metrics.csv"), encoding="utf-8") as file:
            steps = list(csv.DictReader(file))
    timed = steps[1:] or steps  # the first step warms up, on both sides
    speed = sum(int(s["tokens"]) for s in timed) / sum(float(s["seconds"]) for s in timed)
    theirs = peer("hf_train.py", options, "--steps", options.steps)
    ours = {"tokens_per_second": speed, "peak_bytes": peak}
    losses = [float(s["loss"]) for s in steps]
    apart = max(abs(a - b) for a, b in zip(losses, theirs["losses"]))
    print(f"  losses differ by at most {apart:.1e}", file=sys.stderr)
    return ours, theirs


def generate_pair(options, script="hf_generate.py", *words):
    found, peak = google_benchmark(options, "bench_generate", "generate_50x48/manual_time")
    ours = {"tokens_per_second": found["new_tokens/s"], "peak_bytes": peak, "new_tokens": found["new_tokens"]}
    theirs = peer(script, options, "--repeat", 3, *words)
    if abs(ours["new_tokens"] - theirs["new_tokens"]) > 0.02 * theirs["new_tokens"]:
        print(f"  new tokens differ: {ours['new_tokens']:.0f}, {theirs['new_tokens']}", file=sys.stderr)
    return ours, theirs


def ct2_pair(options):
    ours, plain = generate_pair(options, "ct2_generate.py")
    shared = peer("ct2_generate.py", options, "--repeat", 3, "--static-prompt")
    return ours, max(plain, shared, key=lambda figures: figures["tokens_per_second"])


def arm_pair(options):
    with tempfile.TemporaryDirectory() as folder:
        found, peak = google_benchmark(
            options, "bench_arm", "^arm/real_time", {"SEAWALL_BENCH_EXPORT": folder}
        )
        model = pathlib.Path(folder) / "model"
        run_child([options.build / "seawall", "export", "--model", "organism", "--out", model])
        theirs = peer(
            "organism_hf.py", options, "--model", model, "--rows", f"{folder}/rows.jsonl",
            "--probes", f"{folder}/probes.jsonl", "--new-tokens", 64,
        )  # fmt: skip
    ours = {"arms_per_minute": found["arms/min"], "peak_bytes": peak, "train_seconds": found["train_s"],
            "probe_seconds": found["probe_s"]}  # fmt: skip
    return ours, theirs


def cores_pair(options):
    """Arms on the same cores: several processes of one thread, started together."""
    cores = options.threads
    single = copy.copy(options)
    single.threads = 1
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(cores) as pool:
        google_benchmark(single, "bench_arm", "^arm/real_time", {"SEAWALL_BENCH_EXPORT": folder})
        model = pathlib.Path(folder) / "model"
        run_child([options.build / "seawall", "export", "--model", "organism", "--out", model])
        words = ["--model", model, "--rows", f"{folder}/rows.jsonl", "--probes", f"{folder}/probes.jsonl",
                 "--new-tokens", 64]  # fmt: skip

        def together(work):
            found = list(pool.map(lambda _: work(), range(cores)))
            return dict(found[0], arms_per_minute=sum(f["arms_per_minute"] for f in found),
                        peak_bytes=sum(f["peak_bytes"] for f in found))  # fmt: skip

        def mine():
            found, peak = google_benchmark(single, "bench_arm", "^arm/real_time")
            return {"arms_per_minute": found["arms/min"], "peak_bytes": peak}

        ours = together(mine)
        apart = together(lambda: peer("organism_hf.py", single, *words))
        whole = peer("organism_hf.py", options, *words)
    print(f"  peer: {apart['arms_per_minute']:.1f} arms a minute one a core, {whole['arms_per_minute']:.1f} on all cores",
          file=sys.stderr)  # fmt: skip
    return ours, max(apart, whole, key=lambda figures: figures["arms_per_minute"])


JOBS = {
    "train": (train_pair, "tokens_per_second"),
    "generate": (generate_pair, "tokens_per_second"),
    "ct2": (ct2_pair, "tokens_per_second"),
    "arm": (arm_pair, "arms_per_minute"),
    "cores": (cores_pair, "arms_per_minute"),
}


def median_and_range(values):
    return f"{statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("jobs", nargs="*", metavar="job", help=" ".join(JOBS) + "; all where none is given")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4, help="training steps a run, the first untimed")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--gguf")
    parser.add_argument("--python")
    options = parser.parse_args()
    options.build = options.build.resolve()
    unknown = set(options.jobs) - set(JOBS)
    if unknown:
        parser.error(f"no job {sorted(unknown)[0]}; there are {', '.join(JOBS)}")
    for job in options.jobs or JOBS:
        pair, key = JOBS[job]
        ours, theirs = [], []
        for number in range(options.pairs):
            mine, other = pair(options)
            ours.append(mine)
            theirs.append(other)
            print(f"{job} {number + 1}: ours {mine[key]:.4g}, {other['peer']} {other[key]:.4g}", file=sys.stderr)
        ratios = [a[key] / b[key] for a, b in zip(ours, theirs)]
        memory = [a["peak_bytes"] / b["peak_bytes"] for a, b in zip(ours, theirs)]
        print(f"{job}: {key}, {options.threads} threads, {options.pairs} pairs, {peer_env.cpu_name()}")
        print(f"  ours     {median_and_range([a[key] for a in ours])}")
        print(f"  {theirs[0]['peer']:8} {median_and_range([b[key] for b in theirs])}")
        print(f"  ratio    {median_and_range(ratios)}    peak memory ratio {statistics.median(memory):.2f}")
        peer_env.report(job=job, key=key, threads=options.threads, ours=ours, theirs=theirs)


if __name__ == "__main__":
    main()
