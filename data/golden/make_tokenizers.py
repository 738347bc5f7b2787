#!/usr/bin/env python3
"""Makes small tokenizers of every published shape, and hashes of the ids that 20,000 strings have in each.

    python3 data/golden/make_tokenizers.py [--python FILE]

The strings follow from pool.json by the generator below, which tests/text/test_tokenizers_golden.cpp has as well; a hash
covers the ids of 100 strings.
"""

import hashlib
import json
import pathlib
import random
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "peers"))

import peer_env  # noqa: E402

peer_env.ensure("hf", peer_env.HF)

import golden_strings  # noqa: E402
import sentencepiece  # noqa: E402
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402

OUT = HERE / "tokenizers"
STRINGS, BLOCK = 20000, 100
MASK = (1 << 64) - 1
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace("{1,3}", "")
RANGES = [(1, 0x20), (0x20, 0x80), (0x80, 0x800), (0x800, 0x3000), (0x3000, 0xD800), (0xE000, 0x10000), (0x10000, 0x20000)]
LISTS = {
    "spaces": [" ", "  ", "\n", "\t", "\r\n", "\r", "\u00a0", "\u3000", "\u2003", "\u2028", "\u0085", "\u200b", "\x1c", "\u202f"],
    "contractions": ["'s", "'T", "'re", "'VE", "'ll", "'\u017f", "'d", "'M", "\u2019s", "'", "'lL", "'v", "'R"],
    "marks": ["\u0300", "\u0301", "\u0308", "\u0323", "\u0327", "\u034f", "\u20dd", "\ufe0f", "\u200d", "\u0345"],
    "digits": ["0", "1", "7", "42", "\u0663", "\u00bd", "\u00b2", "\u2167", "\uff15", "\U0001d7d8", "\U00011de3"],
    "tokens": [
        "<s>", "</s>", "<|im_end|>", "<tool>", " <mask> ", "<mask>\n ", "<0x0A>", "\u2581", "<unk>", "word", "words", " word ", "_word",
        "\u03b1\u0301", "\u03ac", "<|im_end|", "\n\n\n", "\u2581\u2581", "hello there",
    ],
}  # fmt: skip
SPECIAL = ["<unk>", "<s>", "</s>", "<|im_end|>"]


class Draw:
    """A linear congruential generator: the same numbers in Python and C++."""

    def __init__(self, seed):
        self.state = (seed * 0x9E3779B97F4A7C15 + 1) & MASK
        self.below(2)

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) & MASK
        return (self.state >> 33) % n


def string(seed, pool):
    draw = Draw(seed)
    out = []
    for _ in range(1 + draw.below(10)):
        kind = draw.below(16)
        if kind < 10:
            out.append(pool["fragments"][draw.below(len(pool["fragments"]))])
        elif kind == 10:
            low, high = RANGES[draw.below(len(RANGES))]
            out.append(chr(low + draw.below(high - low)))
        else:
            chosen = pool["lists"][kind - 11]
            for _ in range(1 + draw.below(3)):
                out.append(chosen[draw.below(len(chosen))])
    return "".join(out)


def make_pool():
    rng = random.Random(3)
    fragments = []
    for _, text in golden_strings.golden_strings():
        start = rng.randrange(max(1, len(text) - 10))
        fragments.append(text[start : start + rng.randint(1, 24)])
    fragments = [f for f in dict.fromkeys(fragments) if "\0" not in f]
    rng.shuffle(fragments)
    return {"fragments": fragments[:1000], "lists": list(LISTS.values())}


def corpus():
    return [text for _, text in golden_strings.golden_strings()] + ["hello there, the ferry sails at six"] * 50


def train(tokenizer, vocabulary, alphabet=()):
    """Tokens and merges. No merge may make a control token: such a tokenizer is refused."""
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, show_progress=False, initial_alphabet=list(alphabet), limit_alphabet=400)
    tokenizer.train_from_iterator([t for t in corpus() if "<|" not in t and "<s>" not in t], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return list(model["vocab"]), [tuple(merge) for merge in model["merges"]]


def byte_level(steps, use_regex, normalizer=None, more=(), **model):
    """A byte-level tokenizer; `more`: tokens of the vocabulary that no merge makes."""
    split = pre_tokenizers.Sequence([*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)])
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = split
    tokens, merges = train(made, 900, pre_tokenizers.ByteLevel.alphabet())
    tokens += [token for token in more if token not in tokens]
    made = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges, **model))
    made.pre_tokenizer = split
    made.decoder = decoders.ByteLevel()
    if normalizer:
        made.normalizer = normalizer
    made.add_special_tokens([AddedToken(t, normalized=False) for t in SPECIAL[1:]])
    return made


