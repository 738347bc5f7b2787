"""What compile_commands.json says: the flags that our sources are compiled with."""

import json
import pathlib
import shlex


def load(build: pathlib.Path) -> list[dict]:
    return json.loads((build / "compile_commands.json").read_text())


def arguments(build: pathlib.Path, source_name: str) -> list[str]:
    """The compiler and its flags for the source that ends in `source_name`, without source and output."""
    for entry in load(build):
        if entry["file"].endswith(source_name):
            words = shlex.split(entry["command"])
            at = words.index("-o")
            return [word for word in words[:at] + words[at + 2 :] if word not in ("-c", entry["file"])]
    raise SystemExit(f"{build}/compile_commands.json: want an entry for {source_name}, found none; configure again")


def include_flags(build: pathlib.Path) -> list[str]:
    """Every include folder and language flag that any source of ours is given, once, in order; no precompiled header."""
    flags: dict = {}
    for entry in load(build):
        words = iter(shlex.split(entry["command"]))
        for word in words:
            if word == "-isystem":
                flags[(word, next(words))] = None
            elif word.startswith(("-I", "-std=")) or word == "-DAT_PER_OPERATOR_HEADERS":
                flags[(word,)] = None
    return [word for group in flags for word in group]
