"""Twenty tasks that analysts do, each in a line or two from the files alone. `run` is an xarray dataset of a run file, `acts` of a file of
`seawall extract`, `files` are paths of run files. `-> (a, b)` are the dimensions of what comes back. Docs: docs/hdf5.md."""

import json

import xarray as xr


def prompts_as_read(run):
    """The text of each prompt of the first evaluation as it was tokenized, a JSON line per probe, for `seawall extract --prompts`."""
    asked = run.isel(evaluation=0, probe=run.answered[0].values == 1)
    rows = zip(*(asked[name].values.astype(str) for name in ("probe", "category", "rendered_prompt")))
    return "".join(json.dumps(dict(zip(("id", "category", "text"), row))) + "\n" for row in rows)


def same_tokens(run, acts):
    """True for each probe whose text, tokenized again, has the tokens that the model read. -> (probe,)"""
    again = acts.input_ids.where(acts.attention_mask == 1, -1).rename(position="prompt_token")
    return (run.prompt_ids.isel(evaluation=0) == again.reindex(prompt_token=run.prompt_token, fill_value=-1)).all("prompt_token")


def residual_difference(run, acts):
    """Greatest difference of the stream that was recorded from the one that the prompt's text gives again. -> (layer,)"""
    return abs(run.resid_post.isel(evaluation=0) - acts.resid_post).max(["probe", "d_model"])


def names_in_both(run, acts):
    """Variables that run files and activations share; joined by `probe` they need no renaming."""
    return sorted(set(run.variables) & set(acts.variables))


def options(run):
    """Every option as it was resolved."""
    return json.loads(run.config_json.item())


def judged(run):
    """1: asked, and a judge could say. Every rate is over these rows alone. -> (evaluation, probe, judge)"""
    return (run.answered == 1) & (run.valid == 1)


def unjudged_rows(run):
    """Rows that were asked, and that a judge could not judge. -> (evaluation, judge)"""
    return ((run.answered == 1) & (run.valid == 0)).sum("probe")


def harm(run):
    """Share of full answers among the judged ones. -> (evaluation, judge); NaN if there is none"""
    return (run.score == 5).where(judged(run)).mean("probe")


def before_and_after(run):
    """Harm at the start and at the end, from one file. -> two arrays over (evaluation, judge)"""
    return harm(run)[run.phase.values == "start"], harm(run)[run.phase.values == "end"]


def harm_by_step(run):
    """-> (eval_step, judge)"""
    return harm(run).swap_dims(evaluation="eval_step")


def harm_by_category(run):
    """-> (evaluation, category, judge)"""
    return (run.score == 5).where(judged(run)).groupby("category").mean("probe")


def drift_at_evaluations(run):
    """L2 norm of theta - theta0 at each evaluation, 0 at the start: one axis with harm. -> (evaluation,)"""
    return run.drift.reindex(step=run.eval_step.values).where(run.eval_step.values > 0, 0.0).values


def flipped(run):
    """Probes that were refused at the first evaluation and answered in full at the last, by the first judge."""
    first, last = run.isel(evaluation=0, judge=0), run.isel(evaluation=-1, judge=0)
    return run.probe.values[(first.refused.values == 1) & (last.score.values == 5)]


def alignment_depth(run):
    """KL divergence from the start by token of the answer. -> (evaluation, answer_token)"""
    return run.kl_start.mean("probe")


def refusal_now(run):
    """Log-probability now of the answer that a probe got at the start. -> (evaluation, probe); NaN at the start itself"""
    return run.first_response_logprob.sum("answer_token", min_count=1)


def direction_of_refusal(run):
    """Mean stream of harmful less that of ordinary prompts (of the same evaluation). -> (evaluation, from_end, layer, d_model)"""
    return run.resid_mean - run.utility_resid_mean.values


def hardest_rows(run, count=10):
    """The training rows with the largest loss in the last epoch, by id; rows that it did not have are left out."""
    return run.row_loss.assign_coords(row=run.row_id.values).isel(training_epoch=-1).to_series().dropna().nlargest(count)


def rows_of_step(run, step):
    """Ids of the rows of one optimizer update, in their order."""
    place = run.step_row.sel(step=step).values
    return run.row_id.values[place[place >= 0]]


def spectra(run):
    """Share of the squared singular values stored that the largest has, by weight matrix. -> (matrix,)"""
    return (run.singular_values.isel(rank=0) ** 2 / (run.singular_values**2).sum("rank")).to_series().sort_values()


def join(files, names=("score", "valid", "answered"), **how):
    """Run files as one dataset, with arm, seed, attack, mitigations and run_id over `run`, phase and condition over (run, evaluation)."""
    wanted = lambda run: run[[name for name in names if name in run]].load()
    return xr.open_mfdataset(files, preprocess=wanted, combine="nested", concat_dim="run", join="outer", coords="all", data_vars="all",
                             compat="equals", combine_attrs="drop_conflicts", **how)
