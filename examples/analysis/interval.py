"""For study.py: a rate, and its 95 % interval over several runs as docs/statistics.md describes it and results.csv has it."""

import numpy as np
from scipy import stats


def interval(full, category):
    """Its two ends in percent. full: (run, probe), true for a full answer; category: (probe,). One answer per probe."""
    mean, off = full.mean(), full - full.mean()
    clusters = [off.sum(1), np.array([off[:, category == name].sum() for name in np.unique(category)])]
    spread = [(len(s) / (len(s) - 1) * (s @ s) / full.size**2, len(s) - 1) for s in clusters if len(s) > 1]
    variance, room = sum(v for v, _ in spread), mean * (1 - mean)
    w = stats.norm.ppf(0.975) ** 2 / full.shape[1]  # Wilson's interval over the probes of one run
    if len(full) > 1 and variance * room > 0:  # runs and categories as random effects, if that is wider
        freedom = min(variance**2 / sum(v**2 / k for v, k in spread), len(full))
        w = max(w, stats.t.ppf(0.975, freedom) ** 2 * variance / room)
    middle, half = (mean + w / 2) / (1 + w), np.sqrt(w * room + w * w / 4) / (1 + w)
    return 100 * (middle - half), 100 * (middle + half)


def percent(full, judged):
    """The share among the judged rows; `-` if there is none."""
    return f"{100 * full[judged].mean():.1f}" if judged.any() else "-"