def characters(normalizer, split, strip, byte_fallback=True, **model):
    """As converted from SentencePiece."""
    made = Tokenizer(models.BPE(unk_token="<unk>"))
    if normalizer:
        made.normalizer = normalizer
    # Merges that cross words would make the vocabulary one of phrases.
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    tokens, merges = train(made, 900)
    first = SPECIAL[:3] + ([f"<0x{b:02X}>" for b in range(256)] if byte_fallback else [])
    tokens = first + [token for token in tokens if token not in first]
    vocab = {t: i for i, t in enumerate(tokens)}
    made = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", byte_fallback=byte_fallback, **model))
    if normalizer:
        made.normalizer = normalizer
    if split:
        made.pre_tokenizer = split
    steps = [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    made.decoder = decoders.Sequence(steps + ([decoders.Strip(" ", 1, 0)] if strip else []))
    made.add_special_tokens([AddedToken(t, normalized=False) for t in SPECIAL])
    return made


def with_bos(made):
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", made.token_to_id("<s>"))]
    )
    return made


def tokenizers():
    split3 = pre_tokenizers.Split(Regex(LLAMA3), "isolated")
    split2 = pre_tokenizers.Split(Regex(QWEN2), "isolated")
    replace = normalizers.Replace(" ", "\u2581")
    yield "gpt2", byte_level([], True)
    yield "smollm", byte_level([pre_tokenizers.Digits(individual_digits=True)], True)
    yield "llama3", with_bos(byte_level([split3], False, more=["hello", "\u0120hello\u0120there", "123", "\u0120\u0120\u0120"], ignore_merges=True))
    qwen = byte_level([split2], False, normalizers.NFC())
    qwen.add_tokens([AddedToken("<tool>", normalized=False), AddedToken("\u03b1\u0301", normalized=True)])
    yield "qwen2", qwen
    flags = byte_level([split3], False)
    flags.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False), AddedToken("<unk>", rstrip=True, normalized=False)])
    flags.add_tokens([AddedToken("word", single_word=True, normalized=False), AddedToken("<tool>", lstrip=True, rstrip=True, normalized=False)])
    yield "flags", flags
    prepend = normalizers.Sequence([normalizers.Prepend("\u2581"), replace])
    yield "llama2", with_bos(characters(prepend, None, True, fuse_unk=True))
    yield "mistral", with_bos(characters(None, pre_tokenizers.Metaspace(prepend_scheme="first", split=False), True, fuse_unk=True))
    yield "metaspace", characters(normalizers.NFC(), pre_tokenizers.Metaspace(prepend_scheme="always", split=True), True, byte_fallback=False)
    gemma = characters(replace, pre_tokenizers.Split(" ", "merged_with_previous"), False, fuse_unk=True)
    gemma.add_tokens([AddedToken(t, normalized=False) for t in ("\n\n", "\n\n\n", "\u2581\u2581", "<tool>")])
    yield "gemma", gemma


def sentencepieces():
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder) / "text"
        text.write_text("\n".join(t.replace("\n", " ") for t in corpus()), encoding="utf-8")
        # No unigram model: versions 0.1.97 and 0.2.3 of the library break its ties differently (7 77 or 77 7).
        for kind, options in (
            ("bpe", {"normalization_rule_name": "identity", "remove_extra_whitespaces": False, "byte_fallback": True}),
            ("trimmed", {"normalization_rule_name": "identity", "add_dummy_prefix": False, "remove_extra_whitespaces": True}),
        ):
            prefix = str(OUT / f"spm_{kind}")
            sentencepiece.SentencePieceTrainer.train(
                input=str(text), model_prefix=prefix, model_type="bpe", vocab_size=1100, character_coverage=0.98,
                num_threads=1, minloglevel=2, **options,
            )  # fmt: skip
            pathlib.Path(prefix + ".vocab").unlink()
            yield f"spm_{kind}", pathlib.Path(prefix + ".model")
    yield "organism", HERE.parent / "organism" / "tokenizer.model"


def hashes(all_ids):
    lines = [",".join(map(str, ids)) for ids in all_ids]
    return [
        hashlib.sha256("\n".join(lines[i : i + BLOCK]).encode()).hexdigest()[:8] for i in range(0, len(lines), BLOCK)
    ]


def main():
    OUT.mkdir(exist_ok=True)
    pool = make_pool()
    (OUT / "pool.json").write_text(json.dumps(pool, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    texts = [string(seed, pool) for seed in range(STRINGS)]
    golden = {"strings_sha256": hashlib.sha256("\n".join(texts).encode()).hexdigest(), "tokenizers": {}}
    for name, made in tokenizers():
        (OUT / f"{name}.json").write_text(made.to_str(pretty=False), encoding="utf-8")
        special = [made.encode(text, add_special_tokens=False).ids for text in texts]
        made.encode_special_tokens = True
        plain = [made.encode(text, add_special_tokens=False).ids for text in texts]
        made.encode_special_tokens = False
        golden["tokenizers"][name] = {
            "special": hashes(special), "plain": hashes(plain), "first": special[:20],
            "decoded": hashlib.sha256("\n".join(made.decode(ids, skip_special_tokens=False) for ids in special[:2000]).encode()).hexdigest(),
        }  # fmt: skip
        print(name, made.get_vocab_size(), sum(map(len, special)), sum(a != b for a, b in zip(special, plain)), "differ as plain text")
    for name, file in sentencepieces():
        made = sentencepiece.SentencePieceProcessor(model_file=str(file))
        golden["tokenizers"][name] = {"plain": hashes([made.encode(text) for text in texts]), "first": [made.encode(t) for t in texts[:20]]}
        print(name, made.get_piece_size())
    (OUT / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
