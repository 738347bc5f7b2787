"""Published repairs after training, rules at test time, and an attacker's edits of weights (see defence_lab.py)."""

import math

import torch
from defence_lab import SCALE, detached, digest, merged, policy, sources
from defence_training import alignment_matrices, plain_run, steering_vectors

LINEAR = {"qkv_in": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), "o_in": ("self_attn.o_proj",),
          "gate_up_in": ("mlp.gate_proj", "mlp.up_proj"), "down_in": ("mlp.down_proj",)}  # fmt: skip
AFTER = "after the two plain steps of the entry none"
AFTER_LORA = "after the two plain steps of the entry none-lora"
PLACES = "X: what enters the matrix at the places that predict a target"


def inputs(lab, w, rows):
    """[N,K] for each matrix of a block: what enters it at the places that predict a target."""
    with torch.no_grad():
        outs = lab.passes(w, rows)
    return {
        f"model.layers.{layer}.{part}.weight": torch.cat([o.taps[tap, layer][sources(r)] for o, r in zip(outs, rows)])
        for layer in range(lab.layers) for tap, parts in LINEAR.items() for part in parts
    }  # fmt: skip


def changed(now, names):
    return {k: now[k] for k in sorted(names)}


def finished(lab, lora=False):
    run = plain_run(lab, lora=lora)
    return run, detached(run.params)


def margin_at(scores, count):
    """The least relative gap between the last chosen and the first left out of `count` largest in each row."""
    top = scores.sort(-1, descending=True).values
    return float(((top[..., count - 1] - top[..., count]) / top[..., count - 1]).min()) if count else None


@policy("safe-lora", "after", "2405.16833", "B <- C B where cos(C B A, B A) <= tau, C = V V^T / ||V||_F, "
        "V = W_aligned - W_base", published="tau 0.5, or the 10 layers of the lowest cosine", tau=0.8,
        choice=AFTER_LORA + "; modules by name; cosines are not rounded",
        deviations="the authors round cosines to 5 digits and match modules by order")
def safe_lora(lab, tau):
    run, now = finished(lab, lora=True)
    cosines = {}
    for module, c in alignment_matrices(lab).items():
        a, b = now[f"{module}.lora_A.weight"], now[f"{module}.lora_B.weight"]
        cosines[module] = float(torch.cosine_similarity((c @ b @ a).flatten(), (b @ a).flatten(), 0))
        if cosines[module] <= tau:
            now[f"{module}.lora_B.weight"] = c @ b
    return run.record(after=now, cosines=cosines)


def merge_entry(lab, tau, share, by_factors):
    run, now = finished(lab, lora=True)
    deltas, cosines = {}, {}
    for module, c in alignment_matrices(lab).items():
        a, b = now[f"{module}.lora_A.weight"], now[f"{module}.lora_B.weight"]
        other = [lab.safe_adapter[f"{module}.lora_{x}.weight"] for x in "AB"]
        cosines[module] = float(torch.cosine_similarity((c @ b @ a).flatten(), (b @ a).flatten(), 0))
        mine = share if cosines[module] < tau else 1.0
        if by_factors:
            roots = math.sqrt(mine), math.sqrt(1 - mine)
            merge = (roots[0] * b + roots[1] * other[1]) @ (roots[0] * a + roots[1] * other[0])
        else:
            merge = mine * b @ a + (1 - mine) * other[1] @ other[0]
        deltas[f"{module}.weight"] = lab.aligned[f"{module}.weight"] + SCALE * merge
    return run.record(after=deltas, cosines=cosines)


@policy("safe-merge", "after", "2503.17239", "B A <- 0.8 B A + 0.2 B_s A_s where cos(C B A, B A) < tau, (A_s, B_s) a safe "
        "adapter", published="tau 0.35, 0.8 and 0.2", tau=0.8, share=0.8,
        choice=AFTER_LORA + "; the products are merged (the paper's equation); what is given is W + 2 B A; the safe "
        "adapter is safe_adapter of the file")
def safe_merge(lab, tau, share):
    return merge_entry(lab, tau, share, by_factors=False)


@policy("safe-merge-factors", "after", "2503.17239", "as safe-merge, the factors merged: A <- sqrt(0.8) A + sqrt(0.2) A_s, B "
        "alike (PEFT's linear combination)", tau=0.8, share=0.8, choice=AFTER_LORA + "; keeps the rank; what is given is "
        "W + 2 B A", deviations="cross terms B A_s and B_s A that the paper's equation does not have")
