"""Published defences at the fine-tuning stage, each from its paper's definition (see defence_lab.py)."""

import torch
from defence_lab import STEPS, Run, detached, digest, inner, module_of, policy, sources, square


def plain_run(lab, **how):
    run = Run(lab, **how)
    for _ in range(STEPS):
        run.step(lab.loss(run.weights(), run.next("user")))
    return run


def far(lab, term):
    """The policy's term alone with theta = the unaligned base and theta0 = the model: value and gradient norm.

    At the start of a run such terms vanish, so two steps say little about them."""
    w = {k: v.clone().requires_grad_() for k, v in lab.base.items()}
    value = term(lab.aligned, w)
    grads = torch.autograd.grad(value, list(w.values()), allow_unused=True)
    return {"value": float(value), "grad_norm": float(square(g for g in grads if g is not None).sqrt())}


def with_term(lab, term, pool="user"):
    """Two steps on L(user rows) + term(theta0, theta, the same rows)."""
    run = Run(lab)
    for _ in range(STEPS):
        rows = run.next(pool)
        w = run.weights()
        run.step(lab.loss(w, rows), term(run.start_weights(), w, rows))
    return run.record(far=far(lab, lambda w0, w: term(w0, w, lab.batch(pool, 0))))


@policy("none", "fine-tuning", "", "L")
def none(lab):
    return plain_run(lab).record()


@policy("none-lora", "fine-tuning", "2106.09685", "L, over A and B alone; W + 2 B A")
def none_lora(lab):
    return plain_run(lab, lora=True).record()


@policy("kl-to-start", "fine-tuning", "2508.06249", "L + lambda KL(p_theta0 || p_theta)", published="lambda 0.1",
        choice="mean over the targets of the user's batch, sum over the vocabulary", lam=1.0)
def kl_to_start(lab, lam):
    return with_term(lab, lambda w0, w, rows: lam * lab.kl(w0, w, rows))


@policy("ewc", "fine-tuning", "1612.00796", "L + lambda sum_i F_i (theta_i - theta0_i)^2",
        published="lambda 1e9 in the baselines of 2409.01586", lam=1000.0, rows=8,
        choice="F_i = mean over the first `rows` safe rows of (d s_row / d theta_i)^2 at theta0, s_row the mean over "
        "that row's targets; no factor 1/2")
def ewc(lab, lam, rows):
    run, fisher = Run(lab), None
    for row in lab.rows["safe"][:rows]:
        g = run.gradient(lab.loss(run.weights(), [row]))
        fisher = {k: v.square() / rows + (fisher[k] if fisher else 0) for k, v in g.items()}

    def term(w0, w):
        return lam * sum((fisher[k] * (w[k] - w0[k]).square()).sum() for k in fisher)

    for _ in range(STEPS):
        w = run.weights()
        run.step(lab.loss(w, run.next("user")), term(run.start, w))
    return run.record(far=far(lab, term), fisher=digest(fisher))


def feature_distance(lab, tap, rho):
    def term(w0, w, rows):
        layers = range(lab.layers)
        parts = [lab.taps(w, rows, tap, i) - lab.taps(w0, rows, tap, i).detach() for i in layers]
        return rho / 2 * sum(p.square().sum(-1).mean() for p in parts)

    return term


LDIFS = "sum over the width, mean over the places that predict a target, sum over the layers; 1/2 rho in front"


@policy("ldifs", "fine-tuning", "2308.13320", "L + rho/2 sum_l ||h_l(theta) - h_l(theta0)||^2, h_l: mlp_out",
        published="lambda 1 on every fifth residual stream (2508.06249); rho/2 on MLP outputs (Booster's repository)",
        choice=LDIFS, rho=0.1)
def ldifs(lab, rho):
    return with_term(lab, feature_distance(lab, "mlp_out", rho))


@policy("ldifs-resid", "fine-tuning", "2308.13320", "as ldifs, h_l: resid", choice=LDIFS, rho=0.1)
def ldifs_resid(lab, rho):
    return with_term(lab, feature_distance(lab, "resid", rho))


@policy("lisa", "fine-tuning", "2405.18641", "k2 steps on L + rho/2 ||theta - w_al||^2, then k1 steps on "
        "s + rho/2 ||theta - w_ft||^2; w_ft, w_al: theta at the end of the phase before", k1=2, k2=2, rho=1.0,
        published="rho 1, k1 100, k2 900, no proximal term in the first 10 % of the steps",
        choice="the user's phase comes first and has no term until there is a w_al; both phases share AdamW's state; "
        "4 user steps and 4 safe ones, in the order of `steps`",
        deviations="the authors' trainer starts with the alignment phase, w_ft = w_al = theta0")
