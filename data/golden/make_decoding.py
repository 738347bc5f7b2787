#!/usr/bin/env python3
"""Makes decoding.json: greedy continuations of llama_tiny under the fields of generation_config.json, by transformers.

    python3 data/golden/make_decoding.py [--python FILE]                   (after make_llama_tiny.py)

Each case holds the settings as a generation_config.json has them, the prompt, and the new tokens, up to and with the first
eos, or the token that completes a stop string; `margin` is the least distance between the two best scores, so that rounding decides nothing.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "peers"))

import peer_env  # noqa: E402

peer_env.ensure("hf", peer_env.HF)

import torch  # noqa: E402
import transformers  # noqa: E402

PROMPT = [1, 17, 250, 33, 33, 9, 40, 41, 33]
NEW = 24


def run(model, tokenizer, settings, prompt):
    model.generation_config = transformers.GenerationConfig(pad_token_id=0, **settings)
    out = model.generate(
        torch.tensor([prompt]), tokenizer=tokenizer, max_new_tokens=NEW, do_sample=False, output_scores=True, return_dict_in_generate=True
    )
    margin = 1e9
    for scores in out.scores:
        top = torch.topk(scores[0], 2).values
        if torch.isfinite(top[1]):
            margin = min(margin, float(top[0] - top[1]))
    return out.sequences[0][len(prompt):].tolist(), margin


def main():
    torch.set_num_threads(1)
    model = transformers.LlamaForCausalLM.from_pretrained(HERE / "llama_tiny", dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(HERE / "llama_tiny")
    plain, _ = run(model, tokenizer, {}, PROMPT)
    eos = plain[4]
    cases = {
        "plain": ({}, PROMPT),
        "eos": ({"eos_token_id": [eos, 299]}, PROMPT),
        "repetition_penalty": ({"repetition_penalty": 1.3}, PROMPT),
        "repetition_reward": ({"repetition_penalty": 0.7}, PROMPT),
        "no_repeat_ngram_size": ({"no_repeat_ngram_size": 2}, PROMPT),
        "no_token_twice": ({"no_repeat_ngram_size": 1}, PROMPT),
        "encoder_repetition_penalty": ({"encoder_repetition_penalty": 1.8}, PROMPT),
        "encoder_no_repeat_ngram_size": ({"encoder_no_repeat_ngram_size": 2}, [172, 73, 254, *PROMPT]),
        "bad_words_ids": ({"bad_words_ids": [[plain[5]], [plain[1], plain[2]], [eos], [plain[8], plain[7]]], "eos_token_id": eos}, PROMPT),
        "sequence_bias": ({"sequence_bias": [[[plain[6]], -40.0], [[plain[1], 12], 2.5], [[plain[3], 12], 90.0], [[12], 1.0]]}, PROMPT),
        "min_length": ({"min_length": len(PROMPT) + 8, "eos_token_id": eos}, PROMPT),
        "min_new_tokens": ({"min_new_tokens": 12, "min_length": 40, "eos_token_id": [eos, plain[7]]}, PROMPT),
        "forced_bos_token_id": ({"forced_bos_token_id": 77, "begin_suppress_tokens": [plain[0]]}, [5]),
        "forced_eos_token_id": ({"forced_eos_token_id": [123]}, PROMPT),
        "suppress_tokens": ({"suppress_tokens": [plain[2], plain[5]]}, PROMPT),
        "begin_suppress_tokens": ({"begin_suppress_tokens": [plain[0], 17]}, PROMPT),
        "exponential_decay_length_penalty": ({"exponential_decay_length_penalty": [6, 1.4], "eos_token_id": 60}, PROMPT),
        # The tokens are v, " s", three of single bytes, ..., ho, g, ..., k.
        "stop_strings": ({"stop_strings": ["v s", "never"]}, PROMPT),
        "stop_string_within_a_token": ({"stop_strings": "h"}, PROMPT),
        "stop_string_from_token_to_token": ({"stop_strings": ["hop", "og"]}, PROMPT),
        "stop_string_begun_in_the_prompt": ({"stop_strings": ["hog"]}, [*PROMPT, *plain[:14]]),
        "stop_string_of_the_prompt_alone": ({"stop_strings": ["FG?", "G"]}, PROMPT),
        "stop_string_and_eos": ({"stop_strings": ["k"], "eos_token_id": plain[15]}, PROMPT),
        "together": (
            {"repetition_penalty": 1.15, "no_repeat_ngram_size": 3, "suppress_tokens": [plain[2]], "min_new_tokens": 6,
             "sequence_bias": [[[9], 3.5]], "eos_token_id": eos, "temperature": 0.6, "top_p": 0.9, "do_sample": True},
            PROMPT,
        ),
    }  # fmt: skip
    out = []
    for name, (settings, prompt) in cases.items():
        ids, margin = run(model, tokenizer, settings, prompt)
        print(name, margin, ids, "(as plain)" if ids == plain else "")
        assert margin > 1e-3, name
        out.append({"name": name, "settings": settings, "prompt": prompt, "ids": ids})
    lines = ",\n".join(json.dumps(case) for case in out)
    (HERE / "decoding.json").write_text("[\n" + lines + "\n]\n")


if __name__ == "__main__":
    main()