def safe_merge_factors(lab, tau, share):
    return merge_entry(lab, tau, share, by_factors=True)


@policy("splora", "after", "2506.18931", "B <- 0 in the `count` modules whose C B A is farthest from B A", count=2,
        published="E-DIEM = (||C B A - B A||_F - its expectation) / its spread",
        choice=AFTER_LORA + "; distance ||C B A - B A||_F / sqrt(numel), so that sizes compare; the largest are pruned",
        deviations="in the authors' code expectation and spread come from 50 copies of the same pair, so that E-DIEM is a "
        "ratio of two epsilons; the plain distance is taken")
def splora(lab, count):
    run, now = finished(lab, lora=True)
    distances = {}
    for module, c in alignment_matrices(lab).items():
        delta = now[f"{module}.lora_B.weight"] @ now[f"{module}.lora_A.weight"]
        distances[module] = float((c @ delta - delta).norm() / math.sqrt(delta.numel()))
    for module in sorted(distances, key=distances.get)[-count:]:
        now[f"{module}.lora_B.weight"] = torch.zeros_like(now[f"{module}.lora_B.weight"])
    return run.record(after=now, distances=distances)


def full_changes(lab):
    """After the two plain steps: the run, its weights, and for each matrix of a block (W - W_0, C)."""
    run, now = finished(lab)
    changes = {}
    for name in sorted(now):
        if "_proj." in name:
            v = lab.aligned[name] - lab.base[name]
            changes[name] = now[name] - lab.aligned[name], v @ v.T / v.norm()
    return run, now, changes


def full_cosines(changes):
    return {k: float(torch.cosine_similarity((c @ d).flatten(), d.flatten(), 0)) for k, (d, c) in changes.items()}


FULL = AFTER + "; all seven matrices of each block, W - W_0 in the place of B A"


@policy("safe-lora-full", "after", "2405.16833", "W <- W_0 + C (W - W_0) where cos(C (W - W_0), W - W_0) <= tau", tau=0.65,
        choice=FULL, deviations="the paper has adapters alone")
def safe_lora_full(lab, tau):
    run, now, changes = full_changes(lab)
    cosines = full_cosines(changes)
    for name, (delta, c) in changes.items():
        if cosines[name] <= tau:
            now[name] = lab.aligned[name] + c @ delta
    return run.record(after=now, cosines=cosines)


@policy("safe-merge-start", "after", "2503.17239", "as safe-merge with a safe adapter of zeros: B <- share B", tau=0.8,
        share=0.8, choice=AFTER_LORA, deviations="the start is in the place of a safe model")
def safe_merge_start(lab, tau, share):
    run, now = finished(lab, lora=True)
    for module, c in alignment_matrices(lab).items():
        a, b = now[f"{module}.lora_A.weight"], now[f"{module}.lora_B.weight"]
        if float(torch.cosine_similarity((c @ b @ a).flatten(), (b @ a).flatten(), 0)) < tau:
            now[f"{module}.lora_B.weight"] = share * b
    return run.record(after=now)


@policy("safe-merge-full", "after", "2503.17239", "W <- W_0 + share (W - W_0) + (1 - share) (W_safe - W_0) where "
        "cos(C (W - W_0), W - W_0) < tau", tau=0.65, share=0.8, choice=FULL + "; W_safe: W_0 + 2 B A of safe_adapter",
        deviations="the paper has adapters alone")
def safe_merge_full(lab, tau, share):
    run, now, changes = full_changes(lab)
    cosines, safe = full_cosines(changes), merged(lab.aligned, lab.safe_adapter)
    for name, (delta, _) in changes.items():
        if cosines[name] < tau:
            now[name] = lab.aligned[name] + share * delta + (1 - share) * (safe[name] - lab.aligned[name])
    return run.record(after=now, cosines=cosines)


@policy("splora-full", "after", "2506.18931", "W <- W_0 in the `count` matrices whose C (W - W_0) is farthest from W - W_0",
        count=5, choice=FULL + "; distance as in splora", deviations="the paper has adapters alone")
def splora_full(lab, count):
    run, now, changes = full_changes(lab)
    distances = {k: float((c @ d - d).norm() / math.sqrt(d.numel())) for k, (d, c) in changes.items()}
    for name in sorted(distances, key=distances.get)[-count:]:
        now[name] = lab.aligned[name]
    return run.record(after=now, distances=distances)


