#!/usr/bin/env python3
"""Rules of the tree that no compiler checks: rules.py NAME runs one and prints each place that breaks it."""

import argparse
import concurrent.futures
import hashlib
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
import compile_commands  # noqa: E402

TABLE_BEGIN, TABLE_END = "<!-- written by tests/rules/rules.py includes --write-docs -->", "<!-- end -->"
TABLE = re.compile(re.escape(TABLE_BEGIN) + r"\n(.*?)" + re.escape(TABLE_END), re.S)
COMMENT_OR_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|//.*')
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
PLUGIN = {"core", "policy", "text", "dataset", "scenario"}
MEASURED = PLUGIN | {"model", "store", "remote"}
RUN = MEASURED | {"pretrained", "parallel", "train", "eval", "exchange"}
# A room, and the rooms whose headers it may include besides its own; docs/architecture.md has it as a table.
MAY_INCLUDE = {
    "core": set(),
    "policy": {"core"},
    "text": {"core"},
    "dataset": {"core"},
    "device": {"core"},
    "model": {"core", "device"},
    "store": {"core"},
    "scenario": {"core", "policy", "text", "dataset"},
    "attacks": PLUGIN,
    "mitigations": PLUGIN,
    "remote": {"core", "policy"},
    "pretrained": {"core", "text", "model", "store"},
    "parallel": {"core"},
    "train": {"core", "policy", "text", "device", "model", "store", "parallel"},
    "eval": MEASURED,
    "exchange": {"core", "store", "eval"},
    "run": RUN,
    "study": {"core", "policy", "store", "eval", "run"},
    "report": {"core", "store", "eval", "study"},
    "cli": RUN | {"run", "study", "report"},
}
# Rooms that see files only: not even through other headers do they include more than the table says.
SEES_FILES_ONLY = ("report",)
# Tests of several rooms, and benches, that look into the private headers of a room.
LOOKS_INSIDE = {
    "bench/attention.cpp": {"model"},
    "bench/decoder.cpp": {"model"},
    "bench/gpu/count_gpu.cpp": {"device"},
    "bench/loading.cpp": {"pretrained"},
    "bench/models.hpp": {"run"},
    "bench/train_step.cpp": {"run"},
    "tests/golden/test_tokenizers.cpp": {"pretrained"},
    "tests/pretend/test_flash.cpp": {"model"},
    "tests/pretend/test_launch.cpp": {"device"},
    "tests/support/pretend_cuda.cpp": {"device"},
    "tests/pretend/test_slots.cpp": {"model"},
    "tests/pretend/test_steps.cpp": {"model"},
}
# Rooms whose headers may not drag in torch/*: everyone includes them.
LIGHT = {"core", "policy", "text", "dataset", "scenario", "store", "remote", "attacks", "mitigations"}
# Files outside `cli` that may print, with the reason.
MAY_PRINT = {"src/core/listener.cpp": "what hears a program that brings no listener of its own"}
PRINTS = re.compile(r"std::(cout|cerr|clog|print|println)\b|\bfmt::print|\bstd(out|err)\b|"
                    r"(?<!\w)(v?f?printf|f?puts|f?putchar|perror)\s*\(")
