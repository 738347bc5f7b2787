#!/usr/bin/env python3
"""Makes GGUF files of a tokenizer and one random layer, and the ids that the tokenizer's own library gives.

    python3 data/golden/make_gguf_tokenizers.py [--python FILE]

tokenizer_llama.gguf: a SentencePiece BPE with byte pieces and a user-defined piece, ids by the sentencepiece
package. tokenizer_llama-bpe.gguf, tokenizer_qwen2.gguf: byte-level BPEs split by the patterns of Llama 3 and Qwen2, ids by
Hugging Face's tokenizers. tokenizer_NAME.jsonl has a string and its ids a line, control tokens kept text.
"""

import io
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "peers"))

import peer_env  # noqa: E402

peer_env.ensure("hf", [*peer_env.HF, "sentencepiece"])

import gguf  # noqa: E402
import golden_strings  # noqa: E402
import numpy  # noqa: E402
import sentencepiece  # noqa: E402
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers  # noqa: E402

CORPUS = [m["content"] for d in json.loads((HERE / "dialogues.json").read_text()) for m in d]
# Source: tokenizer.json of Meta-Llama-3 and Qwen2.
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {
    "llama-bpe": CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + REST,
    "qwen2": CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + REST,
}


def strings():
    return [text for _, text in golden_strings.golden_strings()[::7]]


def random_model(writer, vocabulary, width=32):
    """One layer, so that the file can be run from text to text."""
    writer.add_block_count(1)
    writer.add_context_length(256)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(width)
    writer.add_head_count(2)
    writer.add_layer_norm_rms_eps(1e-5)
    generator = numpy.random.default_rng(1)
    names = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
    shapes = {"token_embd": vocabulary} | {f"blk.0.{name}": width for name in names}
    for name, rows in shapes.items():
        value = generator.standard_normal((rows, width)).astype(numpy.float32) * 0.3
        packed = gguf.quants.quantize(value, gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(name + ".weight", packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(name + ".weight", numpy.ones(width, numpy.float32))


def write(name, tokens, types, fill, ids):
    writer = gguf.GGUFWriter(HERE / f"tokenizer_{name}.gguf", "llama")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    fill(writer)
    random_model(writer, len(tokens))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    lines = [json.dumps([text, each], ensure_ascii=False, separators=(",", ":")) for text, each in ids]
    (HERE / f"tokenizer_{name}.jsonl").write_text("\n".join(lines) + "\n", newline="\n")
    print(name, len(tokens), "tokens,", len(lines), "strings,", len({i for _, each in ids for i in each}), "ids used")


def make_llama():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=420, model_type="bpe", byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, user_defined_symbols=["<tool>"],
        control_symbols=["<|im_start|>", "<|im_end|>"], minloglevel=2,
    )  # fmt: skip
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = range(processor.get_piece_size())
    kinds = [(processor.is_unknown, 2), (processor.is_control, 3), (processor.is_unused, 5), (processor.is_byte, 6)]

    def kind(i):
        found = [number for test, number in kinds if test(i)]
        return found[0] if found else 4 if processor.id_to_piece(i) == "<tool>" else 1

    def fill(writer):
        writer.add_tokenizer_model("llama")
        writer.add_token_scores([processor.get_score(i) for i in pieces])
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_add_space_prefix(True)

    texts = [text for text in strings() if "\0" not in text] + ["a <tool>b</tool>", "<tool><tool> x"]
    write("llama", [processor.id_to_piece(i) for i in pieces], [kind(i) for i in pieces], fill,
          [(text, processor.encode(text)) for text in texts])  # fmt: skip


def make_bpe(name):
    # Words that are tokens without merges that make them: Llama 3 takes them whole, Qwen2 by its merges.
    odd = [" harbour", " lighthouse", "Ġkeeper".replace("Ġ", " ")]
    tokenizer = Tokenizer(models.BPE(ignore_merges=name == "llama-bpe"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERNS[name]), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    if name == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=420, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
                                    show_progress=False))  # fmt: skip
    state = json.loads(tokenizer.to_str())
    vocabulary = state["model"]["vocab"]
    for word in odd:
        vocabulary.setdefault(word.replace(" ", "Ġ"), len(vocabulary))
    tokenizer = Tokenizer.from_str(json.dumps(state))
    texts = strings() + [f"the{word}{word}" for word in odd]
    ids = [(text, tokenizer.encode(text).ids) for text in texts]
    assert tokenizer.decode(ids[5][1]) == ids[5][0]
    control = ["<|begin_of_text|>", "<|im_end|>"]
    tokenizer.add_special_tokens([AddedToken(each, special=True, normalized=False) for each in control])
    tokens = sorted(vocabulary, key=vocabulary.get)

    def fill(writer):
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(name)
        writer.add_token_merges([" ".join(pair) for pair in state["model"]["merges"]])
        writer.add_bos_token_id(len(tokens))
        writer.add_eos_token_id(len(tokens) + 1)

    write(name, tokens + control, [1] * len(tokens) + [3, 3], fill, ids)


if __name__ == "__main__":
    make_llama()
    for each in PATTERNS:
        make_bpe(each)