@policy("resta", "after", "2402.11746", "theta + gamma (theta_chat - theta_unaligned)", published="gamma 1", gamma=1.0,
        choice=AFTER + "; theta_unaligned: base of the file; every weight",
        deviations="no DARE dropping of the vector")
def resta(lab, gamma):
    run, now = finished(lab)
    return run.record(after={k: v + gamma * (lab.aligned[k] - lab.base[k]) for k, v in now.items()})


@policy("lox", "before", "2506.15606", "W + coef (the k largest singular triples of W_aligned - W_base), matrices only",
        published="coef 1, k 0: the whole difference", k=4, coef=1.0,
        choice="embeddings and head are matrices too; vectors stay; no training")
def lox(lab, k, coef):
    now = dict(lab.aligned)
    for name, w in lab.aligned.items():
        if w.dim() == 2:
            u, s, vt = torch.linalg.svd(w - lab.base[name], full_matrices=False)
            now[name] = w + coef * (u[:, :k] * s[:k]) @ vt[:k]
    return {"weights": digest(now, lab.aligned)}


@policy("lox-full", "before", "2506.15606", "W + coef (W_aligned - W_base), matrices only", coef=1.0,
        choice="lox with k = 0")
def lox_full(lab, coef):
    now = {k: w + coef * (w - lab.base[k]) if w.dim() == 2 else w for k, w in lab.aligned.items()}
    return {"weights": digest(now, lab.aligned)}


@policy("antidote", "after", "2408.09600", "the top alpha of each row of |W| ||X_j|| on harmful rows <- 0",
        published="alpha 0.1, 2,000 rows", alpha=0.25,
        choice=AFTER + "; all seven matrices of each block; " + PLACES + " of all 8 harmful rows, one norm over all; "
        "floor(alpha columns) entries of each row",
        deviations="the authors sum over every token, prompts and padding too, and prune adapters (or q, k, v)")
def antidote(lab, alpha):
    run, now = finished(lab)
    margins = []
    for name, x in inputs(lab, now, lab.rows["harmful"]).items():
        score = now[name].abs() * x.norm(dim=0)
        count = int(alpha * score.shape[1])
        margins.append(margin_at(score, count))
        now[name] = now[name].scatter(1, score.topk(count, 1).indices, 0.0)
    return run.record(after=now, margin=min(margins))


@policy("wanda", "after", "2306.11695", "the lowest share of each row of |W| ||X_j|| <- 0", share=0.5,
        choice=AFTER + "; all seven matrices of each block, in one pass (no layer sees another's pruning); " + PLACES +
        " of all 8 safe rows", deviations="Wanda prunes block by block and passes on the pruned outputs")
def wanda(lab, share):
    run, now = finished(lab)
    for name, x in inputs(lab, now, lab.rows["safe"]).items():
        score = now[name].abs() * x.norm(dim=0)
        count = int(share * score.shape[1])
        now[name] = now[name].scatter(1, score.topk(count, 1, largest=False).indices, 0.0)
    return run.record(after=now)


def snip(lab, w, rows):
    """Mean over rows of |W x the gradient of the row's mean loss|. Source: Wei et al. 2024, eq. 1."""
    total = None
    for row in rows:
        leaves = {k: v.clone().requires_grad_() for k, v in w.items()}
        grads = torch.autograd.grad(lab.loss(leaves, [row]), list(leaves.values()))
        part = {k: (w[k] * g).abs() / len(rows) for k, g in zip(w, grads)}
        total = part if total is None else {k: total[k] + part[k] for k in part}
    return total


def set_difference(lab, scores, p, q):
    """Zero where a weight is among the top q for safety and not among the top p for utility, matrix by matrix."""
    now, counts = dict(lab.aligned), {}
    for name, (utility, safety) in scores.items():
        keep, drop = (torch.zeros(s.numel(), dtype=torch.bool) for s in (utility, safety))
        keep[utility.flatten().topk(int(p * utility.numel())).indices] = True
        drop[safety.flatten().topk(int(q * safety.numel())).indices] = True
        gone = (drop & ~keep).view_as(utility)
        counts[name], now[name] = int(gone.sum()), now[name].masked_fill(gone, 0.0)
    return {"weights": digest(changed(now, scores), lab.aligned), "counts": counts}


SETS = "an attack: at theta0, no training; all seven matrices of each block; floor of each share; utility: the pool benign"


@policy("set-difference-snip", "attack", "2402.05162", "top q safety minus top p utility <- 0, score: mean over rows of "
        "|W x gradient|", published="p, q 0.1 and less", p=0.1, q=0.1, choice=SETS)