def lisa(lab, k1, k2, rho):
    run, al, ft = Run(lab), None, None

    def near(w):
        return None if w is None else rho / 2 * square(p - w[k] for k, p in run.params.items())

    for _ in range(2):
        for _ in range(k2):
            run.step(lab.loss(run.weights(), run.next("user")), near(al), user=1)
        ft = detached(run.params)
        for _ in range(k1):
            run.step(lab.loss(run.weights(), run.next("safe")), near(ft), user=0)
        al = detached(run.params)
    return run.record()


@policy("vlguard", "fine-tuning", "2402.02207", "L + lambda s, one safe batch for each step",
        published="lambda 0.001 and more", lam=0.5)
def vlguard(lab, lam):
    run = Run(lab)
    for _ in range(STEPS):
        w = run.weights()
        run.step(lab.loss(w, run.next("user")), lam * lab.loss(w, run.next("safe")))
    return run.record()


def without_conflict(g, s):
    """g without its part against s, and <g, s>. Source: Yu et al. 2020, algorithm 1. An s of rounding noise has no say."""
    along = inner(g, s)
    if float(along) >= 0 or float(inner(s, s)) <= 1e-10 * float(inner(g, g)):
        return g, along
    return {k: v - along / inner(s, s) * s[k] for k, v in g.items()}, along


@policy("safegrad", "fine-tuning", "2508.07172", "g = g_L (minus its part along g_s if <g_L, g_s> < 0) + g_s, "
        "g_s the gradient of KL(p_theta0 || p_theta) on safe rows", published="20 safe rows are enough",
        choice="one inner product over all parameters; weight 1; KL as in kl-to-start; no projection while ||g_s|| "
        "<= 1e-5 ||g_L|| (at theta0 g_s is rounding noise, whose direction means nothing)", weight=1.0)
def safegrad(lab, weight):
    run = Run(lab)
    for _ in range(STEPS):
        w = run.weights()
        loss, term = lab.loss(w, run.next("user")), weight * lab.kl(run.start_weights(), w, run.next("safe"))
        s = run.gradient(term)
        g, along = without_conflict(run.gradient(loss), s)
        run.apply({k: v + s[k] for k, v in g.items()}, loss, term, along=along)
    return run.record()


@policy("gradient-surgery", "fine-tuning", "2001.06782", "g -= <g, s>/||s||^2 s if <g, s> < 0, s the gradient of the "
        "loss on a safe batch", choice="one inner product over all parameters; only the user's gradient is stepped on",
        deviations="in the paper each task is projected on each other one and all are summed")
def gradient_surgery(lab):
    run = Run(lab)
    for _ in range(STEPS):
        w = run.weights()
        loss = lab.loss(w, run.next("user"))
        s = run.gradient(lab.loss(w, run.next("safe")))
        g, along = without_conflict(run.gradient(loss), s)
        run.apply(g, loss, along=along)
    return run.record()


@policy("safe-subspace", "fine-tuning", "2602.07892", "g -= U U^T g, U an orthonormal basis of safe gradients at theta0",
        published="200 rows, renewed every 30 steps", rank=4,
        choice="U: QR of the gradients of the first `rank` safe rows, one row each, all parameters in one vector; kept",
        deviations="OGPSA's trainer projects each parameter on its own and renews the basis; there the rows are general")
def safe_subspace(lab, rank):
    run = Run(lab)
    rows = [run.gradient(lab.loss(run.weights(), [row])) for row in lab.rows["safe"][:rank]]
    basis = torch.linalg.qr(torch.stack([flat(g) for g in rows], 1)).Q  # [P,rank]
    for _ in range(STEPS):
        loss = lab.loss(run.weights(), run.next("user"))
        g = flat(run.gradient(loss))
        run.apply(unflat(g - basis @ (basis.T @ g), run.params), loss, removed=(basis.T @ g).norm())
    return run.record()


@policy("safe-subspace-spf", "fine-tuning", "2601.10141", "per matrix: G -= U_k U_k^T G if <G, G_s> < 0, U_k the first k "
        "left singular vectors of the safety gradient G_s", published="one safe sample, k 10", rank=2,
        choice="G_s: the gradient of the loss on safe row 4 alone, at theta0; a vector (norm) is a matrix of one column",
        deviations="written from the paper's summary: the condition for a conflict is <G, G_s> < 0 for each matrix")
def safe_subspace_spf(lab, rank):
    run = Run(lab)
    safe = run.gradient(lab.loss(run.weights(), lab.rows["safe"][4:5]))
    basis = {k: torch.linalg.svd(v.reshape(len(v), -1), full_matrices=False).U[:, :rank] for k, v in safe.items()}
    for _ in range(STEPS):
        loss = lab.loss(run.weights(), run.next("user"))
        g, conflicts = run.gradient(loss), 0
        for k, v in g.items():
            if float((v * safe[k]).sum()) < 0:
                conflicts += 1
                g[k] = v - (basis[k] @ (basis[k].T @ v.reshape(len(v), -1))).view_as(v)
        run.apply(g, loss, conflicts=conflicts)
    return run.record()


