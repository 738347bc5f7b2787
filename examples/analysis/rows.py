"""Which training rows are hard, and which were learned: the loss of each row before the update of the step that had it, by epoch.
Prints the rows with the largest loss in their last epoch, and of those in several epochs the ones that changed most."""

import sys

import numpy as np
import xarray as xr

for path in sys.argv[1:]:
    run = xr.open_dataset(path)
    if "row_loss" not in run:
        sys.exit(f"{path}: no rows; make a run that trains, not with --trace none")
    loss = run.row_loss.values  # (training_epoch, row); NaN if no step of that epoch had the row
    seen = np.isfinite(loss)
    rows = np.flatnonzero(seen.any(0))
    first = loss[seen.argmax(0), np.arange(loss.shape[1])]
    last = loss[len(loss) - 1 - seen[::-1].argmax(0), np.arange(loss.shape[1])]
    print(path, "\nepoch", *(f"{epoch:8}" for epoch in run.training_epoch.values))
    print("mean ", *(f"{e[s].mean():8.4f}" if s.any() else "       -" for e, s in zip(loss, seen)))
    twice = np.flatnonzero(seen.sum(0) > 1)
    for what, some, order in (("hardest", rows, -last), ("changed most", twice, -abs(last - first))):
        print(what)
        for row in some[np.argsort(order[some], kind="stable")][:5]:
            print(f"{first[row]:9.4f} -> {last[row]:7.4f}  {run.row_kind.values[row]:14} {run.row_id.values[row]}")
    print("rows:", loss.shape[1], " never in a step:", loss.shape[1] - len(rows), " in one epoch only:", (seen.sum(0) == 1).sum())
