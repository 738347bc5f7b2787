"""Published defences at the fine-tuning stage: pulls to the start, weighted losses, perturbed gradients."""

import torch
from defence_lab import LR, STEPS, Run, policy, square


@policy("row-weights", "fine-tuning", "2510.27172", "s + mean_i w_i L_i over the batch, w = N softmax(a) over all N user "
        "rows, L_i and s means of rows' means; a descends mean_i w_i L_i with L_i fixed", lr=0.1,
        published="1,000 user and 1,000 safe rows, 20 epochs",
        choice="a = 0 at the start; plain gradient descent on a, from the losses of the same pass, after the step; the "
        "recorded loss is the weighted sum, the penalty is s", deviations="no priors or entropy term on a")
def row_weights(lab, lr):
    run, a = Run(lab), torch.zeros(len(lab.rows["user"]), dtype=lab.dtype, requires_grad=True)

    def row_means(rows):
        return torch.stack([t.mean() for t in lab.token_losses(run.weights(), rows)])

    for turn in range(STEPS):
        places = [(turn * 4 + i) % len(a) for i in range(4)]
        losses, safe = row_means(run.next("user")), row_means(run.next("safe")).mean()
        weighted = ((len(a) * a.softmax(0))[places] * losses.detach()).mean()
        (down,) = torch.autograd.grad(weighted, a)
        run.step(((len(a) * a.detach().softmax(0))[places] * losses).mean(), safe)
        a.data -= lr * down
    return run.record(scalars=a.tolist())


@policy("weight-drift", "fine-tuning", "1802.01483", "L + lambda/2 ||theta - theta0||^2", lam=100.0)
def weight_drift(lab, lam):
    run = Run(lab)
    for _ in range(STEPS):
        pull = lam / 2 * square(p - run.start[k] for k, p in run.params.items())
        run.step(lab.loss(run.weights(), run.next("user")), pull)
    return run.record()


@policy("weight-drift-decoupled", "fine-tuning", "1802.01483", "after AdamW: theta -= lr lambda (theta - theta0)", lam=100.0,
        choice="the form of 1711.05101 for the pull to theta0")
def weight_drift_decoupled(lab, lam):
    run = Run(lab)
    for _ in range(STEPS):
        run.step(lab.loss(run.weights(), run.next("user")))
        for name, p in run.params.items():
            p.data -= LR * lam * (p.data - run.start[name])
    return run.record()


@policy("weight-drift-product", "fine-tuning", "1802.01483", "L + lambda/2 sum over modules of ||s B A - s B0 A0||_F^2",
        choice="LoRA case, s = 2; the gradient goes to both factors", lam=10.0)
def weight_drift_product(lab, lam):
    run = Run(lab, lora=True)
    for _ in range(STEPS):
        w, w0 = run.weights(), run.start_weights()
        pull = lam / 2 * square(w[k] - w0[k] for k in w if w[k] is not lab.aligned[k])
        run.step(lab.loss(w, run.next("user")), pull)
    return run.record()


@policy("constrained-sft", "fine-tuning", "2406.05946", "mean over targets of w_t (- log p), w_t = 2 (1 - sigmoid(beta_t "
        "(log p - log p0))), not a variable; the gradient of - 2/beta_t log sigmoid(beta_t log(p / p0))", betas=[0.5, 2.0, 0.1],
        published="beta_1 0.5, beta_2 to beta_5 2, then 0.1; Adam beta_1 0.5 in their code",
        choice="`betas`: first, second to fifth, later places of an answer; w_t at least 1e-3; the mean is over the number of "
        "targets, not over the sum of weights; the recorded loss is the weighted mean; AdamW as everywhere here")
def constrained_sft(lab, betas):
    run = Run(lab)
    for _ in range(STEPS):
        rows = run.next("user")
        with torch.no_grad():
            start = lab.token_losses(run.start_weights(), rows)
        weighted = []
        for now, before in zip(lab.token_losses(run.weights(), rows), start):
            beta = torch.tensor([betas[0] if t == 0 else betas[1] if t < 5 else betas[2] for t in range(len(now))])
            weight = 2 * (1 - torch.sigmoid(beta.to(now.dtype) * (before - now.detach())))
            weighted.append(weight.clamp_min(1e-3) * now)
        run.step(torch.cat(weighted).mean())
    return run.record()


@policy("panacea", "fine-tuning", "2501.18100", "g_L - lambda (g_h(theta + eps) - g_h), eps = rho g_h / ||g_h||; theta + eps "
        "is shipped", published="rho 1, lambda 1e-3", rho=1.0, lam=0.5,
        choice="the eps that is shipped is the last step's, at the weights before that step",
        deviations="the authors' trainer stops with a NameError at its first step")
def panacea(lab, rho, lam):
    run = Run(lab)
    for _ in range(STEPS):
        user, harmful = run.next("user"), run.next("harmful")
        here = run.gradient(lab.loss(run.weights(), harmful))
        norm = square(here.values()).sqrt()
        eps = {k: rho / norm * g for k, g in here.items()}
        away = {k: (p.detach() + eps[k]).requires_grad_() for k, p in run.params.items()}
        there = torch.autograd.grad(lab.loss(away, harmful), list(away.values()))
        loss = lab.loss(run.weights(), user)
        g = run.gradient(loss)
        run.apply({k: g[k] - lam * (t - here[k]) for k, t in zip(g, there)}, loss, harmful_norm=norm)
    return run.record(after={k: p.detach() + eps[k] for k, p in run.params.items()})


@policy("npo", "fine-tuning", "2404.05868", "L + weight E[-2/beta log sigmoid(-beta log(p / p0))] on harmful answers",
        published="beta 0.1", beta=0.1, weight=1.0,
        choice="log p of a whole answer (a sum over its targets); mean over the rows of a harmful batch")
def npo(lab, beta, weight):
    run = Run(lab)
    for _ in range(STEPS):
        w, harmful = run.weights(), run.next("harmful")
        now, start = ([t.sum() for t in lab.token_losses(x, harmful)] for x in (w, run.start_weights()))
        ratios = torch.stack([b.detach() - a for a, b in zip(now, start)])  # log p / p0
        term = (-2 / beta * torch.nn.functional.logsigmoid(-beta * ratios)).mean()
        run.step(lab.loss(w, run.next("user")), weight * term)
    return run.record()


@policy("antibody-weights", "fine-tuning", "2603.00498", "sum_i w_i L_i, w = softmax over the batch of (NLL(refusal) - "
        "NLL(answer)) / tau", published="tau 1", tau=1.0,
        choice="the pool harmful is the user's, the pool refusal its pairs; L_i and both NLL are means over a row's targets; w "
        "at the weights of the step, not a variable; the recorded loss is the weighted sum")
def antibody_weights(lab, tau):
    run = Run(lab)
    for _ in range(STEPS):
        w = run.weights()
        pools = [lab.token_losses(w, run.next(pool)) for pool in ("harmful", "refusal")]
        answers, refusals = (torch.stack([t.mean() for t in losses]) for losses in pools)
        weights = ((refusals - answers).detach() / tau).softmax(0)
        run.step((weights * answers).sum(), most=weights.max())
    return run.record()
