"""The varied strings whose token ids are golden: the same list on every run."""

import random
import unicodedata

CONTROL = (
    "<|endoftext|> <|im_start|> <|im_end|> <repo_name> <reponame> <file_sep> <filename> <gh_stars> "
    "<issue_start> <issue_comment> <issue_closed> <jupyter_start> <jupyter_text> <jupyter_code> "
    "<jupyter_output> <jupyter_script> <empty_output>"
).split()
ENGLISH = (
    "the a lighthouse quietly measures every harbour bell and its keeper's oldest lantern while rain "
    "falls over slate roofs Nobody in Thornwick believed that autumn could arrive so early "
    "I'm you're they've we'll he'd it's can't O'Neill rock'n'roll naïve café façade résumé "
    "internationalization counterrevolutionary antidisestablishmentarianism Pneumonoultramicroscopic "
    "USA NASA iPhone McDonald e-mail state-of-the-art semi-annual U.S.A. Dr. Mrs. etc. I'M YOU'RE "
    "don’t it’s ‘quoted’ “double” – — … ﬁne ﬂow"
).split()
CODE = [
    "def f(x: int = 3) -> str:\n    return f\"{x!r:>8}\"",
    "for (int i = 0; i < n; ++i) {\n\tsum += a[i] * b[i];\n}",
    "std::vector<std::pair<int, double>> v{{1, 2.5}, {3, 4.0}};",
    "SELECT name, COUNT(*) FROM visits WHERE year >= 2019 GROUP BY 1;",
    "<div class=\"row\" id='x1'>&nbsp;&lt;b&gt;</div>",
    "{\"id\": 17, \"tags\": [\"a\", \"b\"], \"ok\": true, \"z\": null}",
    "#!/bin/sh\nset -eu\nfind . -name '*.hpp' | xargs -n1 wc -l\n",
    "if err != nil {\n\t\treturn nil, fmt.Errorf(\"open %q: %w\", path, err)\n\t}",
    "let xs = ys.iter().map(|y| y * 2).collect::<Vec<_>>();",
    "\\frac{\\partial L}{\\partial w_{ij}} = \\sum_{k=1}^{n} \\delta_k x_{kj}",
    "template <typename T>\n  requires std::integral<T>\nT gcd(T a, T b);",
    "    def __init__(self, *args, **kwargs):\n        super().__init__()\n\n\n",
    "x = [i**2 for i in range(10) if i % 2 == 0]  # squares",
    "--- a/file.c\n+++ b/file.c\n@@ -1,3 +1,4 @@\n-old\n+new",
    "print(\"héllo\", '\\t', r\"\\d+\", b'\\x00', u'\\u2603')",
    "import numpy as np; np.zeros((3,4), dtype=np.float32)[:, ::-1]",
    "a&&b||!c ? d : e->f(g)[h] ^= ~0x7FFFuLL << 3;",
    "| a | b |\n|---|:-:|\n| 1 | `x` |\n\n* **bold** _it_\n1. one\n10. ten",
]
CJK = (
    "中文 日本語 你好，世界！ 今日は良い天気ですね。 東京都 ひらがな カタカナ ガギグゲゴ ﾊﾝｶｸ 한국어 안녕하세요 "
    "대한민국 的 是 不 了 在 人 有 我 他 这 个 漢字仮名交じり文 臺灣 香港 繁體中文 簡体 々〆〤 「引用」 『本』 "
    "２０２４年 ①②③ 三百二十一 ㍿ ㌔ 𠮷野家 𪚥 龘 ㄅㄆㄇ ｆｕｌｌｗｉｄｔｈ　スペース ー〜・ 저는 학생입니다"
).split()
SCRIPTS = (
    "مرحبا بالعالم السلام عليكم كتاب ٱلْحَمْدُ ١٢٣٤ ۱۲۳ لا؟ שלום עולם שָׁלוֹם नमस्ते दुनिया हिन्दी क्षत्रिय १२३ "
    "বাংলা தமிழ் తెలుగు ಕನ್ನಡ മലയാളം සිංහල ไทย สวัสดีครับ ๑๒๓ ລາວ မြန်မာ ខ្មែរ ქართული Հայերեն አማርኛ "
    "Привет мир Ёлка ёжик Україна Ґанок Ελληνικά Γειά σου ᾳ̈ Ωμέγα Ⅷ Ⅻ ǅ ǆ ß ẞ İstanbul ığdır Łódź "
    "Čeština žluťoučký Tiếng Việt người Ñandú ñ ſ ᚠᚢᚦ 𐍈 𝒜𝓑𝕮 𝟘𝟙 ᏣᎳᎩ ᐃᓄᒃᑎᑐᑦ 𐎀 ⵜⴰⵎⴰⵣⵉⵖⵜ"
).split()
EMOJI = [
    "😀", "😂", "🥺", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "🇯🇵🇺🇸", "1️⃣", "#️⃣", "❤️", "❤", "☃", "⚡️", "🧑🏿‍🚀", "🫠", "🪿", "✔︎",
    "👨‍💻", "🤷‍♀️", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "¯\\_(ツ)_/¯", ":-)", "^_^", "(╯°□°)╯︵ ┻━┻", "→", "✓", "★", "█▓▒░", "①", "♫", "™", "©",
]  # fmt: skip
SPACES = [" ", " ", " ", "  ", "   ", "    ", "\t", "\n", "\n\n", "\r\n", "\r", "\v", "\f", "\u00a0", "\u3000"]
RARE_SPACES = ["\u2003", "\u2009", "\u2028", "\u2029", "\u0085", "\u1680", "\u200b", "\ufeff", "\u001c", "\u202f"]
MARKS = [chr(c) for c in (0x300, 0x301, 0x302, 0x303, 0x308, 0x30A, 0x323, 0x327, 0x328, 0x34F, 0x20DD, 0xFE0F)]


