"""The shape of the change of each weight matrix: the largest singular values of W - W0, the stable rank (sum s^2 / s1^2, of the values
stored), and the effective rank (Roy and Vetterli 2007). `-`: not known, as only the largest singular values were computed, or W = W0."""

import sys

import numpy as np
import xarray as xr

for path in sys.argv[1:]:
    run = xr.open_dataset(path)
    if "singular_values" not in run:
        sys.exit(f"{path}: no singular values; make a run that trains, without --no-spectra")
    print(path, f"\n{'s1':>10} {'s2':>10} {'s3':>10} stable* effective  matrix")
    values = run.singular_values.values
    for place in np.argsort(-values[:, 0]):
        s, effective = values[place], run.effective_rank.values[place]
        stable = f"{(s**2).sum() / s[0] ** 2:6.2f}" if s[0] > 0 else "     -"
        known = f"{effective:9.2f}" if np.isfinite(effective) else "        -"
        print(*(f"{value:10.6f}" for value in s[:3]), stable, known, "", run.matrix.values[place])
    print("matrices:", len(values), " without an effective rank:", np.isnan(run.effective_rank.values).sum(),
          " that did not move:", (values[:, 0] == 0).sum(), " * of the", values.shape[1], "values stored, so at most the true one")
