#!/usr/bin/env python3
"""Makes folder_tokens.json: ids that AutoTokenizer of transformers gives for folders whose files name tokens and steps.

    python3 data/golden/make_folder_tokens.py [--python FILE]              (after make_llama_tiny.py and make_tokenizers.py)

A case says which tokenizer file the folder has, the text of the other files, and the ids of some texts, control tokens read.
"""

import json
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "peers"))

import peer_env  # noqa: E402

peer_env.ensure("hf", [*peer_env.HF, "sentencepiece", "protobuf"])

import transformers  # noqa: E402

BYTES, PIECES, MODEL = "llama_tiny/tokenizer.json", "tokenizers/llama2.json", "tokenizers/spm_bpe.model"
TEXTS = ["x <tool> y <t2>z", " <t2> <tool>7 [PAD]<unk> 42", "In 2024  the ferry sails", "<s>hello <s> there </s> so", "a <|im_end|> b <|im_start|> c"]
FLAGS = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False}


def token(text, **flags):
    return FLAGS | {"content": text, "special": True} | flags


def cases():
    fast = {"tokenizer_class": "PreTrainedTokenizerFast"}
    yield "no files", BYTES, fast, {}
    yield "additional", BYTES, fast | {"additional_special_tokens": ["<tool>", "<t2>"]}, {}
    yield "extra list", BYTES, fast | {"extra_special_tokens": ["<t2>", "<tool>"]}, {}
    yield "extra object", BYTES, fast | {"extra_special_tokens": {"z_token": "<t2>", "a_token": "<tool>"}}, {}
    yield "extra before additional", BYTES, fast | {"extra_special_tokens": ["<t2>"], "additional_special_tokens": ["<tool>"]}, {}
    yield "added decoder", BYTES, fast | {"added_tokens_decoder": {"305": token("<tool>", lstrip=True), "301": token("<t2>", special=False, normalized=True)}}, {}
    yield "decoder redefines", BYTES, fast | {"added_tokens_decoder": {"2": token("<|im_end|>", lstrip=True), "1": token("<|im_start|>", special=False, rstrip=True)}}, {}
    yield "decoder redefines pieces", PIECES, fast | {"added_tokens_decoder": {"1": token("<s>", rstrip=True), "2": token("</s>", lstrip=True, special=False, normalized=True)}}, {}
    yield "decoder before map", BYTES, fast | {"added_tokens_decoder": {"300": token("<tool>")}}, {"special_tokens_map.json": {"pad_token": "[PAD]"}}
    yield "map", BYTES, fast | {"eos_token": "<|im_end|>"}, {"special_tokens_map.json": {"unk_token": "<unk>", "pad_token": {"content": "[PAD]"} | FLAGS, "additional_special_tokens": ["<tool>"]}}
    yield "added tokens", BYTES, fast | {"eos_token": "<t2>"}, {"added_tokens.json": {"<tool>": 305, "<t2>": 301}}
    yield "names", BYTES, fast | {"unk_token": "<unk>", "pad_token": "[PAD]", "tool_token": "<tool>", "bos_token": None}, {}
    for legacy in (None, True, False):
        for space in (None, True, False):
            flags = {key: value for key, value in (("legacy", legacy), ("add_prefix_space", space)) if value is not None}
            yield f"pieces {flags}", PIECES, {"tokenizer_class": "LlamaTokenizer"} | flags, {}
    yield "pieces as given", PIECES, fast | {"legacy": False}, {}
    for flags in ({}, {"legacy": False}, {"add_prefix_space": False}, {"additional_special_tokens": ["<tool>"]}):
        yield f"model {flags}", MODEL, {"tokenizer_class": "LlamaTokenizer"} | flags, {}
    yield "qwen2", BYTES, fast, {"config.json": {"model_type": "qwen2"}}
    yield "mistral", PIECES, {"tokenizer_class": "LlamaTokenizer", "legacy": False}, {"config.json": {"model_type": "mistral"}}


def main():
    out = []
    for name, source, config, files in cases():
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            shutil.copy(HERE / source, folder / ("tokenizer.model" if source.endswith(".model") else "tokenizer.json"))
            files = {"config.json": {"model_type": "llama"}, "tokenizer_config.json": config} | files
            for file, value in files.items():
                (folder / file).write_text(json.dumps(value))
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
            ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
        print(name, type(tokenizer).__name__, ids[0])
        out.append({"name": name, "source": source, "files": files, "ids": ids})
    lines = ",\n".join(json.dumps(case) for case in out)
    (HERE / "folder_tokens.json").write_text('{"texts": ' + json.dumps(TEXTS) + ',\n"cases": [\n' + lines + "\n]}\n")


if __name__ == "__main__":
    main()