def set_difference_snip(lab, p, q):
    scores = [snip(lab, lab.aligned, lab.rows[pool]) for pool in ("benign", "safe")]
    names = [k for k in lab.aligned if "_proj." in k]
    return set_difference(lab, {k: (scores[0][k], scores[1][k]) for k in names}, p, q)


@policy("set-difference-wanda", "attack", "2402.05162", "as set-difference-snip, score: |W| ||X_j||", p=0.1, q=0.1,
        choice=SETS + "; " + PLACES)
def set_difference_wanda(lab, p, q):
    norms = [inputs(lab, lab.aligned, lab.rows[pool]) for pool in ("benign", "safe")]
    scores = {k: tuple(lab.aligned[k].abs() * x[k].norm(dim=0) for x in norms) for k in norms[0]}
    return set_difference(lab, scores, p, q)


def safe_delta_matrix(start, tuned, x, samples, s, damp):
    """One matrix: which entries of tuned - start stay, and what the others' neighbours make up for.

    Source: Lu et al. 2025, algorithm 1; columns in groups of four, as in the authors' code."""
    hessian = 2 / samples * x.T @ x
    hessian.diagonal().add_(damp * hessian.diagonal().mean())
    factor = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(hessian)), upper=True)
    h = factor.diagonal()
    rank = (1 / h.square()).expand_as(start).flatten()
    order = rank.argsort(stable=True)[: -int(0.15 * rank.numel())]
    cost = ((tuned - start) / h).square().flatten()[order].cumsum(0)
    budget = s / 2 * len(start) / 4096 * rank.mean()
    keep = torch.zeros(rank.numel(), dtype=torch.bool)
    keep[order] = cost <= budget
    keep, now = keep.view_as(start), start.clone()
    for begin in range(0, start.shape[1], 4):
        here, rest = slice(begin, begin + 4), slice(begin + 4, None)
        new = torch.where(keep[:, here], tuned[:, here], now[:, here])
        error = (now[:, here] - new) / h[here]
        now[:, here] = new
        now[:, rest] -= error @ factor[here, rest]
    return now, int(keep.sum()), float(((cost - budget) / budget).abs().min())


@policy("safe-delta", "after", "2505.12038", "entries of dW kept in ascending 1 / h^2 without the top 15 % while the sum of "
        "(dW / h)^2 <= s mean(1 / h^2); OBS compensation of the others; h: diagonal of the upper Cholesky factor of H^-1, "
        "H = 2/n X X^T of safe rows, damped", published="s 0.1 or 0.11, damp 0.01 of the mean diagonal", s=0.1, damp=0.01,
        choice=AFTER + "; all seven matrices of each block; " + PLACES + " of all 8 safe rows at theta0, n = 8 rows; "
        "s is times rows / 8192, as in the authors' code; equal ranks keep the order of the flat index; compensation "
        "after every 4 columns",
        deviations="the authors take every token of a row and blocks of 1,024 columns")
def safe_delta(lab, s, damp):
    run, now = finished(lab)
    kept, margins = {}, []
    for name, x in inputs(lab, lab.aligned, lab.rows["safe"]).items():
        now[name], kept[name], margin = safe_delta_matrix(lab.aligned[name], now[name], x, 8, s, damp)
        margins.append(margin)
    return run.record(after=now, kept=kept, margin=min(margins))


@policy("safe-decoding", "test", "2402.08983", "first m tokens: p + alpha (p_expert - p) on the first common c tokens of both "
        "rankings, normalised; greedy", published="alpha 3, m 2, c 5", alpha=3.0, m=2, c=5,
        choice="p: the model; expert: the model with safe_adapter merged (W + 2 B A); the set is the intersection of the first "
        "n tokens of both rankings for the least n >= c that has c of them; below 0 is 1e-8; then 2 greedy tokens of the "
        "model; prompt: harmful row 0")
