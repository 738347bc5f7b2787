"""What a linear probe reads: logistic regression on the residual stream at the last token of a prompt tells harmful from ordinary
prompts; balanced accuracy (50 %: chance) of 5-fold cross-validation whose folds share no category, by evaluation and layer."""

import sys

import numpy as np
import xarray as xr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
for path in sys.argv[1:]:
    run = xr.open_dataset(path)
    if "resid_post" not in run or "utility_resid_post" not in run:
        sys.exit(f"{path}: no residual streams of both sets; make the run with --trace residual")
    print(path, "\n step condition   n left out ", *(f"layer {layer}" for layer in run.layer.values))
    for step, condition, harmful in zip(run.eval_step.values, run.condition.values, run.resid_post.values):
        same = (run.utility_eval_step == step) & (run.utility_condition == condition)
        if not same.any():
            print(f"{step:5} {condition:9} no ordinary prompts at this step and condition")
            continue
        ordinary = run.utility_resid_post.values[same.values.argmax()]
        streams, label = np.concatenate([harmful, ordinary]), np.repeat([1, 0], [len(harmful), len(ordinary)])
        category, there = np.concatenate([run.category, run.utility_category]), np.isfinite(streams).all((1, 2))
        folds = list(StratifiedGroupKFold(5).split(label[there], label[there], category[there]))
        said = (cross_val_predict(model, x, label[there], cv=folds) for x in streams[there].swapaxes(0, 1))
        accuracy = " ".join(f"{100 * balanced_accuracy_score(label[there], s):7.1f}" for s in said)
        print(f"{step:5} {condition:9} {there.sum():3} {(~there).sum():8} {accuracy}")