def flat(tensors):
    return torch.cat([t.reshape(-1) for t in tensors.values()])


def unflat(vector, like):
    parts = vector.split([t.numel() for t in like.values()])
    return {k: part.view_as(t) for (k, t), part in zip(like.items(), parts)}


def anchor(lab, lam, count, pick):
    prompts = lab.rows["harmful"][:count]

    def states(w):
        return torch.stack([pick(out)[row["first"] - 1] for out, row in zip(lab.passes(w, prompts), prompts)])

    return with_term(lab, lambda w0, w, rows: lam * (states(w) - states(w0).detach()).square().mean())


SBR = "MSE: mean over the K prompts and the width, at the last token before the answer; prompts: the first K harmful rows"


@policy("sbr", "fine-tuning", "2605.05995", "L + lambda MSE(h(theta), h(theta0)), h: after the final norm",
        published="lambda 50, K 8, 1 is enough", choice=SBR, lam=50.0, count=4)
def sbr(lab, lam, count):
    return anchor(lab, lam, count, lambda out: out.final)


@policy("sbr-resid", "fine-tuning", "2605.05995", "as sbr, h: resid of the last block (before the final norm)",
        choice=SBR, lam=50.0, count=4)
def sbr_resid(lab, lam, count):
    return anchor(lab, lam, count, lambda out: out.taps["resid", lab.layers - 1])


def sink(lab, w, rows, places):
    """[L,H]: mean attention to token 0 over the places of a row, then over rows."""
    outs = lab.passes(w, rows)
    return torch.stack([
        torch.stack([out.taps["attention", i][:, places(row), 0].mean(-1) for out, row in zip(outs, rows)]).mean(0)
        for i in range(lab.layers)
    ])  # fmt: skip


def attention_sink_run(lab, alpha, batch, places):
    run, sinks = Run(lab), []
    for _ in range(STEPS):
        w = run.weights()
        loss = lab.loss(w, run.next("user"))
        harm, safe = (sink(lab, w, run.next(pool, batch), places) for pool in ("harmful", "benign"))
        sinks.append({"harmful": harm.tolist(), "benign": safe.tolist()})
        run.step(loss, alpha * torch.relu(harm - safe).mean())
    return run.record(sinks=sinks)


SINK = "L + alpha mean over layers and heads of ReLU(sink_harmful - sink_harmless), sink = mean_q attention[q, 0]"


@policy("attention-sink", "fine-tuning", "2602.05228", SINK, published="alpha 300, one pair of rows a step",
        choice="q: every token after the first that is read, up to the last that predicts a target; mean over q of a "
        "row, then over the batch; harmless rows: the pool benign", alpha=10.0, batch=4)
def attention_sink(lab, alpha, batch):
    return attention_sink_run(lab, alpha, batch, lambda row: torch.arange(1, len(row["ids"]) - 1))


@policy("attention-sink-answers", "fine-tuning", "2602.05228", SINK, alpha=10.0, batch=4,
        choice="as attention-sink, q: only the places that predict a target")
def attention_sink_answers(lab, alpha, batch):
    return attention_sink_run(lab, alpha, batch, sources)


@policy("ema", "fine-tuning", "2508.12531", "e <- decay e + (1 - decay) theta after each step, e = theta0 at the start; "
        "e is what is shipped", decay=0.25)
def ema(lab, decay):
    run = Run(lab)
    mean = run.start
    for _ in range(STEPS):
        run.step(lab.loss(run.weights(), run.next("user")))
        mean = {k: decay * v + (1 - decay) * run.params[k].detach() for k, v in mean.items()}
    return run.record(after=mean)


@policy("freeze-layers", "fine-tuning", "2408.17003", "theta of the layers named stays theta0", frozen=["model.layers.0."],
        choice="the gradient norm is over what is trained")
def freeze_layers(lab, frozen):
    return plain_run(lab, trains=lambda name: not any(name.startswith(f) for f in frozen)).record()


@policy("freeze-neurons", "fine-tuning", "2402.05162", "the gradient of masked weights is 0 at every step",
        choice="a neuron n of the MLP of a layer: row n of gate_proj and up_proj, column n of down_proj; the gradient norm "
        "is after masking; exact without weight decay only", layer=1, neurons=[0, 3, 17, 40, 63])
def freeze_neurons(lab, layer, neurons):
    run = Run(lab)
    for _ in range(STEPS):
        loss = lab.loss(run.weights(), run.next("user"))
        g = run.gradient(loss)
        for part in ("gate", "up"):
            g[f"model.layers.{layer}.mlp.{part}_proj.weight"][neurons] = 0
        g[f"model.layers.{layer}.mlp.down_proj.weight"][:, neurons] = 0
        run.apply(g, loss)
    return run.record()


