#!/usr/bin/env python3
"""Writes src/text/unicode_tables.cpp: which code points are \\p{L}, \\p{N} and numeric to Hugging Face tokenizers.

    python3 data/golden/make_unicode_classes.py [--python FILE]

They are asked of the library itself, one code point after the other, since its regular expressions and Rust's own tables
are of two versions of Unicode, and Debian's utf8proc is of a third.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "peers"))

import peer_env  # noqa: E402

peer_env.ensure("hf", peer_env.HF)

from tokenizers import Regex, __version__, pre_tokenizers  # noqa: E402

POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def matched(pattern):
    remove = pre_tokenizers.Split(Regex(pattern), "removed")
    found = set()
    for start in range(0, len(POINTS), 4096):
        block = POINTS[start : start + 4096]
        kept = set("".join(text for text, _ in remove.pre_tokenize_str("".join(map(chr, block)))))
        found.update(c for c in block if chr(c) not in kept)
    return found


def numeric():
    digits = pre_tokenizers.Digits(individual_digits=True)
    return {c for c in POINTS if len(digits.pre_tokenize_str("a" + chr(c))) == 2}


def ranges(points):
    found = []
    for c in sorted(points):
        if found and found[-1][1] == c - 1:
            found[-1][1] = c
        else:
            found.append([c, c])
    return found


def table(name, points):
    numbers = [f"0x{number:X}" for pair in ranges(points) for number in pair]
    lines, line = [], "   "
    for number in numbers:
        if len(line) + len(number) + 2 > 99:
            lines.append(line)
            line = "   "
        line += f" {number},"
    return f"constexpr std::uint32_t {name}[] = {{\n" + "\n".join(lines + [line]) + "\n};\n"


def main():
    letters, numbers, digits = matched(r"\p{L}"), matched(r"\p{N}"), numeric()
    assert numbers <= digits and not letters & digits
    out = HERE.parents[1] / "src" / "text" / "unicode_tables.cpp"
    out.write_text(
        f"// Written by data/golden/make_unicode_classes.py from tokenizers {__version__}: first and last code points.\n"
        '#include "text/unicode_classes.hpp"\n\nnamespace seawall {\nnamespace {\n\n// clang-format off\n'
        + table("letters", letters) + "\n" + table("numbers", numbers) + "\n"
        + "// To Rust, and so to the step Digits, but not to \\p{N}.\n" + table("more_digits", digits - numbers)
        + "// clang-format on\n\n}  // namespace\n\nstd::span<const std::uint32_t> letter_ranges() { return letters; }\n"
        "std::span<const std::uint32_t> number_ranges() { return numbers; }\n"
        "std::span<const std::uint32_t> more_digit_ranges() { return more_digits; }\n\n}  // namespace seawall\n"
    )  # fmt: skip


if __name__ == "__main__":
    main()