# The table of model families, and what may name one all the same: names of tokenizers.
FAMILIES = "src/model/families.cpp"
MAY_NAME_FAMILIES = ("src/text/", "include/seawall/text/", "src/pretrained/gguf_tokenizer.cpp")
# Rooms that are headers, and why a source of theirs is one all the same.
TEXTS, FILES, LIBRARY = "texts of errors", "reads or writes files, terminals or signals", "wraps a library"
ONCE, NUMBERS = "a table or an instantiation that is made once", "numbers and sizes that no policy changes"
BODIES = {
    "core": {"catalogue": TEXTS, "file": FILES, "hash": LIBRARY, "interval": LIBRARY, "invisible": NUMBERS, "json": LIBRARY, "listener": FILES,
             "loss_course": NUMBERS, "notices": FILES, "options": TEXTS, "picture": LIBRARY, "progress": FILES,
             "reasons": TEXTS, "rethrow": TEXTS, "suggest": TEXTS, "text": NUMBERS},
    "policy": {"catalogue": TEXTS, "context": TEXTS, "joined": TEXTS, "judge": TEXTS, "judge_policy": TEXTS, "needs": TEXTS, "phrases": FILES,
               "scenario": TEXTS},
    "train": {"adam_avx2": NUMBERS, "data_plan": NUMBERS, "handle": TEXTS, "memory": NUMBERS, "optimizer": NUMBERS, "precision": TEXTS,
              "ranks": LIBRARY, "row_losses": NUMBERS, "schedule": TEXTS, "session": NUMBERS, "session_adapter": NUMBERS,
              "session_backward": NUMBERS, "session_device": NUMBERS, "session_finite": TEXTS, "session_ranks": NUMBERS,
              "session_evaluate": TEXTS, "session_policies": TEXTS, "session_rows": NUMBERS, "signals": FILES, "still_model": TEXTS,
              "trainer": ONCE, "weight_edit": TEXTS},
    "attacks": {"catalogue": ONCE},
    "mitigations": {"catalogue": ONCE},
}
# Functions that users compose through types: templates, whole in their header.
TEMPLATES = {"include/seawall/train/trainer.hpp": r"TrainResult train\(", "include/seawall/run/run.hpp": r"RunData run\("}
# What only one room may touch.
OWNED = {
    "hdf5": ("store",),
    "boost/program_options": ("cli",),
    "sentencepiece": ("text", "scenario"),
    "openssl": ("core",),
    "curl/": ("remote",),
    "png.h": ("core",),
    "minizip/": ("exchange",),
    "flatbuffers/": ("exchange",),
    "jpeglib.h": ("core",),
    "zlib.h": ("dataset",),
}


