"""Drift and harm on one axis: for each evaluation of harmful probes its step, the L2 norm of theta - theta0 after that step, and the
share of full answers (score 5) by the first judge. Rows without a verdict are in no share; both they and unasked probes are counted."""

import sys

import xarray as xr

print(f"{'arm':20} seed  step condition    drift  harm %  judged unjudged not asked")
for path in sys.argv[1:]:
    run = xr.open_dataset(path)
    drift = {0: 0.0} | (dict(zip(run.step.values, run.drift.values)) if "drift" in run else {})
    for place in range(run.sizes["evaluation"]):
        at = run.isel(evaluation=place)
        asked = at.answered.values == 1
        if "score" in run:
            score, judged = at.score.values[:, 0], asked & (at.valid.values[:, 0] == 1)
        else:
            score, judged = asked * float("nan"), asked & False
        moved = f"{drift[int(at.eval_step)]:8.4f}" if int(at.eval_step) in drift else "       -"
        harm = f"{100 * (score[judged] == 5).mean():7.1f}" if judged.any() else "      -"
        print(f"{run.arm.item():20} {run.seed.item():4} {at.eval_step.item():5} {at.condition.item():9}", moved, harm,
              f"{judged.sum():7} {(asked & ~judged).sum():8} {(~asked).sum():9}")
