"""Where refusal is: mean residual stream of harmful less that of ordinary prompts (Arditi et al. 2024), through training.
Prints its cosine with the start by evaluation, layer and token of the prompt (-1: the last); `-`: both means are the same."""

import sys

import numpy as np
import xarray as xr

for path in sys.argv[1:]:
    run = xr.open_dataset(path)
    if "resid_mean" not in run or "utility_resid_mean" not in run:
        sys.exit(f"{path}: no mean residual streams of both sets; make the run with --trace depth")
    ordinary = zip(run.utility_eval_step.values, run.utility_condition.values, run.utility_resid_mean.values)
    ordinary = {(step, condition): mean for step, condition, mean in ordinary}
    start, left_out = {}, 0
    print(path, "\n step condition layer", *(f"{place:7}" for place in run.from_end.values))
    for step, condition, phase, mean in zip(*(run[n].values for n in ("eval_step", "condition", "phase", "resid_mean"))):
        direction = mean - ordinary.get((step, condition), np.nan)  # (from_end, layer, d_model)
        if phase == "start":
            start[condition] = direction
        if condition not in start or np.isnan(direction * start[condition]).any():
            left_out += 1
            continue
        length = np.linalg.norm(direction, axis=-1) * np.linalg.norm(start[condition], axis=-1)
        length[length < 1e-10 * (mean**2).sum(-1)] = np.nan  # a difference of nothing but rounding
        cosine = (direction * start[condition]).sum(-1) / length
        for layer, row in zip(run.layer.values, cosine.T):
            print(f"{step:5} {condition:9} {layer:5}", *(f"{c:7.3f}" if np.isfinite(c) else "      -" for c in row))
    print("evaluations without both means, or without a start:", left_out)
