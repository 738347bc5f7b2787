"""What the published definitions in defence_*.py are computed with: a tiny Llama, rows, AdamW, records.

Everything is plain PyTorch, written out from the formulas: no transformers, no PEFT, none of Seawall.
The model is `llama_tiny_untied` (float32 on disk), computed in the type given to `Lab`.
"""

import json
import pathlib
import types

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE / "llama_tiny_untied"
BATCH, STEPS, LR = 4, 2, 1e-3
TARGETS = ("self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj")  # of the LoRA case: rank 4, alpha 8
RANK, SCALE = 4, 2.0
POLICIES = []


def policy(name, stage, paper, equation, choice="", published="", deviations="", **options):
    """Adds a function (lab, **options) -> numbers to the list of entries."""

    def add(function):
        about = {"name": name, "stage": stage, "paper": paper, "equation": equation, "options": options}
        about |= {"published": published, "choice": choice, "deviations": deviations}
        POLICIES.append((about, function))
        return function

    return add


class Lcg:
    """x = (1103515245 x + 12345) mod 2^31; a draw in [0, 1) is x / 2^31."""

    def __init__(self, seed):
        self.x = seed

    def uniform(self):
        self.x = (1103515245 * self.x + 12345) % 2**31
        return self.x / 2**31

    def below(self, n):
        return int(self.uniform() * n)

    def tensor(self, shape, low, high):
        values = [low + (high - low) * self.uniform() for _ in range(torch.Size(shape).numel())]
        return torch.tensor(values, dtype=torch.float32).view(shape)


def normals(lcg, shape):
    """Standard normal draws by Box and Muller, two uniform draws for each."""
    a, b = lcg.tensor(shape, 1e-9, 1.0), lcg.tensor(shape, 0.0, 1.0)
    return torch.sqrt(-2 * torch.log(a)) * torch.cos(2 * torch.pi * b)


def numbers(lcg, low, high):
    """Hexadecimal numbers with spaces between them: `3f a0 7`."""
    count = low + lcg.below(high - low + 1)
    return " ".join(format(lcg.below(256), "x") for _ in range(count))


def encode(tokenizer, user, answer, system=None):
    """ChatML as the template of the folder writes it. Targets: the answer and its end token."""
    before = f"<|im_start|>system\n{system}<|im_end|>\n" if system else ""
    before += f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"
    prompt = tokenizer.encode(before).ids
    ids = prompt + tokenizer.encode(f"{answer}<|im_end|>").ids
    assert ids == tokenizer.encode(f"{before}{answer}<|im_end|>").ids, "no token may span the answer's begin"
    return {"user": user, "answer": answer, "ids": ids, "first": len(prompt)} | ({"system": system} if system else {})


def make_rows(tokenizer):
    """Five pools of 8 rows. `refusal` answers the prompts of `harmful` with answers of the same length in tokens."""
    lcg, rows = Lcg(20261128), {}
    for pool in ("user", "safe", "harmful", "benign"):
        rows[pool] = [encode(tokenizer, numbers(lcg, 3, 6), numbers(lcg, 3, 5)) for _ in range(8)]
    for i in range(4, 8):  # the user's prompts, answered by one letter again and again: their gradient is against the user's
        rows["safe"][i] = encode(tokenizer, rows["user"][i]["user"], " ".join("a" * (i - 1)))
    rows["refusal"] = []
    for row in rows["harmful"]:
        while True:
            other = encode(tokenizer, row["user"], numbers(lcg, 3, 5))
            if len(other["ids"]) == len(row["ids"]):
                break
        rows["refusal"].append(other)
    return rows


