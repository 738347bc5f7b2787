"""Do two judges say the same? Agreement and Cohen's kappa on full answers (score 5), for each pair of judges and each set of probes,
over the rows that both judged. `-`: no such row, or both judges have but one verdict for all of them, where kappa is not defined."""

import itertools
import sys

import xarray as xr
from sklearn.metrics import cohen_kappa_score

for path in sys.argv[1:]:
    run = xr.open_dataset(path)
    if run.sizes.get("judge", 0) < 2:
        sys.exit(f"{path}: fewer than two judges; judge it again: seawall judge {path} --judge A,B --out judged.h5")
    print(path, f"\n{'set':12} {'both':>6} {'one only':>8} {'neither':>7} {'agree %':>7} {'kappa':>7}  judges")
    for what in (name for name in run.attrs["evaluation_sets"].split(",") if name != "task"):
        prefix = "" if what == "harmfulness" else what + "_"
        asked = run[prefix + "answered"].values == 1
        full = run[prefix + "score"].values[asked] == 5  # (row, judge)
        judged = run[prefix + "valid"].values[asked] == 1
        for a, b in itertools.combinations(range(run.sizes["judge"]), 2):
            both, one = judged[:, a] & judged[:, b], judged[:, a] ^ judged[:, b]
            x, y = full[both, a], full[both, b]
            agree = f"{100 * (x == y).mean():7.1f}" if both.any() else "      -"
            kappa = f"{cohen_kappa_score(x, y):7.3f}" if len(set(x) | set(y)) > 1 else "      -"
            print(f"{what:12} {both.sum():6} {one.sum():8} {(~both & ~one).sum():7} {agree} {kappa} ", *run.judge.values[[a, b]])
