"""Reads a run file with h5py: how often each category of probes got a full answer, and which weights moved most."""

import collections
import sys

import h5py

with h5py.File(sys.argv[1]) as run:
    if "score" in run:
        score = run["score"][-1, :, 0]  # the last evaluation, every probe, the first judge
        valid = run["valid"][-1, :, 0].astype(bool)
        answered = run["answered"][-1].astype(bool)
        categories = collections.defaultdict(lambda: [0, 0])
        for category, value, use in zip(run["category"].asstr()[:], score, valid & answered):
            if use:
                categories[category][0] += value == 5
                categories[category][1] += 1
        for category, (full, judged) in sorted(categories.items()):
            print(f"{category:24} {full} of {judged}")
        print("not judged:", (answered & ~valid).sum())
    if "param_drift" in run:
        moved = zip(run["param_drift"][-1], run["parameter"].asstr()[:])
        for drift, name in sorted(moved, reverse=True)[:3]:
            print(f"{drift:.6f} {name}")