def words(rng, pool, low, high, gap=" "):
    return gap.join(rng.choice(pool) for _ in range(rng.randint(low, high)))


def english(rng):
    text = words(rng, ENGLISH, 1, 12)
    return rng.choice(["", " ", "  "]) + text + rng.choice(["", ".", "!", "?", "...", "?!", " ", "\n", '"'])


def code(rng):
    text = rng.choice(CODE)
    start = rng.randrange(len(text) // 2)
    return rng.choice(["", "  ", "\n\t", "```\n"]) + text[start : start + rng.randint(8, 60)]


def numbers(rng):
    n = rng.randrange(10 ** rng.randint(1, 12))
    forms = [
        f"{n}", f"{n:,}", f"-{n / 1000:.3f}", f"{n:x}", f"0x{n:X}", f"${n}.50", f"{n % 100}%", f"{n:e}", f"{n}th",
        f"v{n % 10}.{n % 7}.{n % 13}", f"{1900 + n % 200}-0{1 + n % 9}-{10 + n % 19}", f"{n % 24}:{n % 60:02}",
        f"x{n}y", f"{n}²", f"½{n}", f"{n}．{n % 9}", f"+49 {n % 1000} {n}", f"({n})", f"{n}/{n % 97 + 1}", f"№{n}",
    ]  # fmt: skip
    return words(rng, forms, 1, 4, rng.choice([" ", "  ", "", ", ", "\n", "\n\n", "\t"]))


def spaces(rng):
    pool = ["a", "the", "Tree", "7", "42", "!", "})", "é", "中", "don't", "", "_x", "'s", "-"]
    gaps = SPACES + RARE_SPACES if rng.random() < 0.3 else SPACES
    pieces = []
    for _ in range(rng.randint(1, 6)):
        pieces.append(rng.choice(pool))
        pieces.extend(rng.choice(gaps) for _ in range(rng.randint(1, 3)))
    return "".join(pieces + [rng.choice(pool)])


def long_spaces(rng):
    return rng.choice(["", "x", "1"]) + rng.choice([" ", "\n", "\t", " \n", "\n ", "\t "]) * rng.randint(2, 90) + rng.choice(["", "x", "1", ")"])


def cjk(rng):
    return words(rng, CJK, 1, 5, rng.choice(["", "", " ", "、"]))


def scripts(rng):
    return words(rng, SCRIPTS, 1, 4, rng.choice([" ", " ", "", "-"]))


def emoji(rng):
    return words(rng, EMOJI + ENGLISH[:12], 1, 6, rng.choice(["", "", " "]))


def combining(rng):
    letters = []
    for _ in range(rng.randint(1, 8)):
        letters.append(rng.choice("aeiouncsZ ก가ا1") + "".join(rng.sample(MARKS, rng.randint(0, 3))))
    text = "".join(letters)
    return unicodedata.normalize(rng.choice(["NFC", "NFD"]), text) if rng.random() < 0.5 else text


def control(rng):
    token = rng.choice(CONTROL[:3] * 4 + CONTROL)
    at = rng.randint(1, len(token) - 1)
    broken = [
        token[:at], token[at:], token[:at] + " " + token[at:], token.upper(), token + token, token[:at] + token,
        "<" + token + ">", token.replace("|", "||"), token.replace("<", "＜"), "\\" + token, token + "\n", " " + token,
    ]  # fmt: skip
    pieces = [rng.choice([token, token, rng.choice(broken), rng.choice(ENGLISH)]) for _ in range(rng.randint(1, 4))]
    pieces.insert(rng.randrange(len(pieces) + 1), rng.choice([token, token, "assistant\n", "system\nYou are", "  ", "12"]))
    return rng.choice(["", " ", "\n", "  "]).join(pieces)


def any_codepoint(rng):
    """Code points assigned since Unicode 3.2, so that the tables of no library are too old for them."""
    top = rng.choice([0x80, 0x800, 0x3000, 0x10000, 0x20000, 0x110000])
    points = [chr(rng.randrange(1, top)) for _ in range(rng.randint(1, 9))]
    return "".join(p for p in points if unicodedata.ucd_3_2_0.category(p) not in ("Cn", "Cs")) or chr(0x2190 + rng.randrange(99))


def control_characters(rng):
    return "".join(rng.choice(["ab", " ", "x1", chr(rng.randrange(1, 32)), chr(127), "\x04", "\x16", "é"]) for _ in range(rng.randint(1, 7)))


def web(rng):
    w = [x for x in ENGLISH if x.isascii() and x.isalpha()]
    a, b, n = rng.choice(w), rng.choice(w), rng.randrange(1000)
    forms = [
        f"https://www.{a}.org/{b}?q={n}&lang=en#s{n}", f"{a}.{b}{n}@mail.example", f"#{a} @{b}", f"/usr/{a}/lib{b}.so.{n}",
        f"C:\\{a}\\{b}.txt", f"**{a}** _{b}_ ~~{n}~~", f"> {a}\n> {b}", f"[{a}]({b}.md)", f"{a}_{b}{n}", f"{a}{b.title()}{n}()",
        f"<{a} {b}=\"{n}\"/>", f"{a}::{b}<{n}>", f"ISBN 978-{n}-{n}", f"{a}/{b}", f"--{a}-{b}={n}", f"10.0.{n % 256}.1:80{n % 90}",
    ]  # fmt: skip
    return words(rng, forms, 1, 2)


KINDS = {
    english: 320, code: 300, numbers: 280, spaces: 300, long_spaces: 60, cjk: 260, scripts: 260, emoji: 200,
    combining: 160, control: 320, any_codepoint: 240, control_characters: 80, web: 160,
}  # fmt: skip


def golden_strings() -> list[tuple[str, str]]:
    """(kind, text) pairs without repeats, in a fixed order; the first are the edges."""
    edges = ["", " ", "\n", "a", "  ", "a  5", "\n\n1. x", "\x04", "a\x04b", "\U00050000", "Hello <|im_end|>\n x"]
    edges += CONTROL + [f" {token} " for token in CONTROL[:3]]
    found = dict.fromkeys(edges, "edge")
    for number, (make, count) in enumerate(KINDS.items()):
        rng = random.Random(1000 + number)
        wanted = len(found) + count
        while len(found) < wanted:
            found.setdefault(make(rng), make.__name__)
    return [(kind, text) for text, kind in found.items()]


if __name__ == "__main__":
    strings = golden_strings()
    print(len(strings), "strings,", sum(len(text.encode()) for _, text in strings), "bytes")
