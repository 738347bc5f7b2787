"""Published defences at the alignment stage: the stage's own rows are the pool `safe`, unless an entry says otherwise."""

import torch
from defence_lab import STEPS, Run, detached, encode, policy, sources, square, targets

ROWS = "the stage trains on the pool safe; harmful rows come in order, a batch at a time"


def perturbed_loss(lab, w, rows, rho, layers):
    """The loss with rho g / (||g|| + 1e-7) added to attn_out of `layers`, g its gradient there, and ||g||."""
    shifts = {}

    def zero(row, name, layer, x):
        if name != "attn_out" or layer not in layers:
            return x
        shifts[row, layer] = torch.zeros_like(x, requires_grad=True)
        return x + shifts[row, layer]

    grads = torch.autograd.grad(lab.loss(w, rows, zero), list(shifts.values()))
    norm = square(grads).sqrt()
    eps = {key: rho * g / (norm + 1e-7) for key, g in zip(shifts, grads)}
    return lab.loss(w, rows, lambda row, name, layer, x: x + eps[row, layer] if name == "attn_out" and
                    layer in layers else x), norm  # fmt: skip


@policy("vaccine", "alignment", "2402.01109", "the gradient at h_l + eps_l, eps_l = rho g_l / (||(g_1 .. g_L)|| + 1e-7), "
        "h_l: attn_out, g_l: the gradient of the loss in h_l", published="rho 2, lr 1e-3", rho=2.0,
        choice=ROWS + "; the loss is the mean over all targets of the batch, the norm is over all rows, places and layers; "
        "the recorded loss is the second pass's")
def vaccine(lab, rho):
    run = Run(lab)
    for _ in range(STEPS):
        loss, norm = perturbed_loss(lab, run.weights(), run.next("safe"), rho, range(lab.layers))
        run.step(loss, norm=norm)
    return run.record()


@policy("t-vaccine", "alignment", "2410.09760", "as vaccine in some layers only, drawn with p_l = ||g_l|| / sum ||g_l|| of a "
        "harmful batch; the others are frozen", published="rho 3, 8 of 32 layers, drawn every 20 steps, p every 200",
        rho=3.0, active=[1],
        choice=ROWS + "; the drawn layers are given (`active`), p of the first harmful batch is recorded; what trains: the "
        "parameters of the active blocks, all else is frozen",
        deviations="the authors train LoRA in attention alone and freeze by block of attention")
def t_vaccine(lab, rho, active):
    run = Run(lab, trains=lambda name: any(f"layers.{i}." in name for i in active))
    probabilities = layer_probabilities(lab, run.next("harmful"))
    for _ in range(STEPS):
        loss, norm = perturbed_loss(lab, run.weights(), run.next("safe"), rho, active)
        run.step(loss, norm=norm)
    return run.record(probabilities=probabilities)


def layer_probabilities(lab, rows):
    w = {k: v.clone().requires_grad_() for k, v in lab.aligned.items()}
    outs = lab.passes(w, rows)
    losses = [torch.nn.functional.cross_entropy(o.logits[sources(r)], targets(r), reduction="none")
              for o, r in zip(outs, rows)]  # fmt: skip
    taps = [[o.taps["attn_out", layer] for o in outs] for layer in range(lab.layers)]
    loss = torch.cat(losses).mean()
    norms = [square(torch.autograd.grad(loss, layer, retain_graph=True)).sqrt() for layer in taps]
    return [float(n / sum(norms)) for n in norms]


def shifted(run, grads, alpha):
    """theta - alpha grads / ||grads||, and the norm."""
    norm = square(grads.values()).sqrt()
    return {k: (p.detach() - alpha / norm * grads[k]).requires_grad_() for k, p in run.params.items()}, norm


def gradient_at(run, params, loss):
    grads = torch.autograd.grad(loss, list(params.values()), allow_unused=True)
    return {k: torch.zeros_like(p) if g is None else g for (k, p), g in zip(params.items(), grads)}


@policy("booster", "alignment", "2409.01586", "g_s + lambda (g_h - g_h(theta - alpha g_h / ||g_h||))",
        published="lambda 5, alpha 0.1", lam=5.0, alpha=0.1, choice=ROWS + "; the recorded loss is s alone")
