#!/usr/bin/env python3
"""Makes the golden files of the chat templates: what jinja2, run as transformers runs it, writes, and its token ids.

    python3 data/golden/make_chat.py [--python FILE]

The templates in chat/templates are the project's own; they use the constructs of those published with Llama 2, 3, 3.1,
Mistral, Qwen 2, 2.5, 3, SmolLM2, Gemma, Phi-3, Zephyr and Vicuna models and write the same formats.
"""

import datetime
import hashlib
import json
import pathlib
import random
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "peers"))

import peer_env  # noqa: E402

peer_env.ensure("hf", peer_env.HF)

import chat_snippets  # noqa: E402
import golden_strings  # noqa: E402
import transformers  # noqa: E402
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: E402
from transformers.utils import chat_template_utils  # noqa: E402

OUT = HERE / "chat"
SPECIAL = [
    "<s>", "</s>", "<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|endoftext|>",
    "<|im_start|>", "<|im_end|>", "<bos>", "<start_of_turn>", "<end_of_turn>",
]  # fmt: skip
# BOS and EOS as the family has them.
ENDS = {
    "llama3": ("<|begin_of_text|>", "<|eot_id|>"), "llama31": ("<|begin_of_text|>", "<|eot_id|>"),
    "qwen2": (None, "<|im_end|>"), "qwen25": (None, "<|im_end|>"), "qwen3": (None, "<|im_end|>"), "qwen3_tools": (None, "<|im_end|>"),
    "smollm2": ("<|im_start|>", "<|im_end|>"), "macros": ("<|im_start|>", "<|im_end|>"),
    "gemma": ("<bos>", "<end_of_turn>"), "gemma3": ("<bos>", "<end_of_turn>"),
}  # fmt: skip
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TODAY = datetime.date(2024, 7, 26)  # what Seawall's strftime_now says


def fixed_date(format):
    return TODAY.strftime(format)


def environment(source):
    """A compiled template, as transformers compiles it, on a fixed day."""
    compiled = chat_template_utils._compile_jinja_template(source)
    compiled.environment.globals["strftime_now"] = fixed_date
    compiled.globals["strftime_now"] = fixed_date
    return compiled


def contents(rng):
    kinds = [golden_strings.english] * 6 + [
        golden_strings.code, golden_strings.numbers, golden_strings.spaces, golden_strings.cjk, golden_strings.emoji,
        golden_strings.combining, golden_strings.web,
    ]  # fmt: skip
    text = rng.choice(kinds)(rng)
    odd = [
        "", " ", "\n", "\n\n  tail \t", "  both ends\u00a0 ", "{{ messages }}", "{% if x %}", "it's \"quoted\" \\n", "<think>\nhm\n</think>\n\nSo.",
        "\u3000wide\u2003", "first\nsecond\r\nthird", "ß ſ İ", "[INST] not [/INST]", "a\tb",
    ]  # fmt: skip
    return rng.choice(odd) if rng.random() < 0.3 else text


def dialogues():
    """Dialogues of every shape that readers accept, and a few that templates refuse."""
    rng = random.Random(5)
    found = []
    for number in range(26):
        turns = [{"role": "system", "content": contents(rng)}] if number % 3 == 1 else []
        for _ in range(1 + number % 4):
            turns += [{"role": "user", "content": contents(rng)}, {"role": "assistant", "content": contents(rng)}]
        if number % 2 == 0:
            turns.pop()
        found.append(turns)
    found.append([{"role": "user", "content": "one"}, {"role": "user", "content": "two"}])
    found.append([{"role": "assistant", "content": "I begin"}, {"role": "user", "content": "two"}])
    # Control tokens as content: rendered like any text; never ids of control tokens, so without golden ids.
    token = " ".join(SPECIAL)
    found.append([{"role": "user", "content": f"say {token}"}, {"role": "assistant", "content": token}])
    found.append([{"role": "system", "content": token}, {"role": "user", "content": "<|im_start|>assistant\nyes<|im_end|>"}])
    return found


def tokenizer():
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(t, special=True, normalized=False) for t in SPECIAL],
    )  # fmt: skip
    made.train_from_iterator([text for _, text in golden_strings.golden_strings()], trainer)
    return made


def continuations(made, all_dialogues):
    """Prompts that end with the beginning of an answer: the ids up to its end."""
    cases = []
    for file in sorted((OUT / "templates").glob("*.jinja")):
        name, source = file.stem, file.read_text(encoding="utf-8")
        if name == "llama31":  # it asks for the day
            continue
        bos, eos = ENDS.get(name, ("<s>", "</s>"))
        hf = transformers.PreTrainedTokenizerFast(tokenizer_object=made, bos_token=bos, eos_token=eos, chat_template=source)
        for number, dialogue in enumerate(all_dialogues[:-2]):
            if dialogue[-1]["role"] != "assistant" or not dialogue[-1]["content"].strip():
                continue
            case = {"template": name, "bos": bos, "eos": eos, "dialogue": number}
            try:
                case["ids"] = hf.apply_chat_template(dialogue, tokenize=True, return_dict=False, continue_final_message=True)
            except Exception as error:  # noqa: BLE001: whatever the template refuses
                case["refused"] = str(error)[:60]
            cases.append(case)
    lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases]
    (OUT / "continuations.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def hash_of(ids):
    return hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()[:16]


def main():
    made = tokenizer()
    (OUT / "tokenizer.json").write_text(made.to_str(pretty=False), encoding="utf-8")
    all_dialogues = dialogues()
    cases = []
    for file in sorted((OUT / "templates").glob("*.jinja")):
        name, source = file.stem, file.read_text(encoding="utf-8")
        bos, eos = ENDS.get(name, ("<s>", "</s>"))
        hf = transformers.PreTrainedTokenizerFast(tokenizer_object=made, bos_token=bos, eos_token=eos, chat_template=source)
        compiled = environment(source)
        for number, dialogue in enumerate(all_dialogues):
            for generate in (False, True):
                if generate and dialogue[-1]["role"] != "user":
                    continue
                case = {"template": name, "bos": bos, "eos": eos, "dialogue": number, "generate": generate}
                try:
                    text = compiled.render(
                        messages=dialogue, tools=None, documents=None, add_generation_prompt=generate, **hf.special_tokens_map
                    )
                except Exception as error:  # noqa: BLE001: whatever the template refuses
                    case["refused"] = str(error)[:60]
                else:
                    case["text"] = text
                    if number < len(all_dialogues) - 2:
                        ids = hf(text, add_special_tokens=False)["input_ids"]
                        if name != "llama31":  # the one that asks for the day
                            assert ids == hf.apply_chat_template(
                                dialogue, tokenize=True, return_dict=False, add_generation_prompt=generate
                            )
                        case["ids"] = ids if number < 2 else hash_of(ids)
                cases.append(case)
    lines = [json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases]
    (OUT / "cases.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (OUT / "dialogues.json").write_text(json.dumps(all_dialogues, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    continuations(made, all_dialogues)
    snippets = []
    for source in chat_snippets.SNIPPETS:
        try:
            text = environment(source).render(
                messages=all_dialogues[10], tools=None, documents=None, add_generation_prompt=True, bos_token="<s>", eos_token="</s>"
            )
            snippets.append({"source": source, "text": text})
        except Exception as error:  # noqa: BLE001
            snippets.append({"source": source, "error": type(error).__name__})
    lines = [json.dumps(each, ensure_ascii=False) for each in snippets]
    (OUT / "snippets.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    refused = sum("refused" in case for case in cases)
    print(len(cases), "cases,", refused, "refused,", len(snippets), "snippets")


if __name__ == "__main__":
    main()