def tracked(*patterns: str) -> list[pathlib.Path]:
    """Files of the tree, with those that will be committed next."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return sorted(ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file())


def ours() -> list[pathlib.Path]:
    return tracked("include/*.hpp", "src/*.?pp", "attacks/*.?pp", "mitigations/*.?pp")


def room(path: pathlib.Path) -> str:
    """The room of include/seawall/ROOM/x.hpp, src/ROOM/x.cpp and tests/ROOM/x.cpp; elsewhere the first folder."""
    parts = path.relative_to(ROOT).parts
    return {"include": parts[2:], "src": parts[1:], "tests": parts[1:]}.get(parts[0], parts)[0]


def room_of_include(name: str) -> str | None:
    """The room of "seawall/ROOM/x.hpp" (public), "ROOM/x.hpp" (private) or a plug-in; None for what is not ours."""
    parts = name.split("/")
    if parts[0] == "seawall" and len(parts) > 2:
        return parts[1]
    return parts[0] if parts[0] in MAY_INCLUDE or parts[0] in ("experiments", "tests", "bench") else None


def private(name: str) -> bool:
    return name.split("/")[0] in MAY_INCLUDE and (ROOT / "src" / name).is_file()


def includes(path: pathlib.Path) -> list[tuple[str, str]]:
    return INCLUDE.findall(path.read_text())


def broken_table(where: pathlib.Path, mine: str, bracket: str, name: str) -> list[str]:
    """What is wrong with one include of a room or plug-in, by the table."""
    top, other = where.parts[0], room_of_include(name)
    if bracket == '"' and other is None and top in ("include", "src"):
        return [f'{where}: "{name}" must be written as seawall/ROOM/... (public) or ROOM/... (private)']
    if other is None:
        return []
    broken = []
    if other != mine and other not in MAY_INCLUDE[mine]:
        broken.append(f"{where}: {mine} may not include {name} (it may: {', '.join(sorted(MAY_INCLUDE[mine]))})")
    another = top not in ("include", "src") and other == mine and where.stem != "catalogue"
    if another and pathlib.PurePath(name).stem != where.stem:
        broken.append(f"{where}: a plug-in may not include another one ({name})")
    return broken


def broken_private(where: pathlib.Path, mine: str, name: str) -> list[str]:
    """A private header is for its own room, the tests of that room, and the tests and benches that name it."""
    owner = name.split("/")[0]
    if where.parts[0] == "include":
        return [f"{where}: a public header includes {name}, which is private and not installed; move it to include/"]
    inside = where.parts[0] in ("src", "tests") and mine == owner
    if inside or owner in LOOKS_INSIDE.get(str(where), ()):
        return []
    return [f"{where}: {name} is private to {owner}; move it to include/seawall/{owner}/, or do without"]


def rule_includes() -> list[str]:
    """Who may include whom, what is private, what only one room may touch, and no torch/torch.h."""
    broken, used = [], set()
    for path in tracked("*.hpp", "*.cpp"):
        where, mine = path.relative_to(ROOT), room(path)
        top = where.parts[0]
        for bracket, name in includes(path):
            if name == "torch/torch.h":
                broken.append(f"{where}: includes torch/torch.h, 22 s per file; include the one header that is needed")
            if room_of_include(name) != mine:
                used.add(name)
            if private(name):
                broken += broken_private(where, mine, name)
            if top not in ("include", "src", "attacks", "mitigations"):
                continue
            broken += broken_table(where, mine, bracket, name)
            if mine in LIGHT and path.suffix == ".hpp" and name.startswith("torch/"):
                broken.append(f"{where}: a light header includes seawall/core/tensor.hpp or ATen/ops, not {name}")
            for library, owners in OWNED.items():
                if name.startswith(library) and mine not in owners:
                    broken.append(f"{where}: {name} is for {' and '.join(owners)} alone")
    return broken + needlessly_public(used) + indirect_includes() + page_differs()


def indirect_includes() -> list[str]:
    """Headers that a room which sees files only includes through other headers, and must not."""
    broken = []
    for path in [path for path in ours() if room(path) in SEES_FILES_ONLY]:
        seen: dict = {}
        closure(path, seen)
        mine = room(path)
        for other in sorted(seen):
            if room(other) != mine and room(other) not in MAY_INCLUDE[mine]:
                broken.append(f"{path.relative_to(ROOT)}: {mine} sees files only, and through other headers it includes "
                              f"{other.relative_to(ROOT)}")
    return broken


def include_table() -> str:
    """The table of who may include whom, in Markdown; rooms with the same rights share a line."""
    lines = {}
    for name, allowed in MAY_INCLUDE.items():
        rights = ", ".join(f"`{other}`" for other in MAY_INCLUDE if other in allowed) or "nothing"
        lines.setdefault(rights, []).append(f"`{name}`")
    return "\n".join(["| room | may include |", "|---|---|",
                      *(f"| {', '.join(names)} | {rights} |" for rights, names in lines.items())])


def page_differs(write: bool = False) -> list[str]:
    """Holds the table of docs/architecture.md against MAY_INCLUDE, or writes it there."""
    page = ROOT / "docs" / "architecture.md"
    if not page.exists():
        return ["docs/architecture.md: absent; want a page with the table of who may include whom"]
    text = page.read_text()
    found = TABLE.search(text)
    if found is None:
        return [f"docs/architecture.md: want the lines `{TABLE_BEGIN}` and `{TABLE_END}` around its table"]
    if write:
        page.write_text(text[:found.start(1)] + include_table() + "\n" + text[found.end(1):])
    elif found.group(1).strip() != include_table():
        return ["docs/architecture.md: its table is not the rule's; run tests/rules/rules.py includes --write-docs"]
    return []


def rule_prints() -> list[str]:
    """Only `cli` prints; the other rooms tell a listener (seawall/core/listener.hpp)."""
    broken = []
    for path in ours():
        where = str(path.relative_to(ROOT))
        if room(path) == "cli" or where in MAY_PRINT:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = COMMENT_OR_TEXT.sub('""', line)
            if found := PRINTS.search(code):
                broken.append(f"{where}:{number}: prints ({found.group(0).strip('( ')}); tell the listener, see "
                              "seawall/core/listener.hpp")
    return broken + [f"{where}: may print, and is not there" for where in MAY_PRINT if not (ROOT / where).is_file()]


def needlessly_public(used: set[str]) -> list[str]:
    """Public headers that only their own room and its tests include, and no public header that others include."""
    for text in tracked("README.md", "docs/*.md", "tests/consumer/*", "examples/*"):
        used |= {name for _, name in INCLUDE.findall(text.read_text())}
    headers = {str(path.relative_to(ROOT / "include")): path for path in tracked("include/*.hpp")}
    reached, todo = set(), [name for name in used if name in headers]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += [other for _, other in includes(headers[name]) if other in headers]
    return [f"include/{name}: only its own room includes it; move it to src/{name.removeprefix('seawall/')}"
            for name in sorted(headers.keys() - reached)]


def rule_catalogue() -> list[str]:
    """Every plug-in header is in its catalogue, explains itself, is short and has a test."""
    broken = []
    for folder, explain in (("attacks", "explain_attack"), ("mitigations", "explain")):
        catalogue = ROOT / folder / "catalogue.hpp"
        if not catalogue.exists():
            broken.append(f"{folder}/catalogue.hpp: absent")
            continue
        table = catalogue.read_text()
        for path in tracked(f"{folder}/*.hpp"):
            if path == catalogue:
                continue
            where = path.relative_to(ROOT)
            text, name = path.read_text(), "".join(word.capitalize() for word in path.stem.split("_"))
            if f'"{where}"' not in table:
                broken.append(f"{where}: not included by {folder}/catalogue.hpp")
            if not re.search(rf"TypeList<[^;]*\b{name}\b", table):
                broken.append(f"{where}: {name} has no line in the TypeList of {folder}/catalogue.hpp")
            if not re.search(rf"static_assert\((seawall::)?{explain}<(seawall::)?{name}>\(\)\);", text):
                broken.append(f"{where}: want `static_assert(seawall::{explain}<{name}>());` at its end")
            if not any(list((ROOT / "tests" / room).glob(f"*{path.stem}*.cpp")) for room in (folder, "golden")):
                broken.append(f"{where}: want its test, tests/{folder}/test_{path.stem}.cpp or tests/golden/test_{path.stem}.cpp")
    return broken


def rule_families() -> list[str]:
    """No source names a model family but the table of them; `llama`, the first, is also a word for other things."""
    table = ROOT / FAMILIES
    types = re.findall(r'\.type = "(\w+)"', table.read_text())[1:] if table.is_file() else []
    if not types:
        return [f"{FAMILIES}: want the table of families, with `.type = \"NAME\"` in each row"]
    named = re.compile(rf"(?<![A-Za-z0-9])({'|'.join(types)})(?![A-Za-z0-9])", re.I)
    broken = []
    for path in tracked("src/*.?pp", "include/*.?pp"):
        where = str(path.relative_to(ROOT))
        if where == FAMILIES or where.startswith(MAY_NAME_FAMILIES):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            code = COMMENT_OR_TEXT.sub(lambda found: "" if found[0].startswith("//") else found[0], line)
            if found := named.search(code):
                broken.append(f"{where}:{number}: names the family {found[1]}; read a fact of {FAMILIES} instead")
    return broken


def rule_studies() -> list[str]:
    """The rooms `study` and `report` name no attack, mitigation, table or cell: a table describes itself."""
    policies, cells = set(), set()
    for path in tracked("attacks/*.hpp", "mitigations/*.hpp"):
        policies |= set(re.findall(r'(?<!\.)\bname\s*=\s*"([^"]+)"', path.read_text()))
    for path in tracked("experiments/*.hpp"):
        cells |= set(re.findall(r'\.(?:name|cell|before|hidden) = "([^"]+)"|\badd\("([^"]+)"', path.read_text()))
    words = policies | {word for pair in cells for word in pair if word}
    if not policies or not cells:
        return ["want policies in attacks/ and mitigations/, and tables in experiments/"]
    # A word that is English as well counts if it is the whole text; one with a hyphen or digit also within a text.
    coined = re.compile("(?<![A-Za-z0-9-])(" + "|".join(map(re.escape, sorted(w for w in words if re.search(r"[-\d]", w))))
                        + ")(?![A-Za-z0-9-])")
    broken = []
    for path in tracked("src/study/*", "src/report/*", "include/seawall/study/*", "include/seawall/report/*"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            texts = [text[1:-1] for text in COMMENT_OR_TEXT.findall(line) if text.startswith('"')]
            for text in texts:
                found = text if text in words else (coined.search(text) or [None])[0]
                if found and not line.lstrip().startswith("#"):
                    broken.append(f"{path.relative_to(ROOT)}:{number}: names `{found}`; make it data of the table")
    return broken


def rule_sizes() -> list[str]:
    """Headers of at most 250 lines, sources of at most 400, lines of at most 100 characters."""
    broken = []
    for path in tracked("*.hpp", "*.cpp"):
        lines, limit = path.read_text().splitlines(), 250 if path.suffix == ".hpp" else 400
        where = path.relative_to(ROOT)
        if len(lines) > limit:
            broken.append(f"{where}: {len(lines)} lines, want at most {limit}; split it where there is a seam")
        broken += [f"{where}:{n}: {len(line)} characters, want at most 100"
                   for n, line in enumerate(lines, 1) if len(line) > 100 and "http" not in line]
    return broken


def rule_paths() -> list[str]:
    """No file names a place of one machine, or a package registry's host."""
    # Written in pieces, so that this file keeps its own rule.
    words = ["/" + "work/", "/" + "root/", "/" + "tmp/hub", "/" + "home/", "pypi" + ".org", "deb." + "debian.org",
             "files." + "pythonhosted"]
    broken = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" in data[:4096]:
            continue
        text = data.decode("utf-8", "replace")
        broken += [f"{path.relative_to(ROOT)}: holds {word}" for word in words if word in text]
    return broken