def booster(lab, lam, alpha):
    run = Run(lab)
    for _ in range(STEPS):
        safe, harmful = run.next("safe"), run.next("harmful")
        here = run.gradient(lab.loss(run.weights(), harmful))
        params, norm = shifted(run, here, alpha)
        there = gradient_at(run, params, lab.loss(run.weights(params), harmful))
        loss = lab.loss(run.weights(), safe)
        g = run.gradient(loss)
        run.apply({k: v + lam * (here[k] - there[k]) for k, v in g.items()}, loss, harmful_norm=norm)
    return run.record()


def mmd(a, b):
    """Maximum mean discrepancy with 5 Gaussian kernels; bandwidth from the data, no gradient through it.

    Source: Rosati et al. 2024, appendix. a, b: [n,d]; the mean over all n x n pairs, own pairs included."""
    both = torch.cat([a, b])
    distances = (both[None] - both[:, None]).square().sum(-1)
    n = len(both)
    width = distances.detach().sum() / (n * n - n) / 4
    kernels = sum(torch.exp(-distances / (width * 2**i)) for i in range(5))
    k = len(a)
    return (kernels[:k, :k] + kernels[k:, k:] - kernels[:k, k:] - kernels[k:, :k]).mean()


def padded(parts):
    """[B, T*C]: places after the end of a row are 0."""
    longest = max(len(p) for p in parts)
    return torch.stack([torch.nn.functional.pad(p, (0, 0, 0, longest - len(p))).reshape(-1) for p in parts])


@policy("repnoise", "alignment", "2405.14577", "s + beta mean_l MMD(h_l m, noise m) - alpha log(1 + mean_l CE_l), h_l: "
        "mlp_out on harmful rows, CE_l: the harmful loss read from the residual stream l", published="beta 1e-3, alpha 1",
        beta=0.1, alpha=1.0,
        choice="the stage's rows are the refusals to the same prompts (pool refusal); m: 1 where the ids of the pair differ; "
        "s and CE over the targets in m; l of CE: the embedding and every block's output through the final norm and "
        "the head; l of MMD: every block; rows are laid side by side from their answers' beginning; noise: `noise` "
        "[steps, layers, batch, 48, C] of the file, as many of its first places as an answer has tokens",
        deviations="the authors' code zeroes the logits of the first masked target and applies the final norm twice on the "
        "last stream, and counts the last layer twice over L + 1")
def repnoise(lab, beta, alpha):
    run = Run(lab)
    for turn in range(STEPS):
        safe, harmful = run.next("refusal"), run.next("harmful")
        masks = [torch.tensor([x != y for x, y in zip(a["ids"], b["ids"])]) for a, b in zip(safe, harmful)]
        firsts = [row["first"] for row in harmful]
        w = run.weights()
        loss = masked_loss(lab, [o.logits for o in lab.passes(w, safe)], safe, masks)
        outs, noise = lab.passes(w, harmful), lab.noise[turn]
        distances = [
            mmd(padded([o.taps["mlp_out", layer][n:] * m[n:, None] for o, m, n in zip(outs, masks, firsts)]),
                padded([noise[layer, i, : len(m) - n] * m[n:, None] for i, (m, n) in enumerate(zip(masks, firsts))]))
            for layer in range(lab.layers)
        ]  # fmt: skip
        lens = [masked_loss(lab, [read(lab, w, o, i) for o in outs], harmful, masks) for i in range(lab.layers + 1)]
        noise_term, rise = sum(distances) / len(distances), sum(lens) / len(lens)
        run.step(loss, beta * noise_term - alpha * torch.log(1 + rise), mmd=noise_term, lens=rise)
    return run.record()


def read(lab, w, out, stream):
    """Logits of residual stream 0 (the embedding) to L (the last block's output)."""
    x = out.taps["embed", 0] if stream == 0 else out.taps["resid", stream - 1]
    return lab.model.norm(x, w["model.norm.weight"]) @ w["lm_head.weight"].T


def masked_loss(lab, logits, rows, masks):
    parts = []
    for x, row, mask in zip(logits, rows, masks):
        losses = torch.nn.functional.cross_entropy(x[sources(row)], targets(row), reduction="none")
        parts.append(losses[mask[row["first"] :]])
    return torch.cat(parts).mean()


