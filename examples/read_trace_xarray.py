"""Reads a run file with xarray: how often each category of probes got a full answer, and which weights moved most."""

import sys

import xarray as xr

run = xr.open_dataset(sys.argv[1], engine="h5netcdf")
if "score" in run:
    last = run.isel(evaluation=-1, judge=0)
    judged = (last.valid == 1) & (last.answered == 1)
    full = ((last.score == 5) & judged).groupby("category").sum()
    for category, count in zip(full.category.values, judged.groupby("category").sum().values):
        if count:
            print(f"{category:24} {full.sel(category=category).item()} of {count}")
    print("not judged:", ((last.valid == 0) & (last.answered == 1)).sum().item())
if "param_drift" in run:
    drift = run.param_drift.isel(step=-1).to_series().sort_values(ascending=False)
    for name, value in drift.head(3).items():
        print(f"{value:.6f} {name}")
