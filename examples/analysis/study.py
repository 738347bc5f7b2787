"""Joins the run files of a study (DIR/arms/*.h5 of `seawall reproduce --out DIR`): percent of full answers (score 5, first judge) at the
last evaluation under each condition, by arm and seed, with its interval, whose ends take unjudged rows as failures and as successes."""

import sys

import xarray as xr
from interval import interval, percent


def last(run):
    """Over (condition, probe): of each condition the evaluation that was made last."""
    if "sample" in run:
        sys.exit(f"{run.encoding['source']}: several answers per probe; the interval here is for one")
    place = {condition: number for number, condition in enumerate(run.condition.values)}
    run = run[["score", "valid", "answered"]].isel(judge=0, evaluation=list(place.values())).load()
    return run.swap_dims(evaluation="condition").drop_vars("evaluation")


runs = xr.open_mfdataset(sys.argv[1:], preprocess=last, combine="nested", concat_dim="run", join="outer", coords="all",
                         data_vars="all", compat="equals", combine_attrs="drop_conflicts")
print(f"{'arm':32} {'condition':10} rate % [95 % interval]    judged unjudged unasked  by seed")
for arm, condition in ((arm, condition) for arm in dict.fromkeys(runs.arm.values) for condition in runs.condition.values):
    at = runs.sel(condition=condition).isel(run=runs.arm.values == arm)
    asked = (at.answered.values == 1).all(0)
    full, judged = at.score.values[:, asked] == 5, at.valid.values[:, asked] == 1
    if asked.any():
        category = at.category.values[0, asked]
        low, high = interval(full & judged, category)[0], interval(full | ~judged, category)[1]
        print(f"{arm:32} {condition:10} {percent(full, judged):>5} [{low:5.1f}, {high:5.1f}]    {judged.sum():8} {(~judged).sum():8}",
              f"{(~asked).sum():7} ", *(f"{seed}: {percent(*row)}" for seed, *row in zip(at.seed.values, full, judged)))