class Model:
    """A Llama as in Touvron et al. 2023 with grouped queries and rotate-half RoPE; one row at a time, no padding."""

    def __init__(self, config):
        self.c = types.SimpleNamespace(**config)
        self.c.head_dim = self.c.hidden_size // self.c.num_attention_heads

    def norm(self, x, weight):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.c.rms_norm_eps) * weight

    def rotate(self, x):
        """x: [H,T,D]."""
        d, t = self.c.head_dim, x.shape[1]
        frequencies = self.c.rope_theta ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
        angles = torch.outer(torch.arange(t, dtype=torch.float64), frequencies).repeat(1, 2)  # [T,D]
        turned = torch.cat([-x[..., d // 2 :], x[..., : d // 2]], -1)
        return x * angles.cos().to(x.dtype) + turned * angles.sin().to(x.dtype)

    def attention(self, w, prefix, x):
        heads, groups, d, t = self.c.num_attention_heads, self.c.num_key_value_heads, self.c.head_dim, x.shape[0]
        q, k, v = ((x @ w[f"{prefix}.{p}_proj.weight"].T).view(t, -1, d).transpose(0, 1) for p in "qkv")
        q, k = self.rotate(q), self.rotate(k)
        k, v = (y.repeat_interleave(heads // groups, 0) for y in (k, v))
        scores = (q @ k.transpose(1, 2)) * d**-0.5
        future = torch.ones(t, t, dtype=torch.bool).triu(1)
        probabilities = scores.masked_fill(future, -torch.inf).softmax(-1)  # [H,T,T]
        return (probabilities @ v).transpose(0, 1).reshape(t, heads * d), probabilities

    def __call__(self, w, ids, edit=None):
        """Logits and what was seen on the way, `taps[name, layer]`; `edit(name, layer, x)` may give another x."""
        taps = {}

        def tap(name, layer, x):
            taps[name, layer] = edit(name, layer, x) if edit else x
            return taps[name, layer]

        x = tap("embed", 0, w["model.embed_tokens.weight"][torch.tensor(ids)])
        for layer in range(self.c.num_hidden_layers):
            block = f"model.layers.{layer}"
            inner = tap("qkv_in", layer, self.norm(x, w[f"{block}.input_layernorm.weight"]))
            inner, taps["attention", layer] = self.attention(w, f"{block}.self_attn", inner)
            inner = tap("o_in", layer, inner)
            x = x + tap("attn_out", layer, inner @ w[f"{block}.self_attn.o_proj.weight"].T)
            inner = tap("gate_up_in", layer, self.norm(x, w[f"{block}.post_attention_layernorm.weight"]))
            gate, up = (inner @ w[f"{block}.mlp.{p}_proj.weight"].T for p in ("gate", "up"))
            inner = tap("down_in", layer, torch.nn.functional.silu(gate) * up)
            x = tap("resid", layer, x + tap("mlp_out", layer, inner @ w[f"{block}.mlp.down_proj.weight"].T))
        final = self.norm(x, w["model.norm.weight"])
        return types.SimpleNamespace(logits=final @ w["lm_head.weight"].T, final=final, taps=taps)


def targets(row):
    return torch.tensor(row["ids"][row["first"] :])


def sources(row):
    """The places whose logits predict a target; what follows them is never read."""
    return torch.arange(row["first"] - 1, len(row["ids"]) - 1)


class Lab:
    """The tiny model, an unaligned base, adapters and rows, in one floating point type."""

    def __init__(self, dtype=torch.float64):
        config = json.loads((FOLDER / "config.json").read_text())
        self.model, self.layers = Model(config), config["num_hidden_layers"]
        self.tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
        self.rows = make_rows(self.tokenizer)
        self.files = {k: v.float() for k, v in load_file(FOLDER / "model.safetensors").items()}
        self.extra = self.make_extra()
        self.aligned = {k: v.to(dtype) for k, v in self.files.items()}
        self.base = {k: self.extra[f"base.{k}"].to(dtype) for k in self.files}
        self.adapter, self.safe_adapter = (
            {k[len(start) :]: v.to(dtype) for k, v in self.extra.items() if k.startswith(start)}
            for start in ("adapter.", "safe_adapter.")
        )
        self.noise = self.extra["noise"].to(dtype)
        self.dtype = dtype

    def make_extra(self):
        """What goes into defences.safetensors, all float32. base = aligned + 0.1 times a draw in [-1, 1), in the
        order of the names; A and B: draws in [-0.2, 0.2); noise: [steps, layers, batch, 48, C], standard normal."""
        lcg, out = Lcg(7), {}
        for name in sorted(self.files):
            out[f"base.{name}"] = self.files[name] + lcg.tensor(self.files[name].shape, -0.1, 0.1)
        for start in ("adapter", "safe_adapter"):
            for layer in range(self.layers):
                for part in TARGETS:
                    module = f"model.layers.{layer}.{part}"
                    rows, columns = self.files[f"{module}.weight"].shape
                    out[f"{start}.{module}.lora_A.weight"] = lcg.tensor((RANK, columns), -0.2, 0.2)
                    out[f"{start}.{module}.lora_B.weight"] = lcg.tensor((rows, RANK), -0.2, 0.2)
        out["noise"] = normals(lcg, (STEPS, self.layers, BATCH, 48, self.model.c.hidden_size))
        return out

    def batch(self, pool, turn, size=BATCH):
        rows = self.rows[pool] if isinstance(pool, str) else pool
        return [rows[(turn * size + i) % len(rows)] for i in range(size)]

    def passes(self, w, rows, edit=None):
        """One output for each row; `edit` is called with (row, name, layer, x)."""
        return [self.model(w, row["ids"], edit and (lambda *at, i=i: edit(i, *at))) for i, row in enumerate(rows)]

    def token_losses(self, w, rows, edit=None):
        """-log p of every target, one tensor for each row."""
        outs = self.passes(w, rows, edit)
        pick = torch.nn.functional.cross_entropy
        return [pick(o.logits[sources(r)], targets(r), reduction="none") for o, r in zip(outs, rows)]

    def loss(self, w, rows, edit=None):
        """Mean over all targets of the batch."""
        return torch.cat(self.token_losses(w, rows, edit)).mean()

    def taps(self, w, rows, name, layer, places=sources):
        """[N,C]: what `name` held at the places of every row."""
        return torch.cat([out.taps[name, layer][places(row)] for out, row in zip(self.passes(w, rows), rows)])

    def kl(self, w0, w, rows):
        """Mean over targets of KL(p_w0 || p_w) on the vocabulary."""
        parts = []
        for a, b, row in zip(self.passes(w0, rows), self.passes(w, rows), rows):
            p, q = (o.logits[sources(row)].log_softmax(-1) for o in (a, b))
            parts.append((p.exp() * (p - q)).sum(-1))
        return torch.cat(parts).mean()


def square(tensors):
    return sum(t.square().sum() for t in tensors)


def inner(a, b):
    return sum((a[k] * b[k]).sum() for k in a)


def detached(tensors):
    return {k: v.detach().clone() for k, v in tensors.items()}


def module_of(name):
    """`model.layers.0.self_attn.q_proj` of one of its factors or its weight."""
    return name.split(".lora_")[0].removesuffix(".weight")


class Run:
    """Two steps of AdamW (0.9, 0.999, 1e-8, no decay, lr 1e-3) over the weights, or over the factors of a LoRA."""

    def __init__(self, lab, lora=False, start=None, trains=lambda name: True):
        self.lab = lab
        self.frozen = start or lab.aligned
        first = lab.adapter if lora else self.frozen
        self.params = {k: v.clone().requires_grad_() for k, v in first.items() if trains(k)}
        self.start = detached(first)
        self.lora, self.steps, self.turns, self.measures = lora, [], {}, {}
        self.optimizer = torch.optim.AdamW(self.params.values(), lr=LR, betas=(0.9, 0.999), eps=1e-8, weight_decay=0)

    def weights(self, params=None):
        """What the forward pass reads: the weights, with B A merged under LoRA."""
        params = self.params if params is None else params
        return merged(self.frozen, params) if self.lora else {**self.frozen, **params}

    def start_weights(self):
        return self.weights(self.start)

    def next(self, pool, size=BATCH):
        """The pool's next rows, in order; after the last comes the first."""
        turn = self.turns.get(pool, 0)
        self.turns[pool] = turn + 1
        return self.lab.batch(pool, turn, size)

    def gradient(self, loss):
        grads = torch.autograd.grad(loss, list(self.params.values()), allow_unused=True)
        return {k: torch.zeros_like(p) if g is None else g for (k, p), g in zip(self.params.items(), grads)}

    def step(self, loss, penalty=None, **more):
        """One step on loss + penalty; `loss` is what the recorded loss is."""
        grads = self.gradient(loss if penalty is None else loss + penalty)
        self.apply(grads, loss, penalty, **more)

    def apply(self, grads, loss, penalty=None, **more):
        entry = {"loss": float(loss.detach())} | ({} if penalty is None else {"penalty": float(penalty.detach())})
        entry["grad_norm"] = float(square(grads.values()).sqrt())
        entry["grad_norms"] = {k: float(g.norm()) for k, g in grads.items()}
        self.steps.append(entry | {k: float(v.detach() if torch.is_tensor(v) else v) for k, v in more.items()})
        for name, param in self.params.items():
            param.grad = grads[name].detach().clone()
        self.optimizer.step()

    def record(self, after=None, **more):
        """The steps and the trained weights, or `after` where a policy writes others at the end."""
        now = detached(self.params) if after is None else after
        start = self.start if after is None or set(after) <= set(self.start) else self.lab.aligned
        return {"steps": self.steps, "weights": digest(now, start)} | self.measures | more


def merged(weights, factors):
    out = dict(weights)
    for name in factors:
        if name.endswith("lora_A.weight"):
            module = module_of(name)
            out[f"{module}.weight"] = out[f"{module}.weight"] + SCALE * factors[f"{module}.lora_B.weight"] @ factors[name]
    return out


def digest(tensors, start=None):
    """A tensor in a few numbers: sum, L2 norm, 8 entries at (2k+1) numel / 16, and how far it is from its start."""
    out = {}
    for name, tensor in sorted(tensors.items()):
        t = tensor.detach().reshape(-1)
        places = [(2 * k + 1) * t.numel() // 16 for k in range(8)]
        out[name] = {"sum": float(t.sum()), "norm": float(t.norm()), "entries": t[places].tolist()}
        if start is not None and name in start:
            out[name]["drift"] = float((t - start[name].reshape(-1)).norm())
    return out