@policy("tar", "alignment", "2408.00761", "grad retain + scale mean_k grad TR(theta_k), theta_k after k adversary steps on "
        "harmful rows; TR = - mean entropy on held-out harmful rows; first order",
        published="64 inner steps, scale 4, adversary lr 2e-5 and more", inner=2, scale=4.0, inner_lr=1e-3,
        choice="retain: the loss on the pool safe; the adversary is a fresh AdamW (no decay, constant lr) over the next "
        "harmful batches, one for each inner step; the held-out batch is the harmful batch after them; the entropy is over the "
        "places that predict a target; gradients of TR in theta_k are added to theta's as they are",
        deviations="one adversary for each step (the authors average over 3 tasks); their entropy is over all places")
def tar(lab, inner, scale, inner_lr):
    run = Run(lab)
    for _ in range(STEPS):
        batches = [run.next("harmful") for _ in range(inner)]
        held_out, total, losses = run.next("harmful"), None, []
        params = {k: v.clone().requires_grad_() for k, v in detached(run.params).items()}
        adversary = torch.optim.AdamW(params.values(), lr=inner_lr, weight_decay=0)
        for rows in batches:
            for name, g in gradient_at(run, params, lab.loss(run.weights(params), rows)).items():
                params[name].grad = g
            adversary.step()
            tr = -entropy(lab, run.weights(params), held_out)
            g = gradient_at(run, params, scale / inner * tr)
            total = g if total is None else {k: total[k] + g[k] for k in g}
            losses.append(float(tr))
        loss = lab.loss(run.weights(), run.next("safe"))
        g = run.gradient(loss)
        run.apply({k: v + total[k] for k, v in g.items()}, loss, tamper=sum(losses) / inner)
    return run.record()


def entropy(lab, w, rows):
    parts = [o.logits[sources(r)].log_softmax(-1) for o, r in zip(lab.passes(w, rows), rows)]
    return torch.cat([-(p.exp() * p).sum(-1) for p in parts]).mean()


def streams(lab, w, rows, layers):
    outs = lab.passes(w, rows)
    return [torch.cat([o.taps["resid", i][sources(r)] for o, r in zip(outs, rows)]) for i in layers]


@policy("circuit-breaker", "alignment", "2406.04313", "c_s mean ReLU(cos(h0, h)) on harmful rows + c_r mean ||h0 - h|| on "
        "retain rows, c_s = alpha (1 - t / 2T), c_r = alpha t / 2T", published="alpha 5 or 10, T 150, layers 10 and 20",
        alpha=5.0, horizon=4, layers=[0, 1],
        choice="resid of the layers, at the places that predict a target, mean over them and the layers; retain: the stage's "
        "rows (pool safe), whose loss is kept with weight 1; t = 0, 1; the derivative of the norm at 0 is 0",
        deviations="the published objective has no cross-entropy: without it both derivatives vanish at theta0; the authors "
        "take the retain term over the embedding and every block, at every place")
def circuit_breaker(lab, alpha, horizon, layers):
    run = Run(lab)
    for t in range(STEPS):
        safe, harmful, w, w0 = run.next("safe"), run.next("harmful"), run.weights(), run.start_weights()
        cosines = [torch.relu(torch.cosine_similarity(a, b, -1)).mean()
                   for a, b in zip(streams(lab, w0, harmful, layers), streams(lab, w, harmful, layers))]  # fmt: skip
        norms = [(a - b).norm(dim=-1).mean() for a, b in zip(streams(lab, w0, safe, layers), streams(lab, w, safe, layers))]
        away, stay = sum(cosines) / len(layers), sum(norms) / len(layers)
        share = t / (2 * horizon)
        run.step(lab.loss(w, safe), alpha * (1 - share) * away + alpha * share * stay, away=away, stay=stay)
    return run.record()


