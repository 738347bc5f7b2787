#!/usr/bin/env python3
"""Greedy generation with SmolLM2-135M by CTranslate2 in float32 or int8: the fastest CPU peer found.

Prints one JSON line, counted as hf_generate.py counts.
"""

import argparse
import shutil
import time

import peer_env

peer_env.ensure("ct2", peer_env.CT2)

import ctranslate2  # noqa: E402
import hf_generate  # noqa: E402


def converted(options):
    """The CTranslate2 folder for this compute type, made once in the cache."""
    kind = options.compute_type
    target = peer_env.cache() / "models" / f"SmolLM2-135M-ct2-{kind}"
    if not (target / "model.bin").exists():
        folder = options.model
        if not folder:
            folder = peer_env.cache() / "models" / "SmolLM2-135M-hf"
            tokenizer, model = peer_env.load_hf(options.gguf, None)
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        partial = target.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        converter = ctranslate2.converters.TransformersConverter(str(folder))
        converter.convert(str(partial), quantization=kind)
        partial.rename(target)
    return target


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gguf")
    parser.add_argument("--model", help="a Hugging Face folder in place of the GGUF")
    parser.add_argument("--prompts", default=str(hf_generate.PROMPTS))
    parser.add_argument("--new-tokens", type=int, default=48)
    parser.add_argument("--batch-size", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--compute-type", choices=["float32", "int8"], default="float32")
    parser.add_argument("--static-prompt", action="store_true", help="share the common prefix, computed once")
    peer_env.threads_argument(parser)
    options = parser.parse_args()

    folder = converted(options)
    import transformers

    gguf = peer_env.smollm2_gguf(options.gguf)
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
    rows = hf_generate.encode_prompts(tokenizer, options.prompts)
    tokens = [tokenizer.convert_ids_to_tokens(row) for row in rows]
    extra = {}
    if options.static_prompt:
        shared = 0
        while len({row[shared] for row in tokens}) == 1:
            shared += 1
        extra = {"static_prompt": tokens[0][:shared], "cache_static_prompt": False}
        tokens = [row[shared:] for row in tokens]
    generator = ctranslate2.Generator(
        str(folder), device="cpu", compute_type=options.compute_type, intra_threads=options.threads
    )
    end = tokenizer.eos_token_id

    def generate(new_tokens):
        results = generator.generate_batch(
            tokens, max_length=new_tokens, sampling_topk=1, include_prompt_in_result=False, end_token=[end],
            max_batch_size=options.batch_size, return_end_token=True, **extra,
        )  # fmt: skip
        return [result.sequences_ids[0] for result in results]

    generate(2)  # warm up
    peer_env.reset_peak_memory()
    seconds, cpu_seconds = [], []
    for _ in range(options.repeat):
        started, cpu = time.perf_counter(), time.process_time()
        out = generate(options.new_tokens)
        seconds.append(time.perf_counter() - started)
        cpu_seconds.append(time.process_time() - cpu)
    new = hf_generate.count_new(out, end)
    peer_env.report(
        peer=f"ctranslate2-{options.compute_type}",
        ctranslate2=ctranslate2.__version__,
        cpu=peer_env.cpu_name(),
        threads=options.threads,
        static_prompt=options.static_prompt,
        prompts=len(rows),
        new_tokens=new,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        tokens_per_second=new / sorted(seconds)[len(seconds) // 2],
        peak_bytes=peer_env.peak_memory(),
    )


if __name__ == "__main__":
    main()
