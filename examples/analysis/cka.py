"""How alike the residual streams of two evaluations are: linear CKA (Kornblith et al. 2019) over the probes that both have, by layer.
Rows and columns are evaluations, in one order; `-`: every probe has the same stream, or fewer than two probes are in both."""

import sys

import numpy as np
import xarray as xr


def cka(x, y):
    """x, y: (probe, d_model). NaN if one of them does not vary."""
    x, y = x - x.mean(0), y - y.mean(0)
    size = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return np.linalg.norm(x.T @ y) ** 2 / size if size > 0 else np.nan


for path in sys.argv[1:]:
    run = xr.open_dataset(path)
    if "resid_post" not in run:
        sys.exit(f"{path}: no residual streams; make the run with --trace residual")
    streams = run.resid_post.values.astype(float)  # (evaluation, probe, layer, d_model)
    there = np.isfinite(streams).all((2, 3))
    both = there[:, None] & there[None]  # (evaluation, evaluation, probe)
    for layer in range(run.sizes["layer"]):
        print(path, "layer", run.layer.values[layer], "\n step condition", *(f"{step:7}" for step in run.eval_step.values))
        for i, (step, condition) in enumerate(zip(run.eval_step.values, run.condition.values)):
            row = [cka(a[use, layer], streams[i][use, layer]) if use.sum() > 1 else np.nan for a, use in zip(streams, both[i])]
            print(f"{step:5} {condition:9}", *(f"{value:7.4f}" if np.isfinite(value) else "      -" for value in row))
    print("probes in both: at least", both.sum(-1).min(), "of", run.sizes["probe"])
