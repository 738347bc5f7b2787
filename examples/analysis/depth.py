"""How deep the change is (Qi et al. 2024): by token of the answer and evaluation, the KL divergence from the start, the log-probability
of the answer's own token, and that of the answer which the start gave. Means over the answers that have the token; n counts them."""

import sys

import numpy as np
import xarray as xr

NAMES = {"kl_start": "KL to the start, nats", "response_logprob": "log-probability of the answer, nats",
         "first_response_logprob": "log-probability of the start's answer, nats"}
for path in sys.argv[1:]:
    run = xr.open_dataset(path).isel(answer_token=slice(8), missing_dims="ignore")
    if "response_ids" not in run:
        sys.exit(f"{path}: no tokens of answers; the model has to be on this machine")
    print(path, "\n" + 16 * " ", *(f"token {token:<3}" for token in run.answer_token.values))
    for name, what in NAMES.items():
        if name not in run:
            print(what + ": not in this file; a run with --trace depth has it")
            continue
        print(what)
        for step, condition, values in zip(run.eval_step.values, run.condition.values, run[name].values):
            there = np.isfinite(values)  # (probe, answer_token)
            n, total = there.sum(0), np.where(there, values, 0).sum(0)
            print(f"{step:5} {condition:10}", *(f"{t / k:9.4f}" if k else "        -" for t, k in zip(total, n)))
            print(f"{'n':>16}", *(f"{k:9}" for k in n))
    asked = run.answered.values == 1
    print("probes not asked:", (~asked).sum(), " answers of no token:", (asked & (run.response_ids.values[..., 0] < 0)).sum())