def types_of(path: pathlib.Path) -> list[str]:
    """Types that a file defines, with their namespaces; not those of unnamed ones, which are the file's own."""
    names, out = [], []
    for line in path.read_text().splitlines():
        if opened := re.match(r"(?:inline )?namespace ([\w:]*) ?\{$", line):
            names.append(opened[1])
        elif line.startswith("}  // namespace"):
            names.pop()
        elif (made := re.match(r"(?:struct|class|enum class) (\w+)(?: final)?(?: : .*)? \{", line)) and "" not in names:
            out.append("::".join([*names, made[1]]))
    return out


def rule_names() -> list[str]:
    """No two types of one name: their inline members would end each other's objects, and no linker says so."""
    places: dict = {}
    for path in ours():
        for name in types_of(path):
            places.setdefault(name, []).append(str(path.relative_to(ROOT)))
    return [f"{name}: defined in {' and '.join(files)}; rename one" for name, files in places.items() if len(files) > 1]


def shares() -> dict[str, float]:
    """Share of each header room's lines that are in headers."""
    out = {}
    for name in BODIES:
        lines = {".hpp": 0, ".cpp": 0}
        for path in ours():
            if room(path) == name:
                lines[path.suffix] += len(path.read_text().splitlines())
        out[name] = lines[".hpp"] / max(1, sum(lines.values()))
    return out