@policy("preventive-steering", "fine-tuning", "2507.21509", "L with h_l + alpha v_l at every place; nothing at test time",
        published="alpha 5, one layer", alpha=1.0, rows=4,
        choice="resid of every block; v_l = mean of h_l over the places that predict a target of the first `rows` harmful "
        "rows minus the same of safe rows, at theta0 without steering; not a variable")
def preventive_steering(lab, alpha, rows):
    v = steering_vectors(lab, lab.aligned, rows)
    run = Run(lab)
    edit = lambda row, name, layer, x: x + alpha * v[layer] if name == "resid" else x  # noqa: E731
    for _ in range(STEPS):
        run.step(lab.loss(run.weights(), run.next("user"), edit))
    return run.record(vectors=digest({f"resid.{i}": x for i, x in enumerate(v)}))


def steering_vectors(lab, w, rows):
    return [lab.taps(w, lab.rows["harmful"][:rows], "resid", i).mean(0)
            - lab.taps(w, lab.rows["safe"][:rows], "resid", i).mean(0) for i in range(lab.layers)]  # fmt: skip


@policy("adaptive-regularization", "fine-tuning", "2602.17546", "(1 - k) L + k KL(p_theta0 || p_theta), "
        "k = clamp((r - 2) / 3, 0.1, 0.9), r the risk of the batch from 1 to 5", risks=[4.0, 2.0],
        choice="the risks are given; KL as in kl-to-start; the recorded loss is L, the penalty what is stepped on minus L")
def adaptive_regularization(lab, risks):
    run = Run(lab)
    for risk in risks:
        rows, w = run.next("user"), run.weights()
        k = min(max((risk - 2) / 3, 0.1), 0.9)
        loss = lab.loss(w, rows)
        run.step(loss, k * (lab.kl(run.start_weights(), w, rows) - loss), weight=k)
    return run.record()


def alignment_matrices(lab):
    """C = V V^T / ||V||_F of each adapted module, V = W_aligned - W_base. Source: Hsu et al. 2024, eq. 1."""
    out = {}
    for name in lab.adapter:
        module = module_of(name)
        v = lab.aligned[f"{module}.weight"] - lab.base[f"{module}.weight"]
        out[module] = v @ v.T / v.norm()
    return out


@policy("asft", "fine-tuning", "2506.08473", "L + lambda sum over modules of ||(I - C) B A||_F^2, C = V V^T / ||V||_F, "
        "V = W_aligned - W_base", published="lambda 1 (the command's default is 0), lr 1e-4", lam=1.0,
        choice="LoRA case; B A without the scale; modules by name",
        deviations="C is no projector (norm_F, V not orthonormal): kept as published")
def asft(lab, lam):
    run, c = Run(lab, lora=True), alignment_matrices(lab)
    for _ in range(STEPS):
        delta = {m: run.params[f"{m}.lora_B.weight"] @ run.params[f"{m}.lora_A.weight"] for m in c}
        penalty = lam * square(d - c[m] @ d for m, d in delta.items())
        run.step(lab.loss(run.weights(), run.next("user")), penalty)
    return run.record()


@policy("asft-full", "fine-tuning", "2506.08473", "L + lambda sum over matrices of blocks of ||(I - C) (W - W_0)||_F^2",
        lam=100.0, choice="full fine-tuning: W - W_0 in the place of B A; all seven matrices of each block",
        deviations="the paper has adapters alone")
def asft_full(lab, lam):
    run, c = Run(lab), {}
    for name in run.params:
        if "_proj." in name:
            v = lab.aligned[name] - lab.base[name]
            c[name] = v @ v.T / v.norm()
    for _ in range(STEPS):
        delta = {k: run.params[k] - run.start[k] for k in c}
        run.step(lab.loss(run.weights(), run.next("user")), lam * square(d - c[k] @ d for k, d in delta.items()))
    return run.record()


@policy("early-stop", "fine-tuning", "", "stop after the step at which s > s(theta0) + rise", rise=0.0, rows=8,
        choice="s: mean over all targets of the first `rows` safe rows; the step that crosses the bound is kept")
def early_stop(lab, rise, rows):
    run, safe = Run(lab), lab.rows["safe"][:rows]
    with torch.no_grad():
        course = [float(lab.loss(run.weights(), safe))]
    for _ in range(STEPS):
        run.step(lab.loss(run.weights(), run.next("user")))
        with torch.no_grad():
            course.append(float(lab.loss(run.weights(), safe)))
        if course[-1] > course[0] + rise:
            break
    return run.record(course=course)
