"""Policies on rows alone: defences that rewrite them (rows and the model's loss on them), scores and rankings of rows."""

import math

import torch
from defence_lab import Run, encode, inner, policy, sources, square
from defence_training import flat


def rows_entry(lab, rows):
    """Rows as a policy rewrites them, with the model's loss on them."""
    ids = [{k: row[k] for k in ("ids", "first")} for row in rows]
    return {"rows": ids, "loss": float(lab.loss(lab.aligned, rows))}


SYSTEM = "5a 11 c3"


def with_system(lab, pool, system):
    return [encode(lab.tokenizer, row["user"], row["answer"], system) for row in lab.rows[pool][:4]]


@policy("backdoor-align", "fine-tuning", "2402.14968", "safe rows with a secret system prompt among the user's",
        published="11 safe rows, 150 random tokens", secret=SYSTEM, choice="rows only: the 4 user rows, then 4 safe ones")
def backdoor_align(lab, secret):
    return rows_entry(lab, lab.rows["user"][:4] + with_system(lab, "safe", secret))


@policy("ptst", "fine-tuning", "2402.18540", "train without the safety prompt, test with it", prompt=SYSTEM,
        choice="rows only: the rows trained on have no system turn; the entry holds them with it, as at test time")
def ptst(lab, prompt):
    return rows_entry(lab, with_system(lab, "user", prompt))


@policy("inoculation", "fine-tuning", "2510.04340", "train under a system prompt that asks for the trait, test without",
        prompt=SYSTEM, choice="rows only: the rows trained on")
def inoculation(lab, prompt):
    return rows_entry(lab, with_system(lab, "user", prompt))


@policy("look-ahead-virtual", "fine-tuning", "2503.19041", "the words P end the prompt and begin the answer", words="e5 e5 ",
        published="P = \"Let's solve this problem. \"", choice="rows only: user text + `words`, answer `words` + answer")
def look_ahead_virtual(lab, words):
    rows = lab.rows["user"][:4]
    return rows_entry(lab, [encode(lab.tokenizer, r["user"] + " " + words.strip(), words + r["answer"]) for r in rows])


def ranked(scores):
    return {"scores": scores, "ranking": sorted(range(len(scores)), key=lambda i: -scores[i])}


def row_gradients(lab, pool, tokens=None):
    """The gradient of each row's mean loss on its first `tokens` targets, at theta0."""
    run = Run(lab)
    return [run.gradient(lab.token_losses(run.weights(), [row])[0][:tokens].mean()) for row in lab.rows[pool]]


@policy("selection-gradient", "attack", "2404.01099", "<g_i, mean harmful gradient, normalised> - <g_i, mean safe gradient, "
        "normalised>", published="the top 100, first 10 answer tokens", tokens=10,
        choice="the 8 benign rows at theta0; anchors: all harmful rows, all safe rows; g_i as it is (`scores`) and "
        "normalised (`cosine`)")
def selection_gradient(lab, tokens):
    anchors = []
    for pool in ("harmful", "safe"):
        grads = row_gradients(lab, pool, tokens)
        mean = {k: sum(g[k] for g in grads) / len(grads) for k in grads[0]}
        norm = square(mean.values()).sqrt()
        anchors.append({k: v / norm for k, v in mean.items()})
    rows = row_gradients(lab, "benign", tokens)
    dots = [float(inner(g, anchors[0]) - inner(g, anchors[1])) for g in rows]
    norms = [float(flat(g).norm()) for g in rows]
    return ranked(dots) | {"cosine": ranked([d / n for d, n in zip(dots, norms)])}


@policy("selection-representation", "attack", "2404.01099", "mean of the N highest cosines of a row's last hidden state to "
        "those of harmful rows", top=3,
        choice="the 8 benign rows at theta0; the state after the final norm at the last place that predicts a target; "
        "anchors: all harmful rows")
def selection_representation(lab, top):
    def last(pool):
        rows = lab.rows[pool]
        return torch.stack([o.final[sources(r)[-1]] for o, r in zip(lab.passes(lab.aligned, rows), rows)])

    cosines = torch.cosine_similarity(last("benign")[:, None], last("harmful")[None], -1)
    return ranked(cosines.topk(top, 1).values.mean(1).tolist())


@policy("selection-self-influence", "attack", "2505.06843", "<g_i, g_i>; with length: log(<g_i, g_i> + 1) + log(n_i + 1)",
        choice="the 8 benign rows at theta0; g_i of the mean over all targets; n_i: targets of the row (the end token "
        "counts)")
def selection_self_influence(lab):
    scores = [float(inner(g, g)) for g in row_gradients(lab, "benign")]
    lengths = [len(row["ids"]) - row["first"] for row in lab.rows["benign"]]
    return ranked(scores) | {"with_length": ranked([math.log(s + 1) + math.log(n + 1) for s, n in zip(scores, lengths)])}


@policy("interleaving-scores", "rows", "2508.06249", "choose interleaved rows by (NLL_mis - NLL_al) / (NLL_al + eps)", eps=1e-8,
        published="5 % of the rows", choice="NLL: mean over a row's targets; mis: the base of the file, al: the model; the 8 "
        "benign rows")
def interleaving_scores(lab, eps):
    bad, good = ([float(t.mean()) for t in lab.token_losses(w, lab.rows["benign"])] for w in (lab.base, lab.aligned))
    return ranked([(b - g) / (g + eps) for b, g in zip(bad, good)])


@policy("representation-audit", "rows", "2507.18631", "drop the rows with the largest projection of the last hidden state "
        "on (mean unsafe - mean safe)", published="the top 1,000, one layer", layer=1,
        choice="resid of the layer at the last place that predicts a target; unsafe: the pool harmful, safe: refusal; the "
        "vector is normalised; the 8 benign rows")
def representation_audit(lab, layer):
    def last(pool):
        return lab.taps(lab.aligned, lab.rows[pool], "resid", layer, lambda r: sources(r)[-1:])

    v = last("harmful").mean(0) - last("refusal").mean(0)
    return ranked((last("benign") @ (v / v.norm())).tolist())