def rule_bodies() -> list[str]:
    """What researchers write against is headers: a source in a header room needs a reason, `train` and `run` are templates."""
    broken = []
    for path in tracked("src/*.cpp", "attacks/*.cpp", "mitigations/*.cpp"):
        where, mine = path.relative_to(ROOT), room(path)
        folder = where.parts[0] in ("attacks", "mitigations") and len(where.parts) > 2  # a plug-in with a body of its own
        if mine in BODIES and where.stem not in BODIES[mine] and not folder:
            broken.append(f"{where}: {mine} is headers; put it into one, or give the reason in BODIES (tests/rules/rules.py)")
    for name, function in TEMPLATES.items():
        path = ROOT / name
        if path.exists() and not re.search(r"^template <StackLike S[^>]*>+\n" + function + r"[^;]*?\) \{", path.read_text(), re.M):
            broken.append(f"{name}: want a template over the stack, defined here")
    print("lines in headers: " + ", ".join(f"{name} {share:.0%}" for name, share in shares().items()))
    return broken


def closure(path: pathlib.Path, seen: dict) -> None:
    if path not in seen:
        seen[path] = path.read_text()
        for _, name in INCLUDE.findall(seen[path]):
            for header in (ROOT / "include" / name, ROOT / "src" / name, ROOT / name):
                if header.is_file():
                    closure(header, seen)