@policy("crl", "alignment", "2506.11938", "a mean ReLU(d(h, h0) - d(h, c) + m_p) on safe rows + b mean ReLU(d(h, c) - d(h, h0) "
        "+ m_n) on harmful rows, c: the batch's mean of h over harmful places", a=0.5, b=0.5, margin_p=30.0, margin_n=2.0,
        layers=[0, 1], published="d the L2 norm; normalised margins 0.3 and 0.5 in a benchmark's port",
        choice="resid of the layers, at the places that predict a target; means over places and layers together; c for each "
        "layer, a variable; safe rows: the stage's (pool safe), whose loss is kept with weight 1",
        deviations="no KL term on general rows, no attack modules; for safe rows the authors take all streams")
def crl(lab, a, b, margin_p, margin_n, layers):
    run = Run(lab)
    for _ in range(STEPS):
        safe, harmful, w, w0 = run.next("safe"), run.next("harmful"), run.weights(), run.start_weights()
        held, pulled = [], []
        for s, s0, h, h0 in zip(*(streams(lab, x, rows, layers) for rows in (safe, harmful) for x in (w, w0))):
            center = h.mean(0)
            held.append(torch.relu((s - s0).norm(dim=-1) - (s - center).norm(dim=-1) + margin_p))
            pulled.append(torch.relu((h - center).norm(dim=-1) - (h - h0).norm(dim=-1) + margin_n))
        held, pulled = torch.cat(held).mean(), torch.cat(pulled).mean()
        run.step(lab.loss(w, safe), a * held + b * pulled, held=held, pulled=pulled)
    return run.record()


@policy("deep-augmentation", "alignment", "2406.05946", "a E[-log p(refusal | prompt, first k harmful tokens)] + (1 - a) "
        "E[-log p(answer | prompt)] on benign rows", published="a 0.2, k uniform to 100 for half of the rows", share=0.2,
        k=[0, 3, 1, 0, 2, 5, 0, 4],
        choice="k is given for each of the 8 rows; the ids are the prompt, k tokens of the harmful answer, the refusal; "
        "targets are the refusal's; each expectation is a mean over all targets of a batch; recorded: loss = the first term, "
        "penalty = the second, both weighted")
def deep_augmentation(lab, share, k):
    rows = []
    for safe, harmful, n in zip(lab.rows["refusal"], lab.rows["harmful"], k):
        first = safe["first"]
        ids = safe["ids"][:first] + harmful["ids"][first : first + n] + safe["ids"][first:]
        rows.append({"ids": ids, "first": first + n})
    run = Run(lab)
    for turn in range(STEPS):
        w = run.weights()
        run.step(share * lab.loss(w, lab.batch(rows, turn)), (1 - share) * lab.loss(w, run.next("benign")))
    return run.record(rows=rows)


@policy("ctrap", "alignment", "2505.16559", "g_s + lambda grad CE(every target = one token) at theta - alpha g_h / ||g_h||",
        published="alpha 0.1, lambda 0.1", alpha=0.1, lam=0.1, token=40,
        choice=ROWS + "; the collapse loss is on the next batch of the pool benign; the gradient there is added as it is")
def ctrap(lab, alpha, lam, token):
    run = Run(lab)
    for _ in range(STEPS):
        safe, harmful, general = run.next("safe"), run.next("harmful"), run.next("benign")
        params, norm = shifted(run, run.gradient(lab.loss(run.weights(), harmful)), alpha)
        outs = lab.passes(run.weights(params), general)
        collapse = -torch.cat([o.logits[sources(r)].log_softmax(-1)[:, token] for o, r in zip(outs, general)]).mean()
        there = gradient_at(run, params, collapse)
        loss = lab.loss(run.weights(), safe)
        g = run.gradient(loss)
        run.apply({k: v + lam * there[k] for k, v in g.items()}, loss, collapse=collapse, harmful_norm=norm)
    return run.record()


@policy("sdd", "alignment", "2507.21182", "plain training on harmful prompts with unrelated benign answers",
        choice="row i: the prompt of harmful row i, the answer of benign row i")
def sdd(lab):
    pairs = zip(lab.rows["harmful"], lab.rows["benign"])
    rows = [encode(lab.tokenizer, h["user"], b["answer"]) for h, b in pairs]
    run = Run(lab)
    for turn in range(STEPS):
        run.step(lab.loss(run.weights(), lab.batch(rows, turn)))
    return run.record(rows=[{k: r[k] for k in ("ids", "first")} for r in rows])