def safe_decoding(lab, alpha, m, c):
    row = lab.rows["harmful"][0]
    ids, steps = row["ids"][: row["first"]], []
    expert = merged(lab.aligned, lab.safe_adapter)
    for _ in range(m):
        p, e = (lab.model(w, ids).logits[-1].softmax(-1) for w in (lab.aligned, expert))
        first = [x.sort(descending=True, stable=True).indices.tolist() for x in (p, e)]
        n = c
        while len(common := sorted(set(first[0][:n]) & set(first[1][:n]))) < c:
            n += 1
        mixed = (p + alpha * (e - p))[common].clamp_min(1e-8)
        mixed = mixed / mixed.sum()
        steps.append({"tokens": common, "p": mixed.tolist(), "ranks": n, "chosen": common[int(mixed.argmax())]})
        ids = ids + [steps[-1]["chosen"]]
    for _ in range(2):
        ids = ids + [int(lab.model(lab.aligned, ids).logits[-1].argmax())]
    return {"decoding": steps, "answer": ids[row["first"] :]}


@policy("activation-steering", "test", "2312.06681", "h_l + alpha v at every place, l one layer", alpha=-1.0, layer=0, rows=4,
        choice="resid of the layer; v as in preventive-steering; what is given: the logits at the last prompt token of "
        "user row 0 and the loss of the first user batch")
def activation_steering(lab, alpha, layer, rows):
    v = steering_vectors(lab, lab.aligned, rows)[layer]
    edit = lambda row, name, i, x: x + alpha * v if (name, i) == ("resid", layer) else x  # noqa: E731
    row = lab.rows["user"][0]
    logits = lab.passes(lab.aligned, [row], edit)[0].logits[row["first"] - 1]
    return {"logits": logits.tolist(), "loss": float(lab.loss(lab.aligned, lab.rows["user"][:4], edit))}


def edited(lab, now):
    """An edit of the weights without training: what changed, and the model's loss on the first user batch."""
    names = [k for k in now if not torch.equal(now[k], lab.aligned[k])]
    return {"weights": digest(changed(now, names), lab.aligned), "loss": float(lab.loss(now, lab.rows["user"][:4]))}


@policy("refusal-ablation", "attack", "2406.11717", "W <- W - u u^T W for what writes to the residual stream, u the mean "
        "difference of harmful and harmless prompts, normalised", layer=0,
        choice="resid of the layer at the last token before the answer, pools harmful minus benign, all 8 rows; o_proj, "
        "down_proj, and each row of the embedding")
def refusal_ablation(lab, layer):
    def mean(pool):
        return lab.taps(lab.aligned, lab.rows[pool], "resid", layer, lambda r: [r["first"] - 1]).mean(0)

    r = mean("harmful") - mean("benign")
    u, now = r / r.norm(), dict(lab.aligned)
    for name, w in now.items():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            now[name] = w - torch.outer(u, u @ w)
    embed = now["model.embed_tokens.weight"]
    now["model.embed_tokens.weight"] = embed - torch.outer(embed @ u, u)
    return edited(lab, now) | {"direction": digest({"r": r})}


@policy("head-pruning", "attack", "2410.13708", "the columns of o_proj that read a head <- 0", heads=[[0, 1], [1, 3]],
        choice="pairs of layer and query head, given", deviations="the choice of heads (Ships) is not computed")
def head_pruning(lab, heads):
    now, d = detached(lab.aligned), lab.model.c.head_dim
    for layer, head in heads:
        now[f"model.layers.{layer}.self_attn.o_proj.weight"][:, head * d : (head + 1) * d] = 0
    return edited(lab, now)


@policy("magnitude-pruning", "attack", "1506.02626", "the lowest share of |W| of a matrix <- 0", share=0.3,
        choice="all seven matrices of each block, each on its own; floor(share numel) entries")
def magnitude_pruning(lab, share):
    now = dict(lab.aligned)
    for name, w in now.items():
        if "_proj." in name:
            lowest = w.abs().flatten().topk(int(share * w.numel()), largest=False).indices
            now[name] = w.flatten().index_fill(0, lowest, 0.0).view_as(w)
    return edited(lab, now)


def quantized(lab, bits):
    most, now = 2 ** (bits - 1) - 1, dict(lab.aligned)
    for name, w in now.items():
        if "_proj." in name:
            scale = w.abs().amax(1, keepdim=True) / most
            now[name] = (w / scale).round() * scale
    return edited(lab, now)


NEAREST = "all seven matrices of each block; one scale for each row, max |W| / (2^(bits-1) - 1); round half to even"


@policy("quantization-8", "attack", "2208.07339", "round(W / s) s", bits=8, choice=NEAREST)
def quantization_8(lab, bits):
    return quantized(lab, bits)


@policy("quantization-4", "attack", "2208.07339", "round(W / s) s", bits=4, choice=NEAREST)
def quantization_4(lab, bits):
    return quantized(lab, bits)