def rule_headers(build: pathlib.Path, jobs: int) -> list[str]:
    """Every header has #pragma once and compiles alone.

    A header with a source of its name is the first include of that source, which lint compiles without a precompiled
    header; the others are compiled here, save those that parse more of libtorch than Tensor.h (3 s each; their users are
    linted). One that passed waits until it or what it includes changes.
    """
    broken, alone = [], []
    for path in [header for header in ours() if header.suffix == ".hpp"]:
        where = path.relative_to(ROOT)
        if "#pragma once" not in path.read_text():
            broken.append(f"{where}: no #pragma once")
        top = where.parts[0]
        name = str(path.relative_to(ROOT / top)) if top in ("include", "src") else str(where)
        source = (ROOT / "src" / name.removeprefix("seawall/") if top == "include" else path).with_suffix(".cpp")
        if source.exists():
            first = next(iter(includes(source)), ("", ""))[1]
            if first != name:
                broken.append(f"{source.relative_to(ROOT)}: want {name} as its first include, got {first}")
            continue
        seen: dict = {}
        closure(path, seen)
        heavy = {line for text in seen.values() for _, line in INCLUDE.findall(text) if re.match("ATen/|torch/|c10/", line)}
        if heavy <= {"ATen/core/Tensor.h"}:
            key = hashlib.sha256("\0".join(str(p) + seen[p] for p in sorted(seen)).encode()).hexdigest()
            alone.append((name, build / "tests" / "headers_alone" / key, bool(heavy)))

    folder = build / "tests" / "headers_alone"
    folder.mkdir(parents=True, exist_ok=True)
    compiler = [compile_commands.arguments(build, "pch_light.cpp")[0], *compile_commands.include_flags(build)]
    alone = [(name, stamp, heavy) for name, stamp, heavy in alone if not stamp.exists()]
    tensor = folder / "tensor.hpp"
    if any(heavy for _, _, heavy in alone) and not (folder / "tensor.hpp.gch").exists():
        tensor.write_text("#include <ATen/core/Tensor.h>\n")
        subprocess.run([*compiler, "-x", "c++-header", tensor, "-o", folder / "tensor.hpp.gch"], check=True)

    def check(item):
        name, stamp, heavy = item
        command = [*compiler, *(["-include", tensor] if heavy else []), "-fsyntax-only", "-x", "c++", "-"]
        done = subprocess.run(command, input=f'#include "{name}"\n', capture_output=True, text=True)
        if done.returncode == 0:
            stamp.touch()
            return None
        return f"{name}: does not compile alone: " + next((l for l in done.stderr.splitlines() if "error:" in l), "?")

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        broken += [line for line in pool.map(check, alone) if line]
    print(f"{len(alone)} headers compiled alone")
    return broken


def main() -> int:
    global ROOT
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rule", choices=["includes", "prints", "catalogue", "families", "studies", "bodies", "names", "sizes", "paths", "headers"])
    parser.add_argument("--build", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="another tree, for the rules' own tests")
    parser.add_argument("--write-docs", action="store_true", help="includes: write the table into docs/architecture.md")
    options = parser.parse_args()
    ROOT = options.root.resolve()
    if options.rule == "includes" and options.write_docs:
        broken = page_differs(write=True)
    elif options.rule == "headers":
        broken = rule_headers(options.build, options.jobs)
    else:
        broken = globals()["rule_" + options.rule]()
    print("\n".join(broken) if broken else f"rule {options.rule}: kept")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
