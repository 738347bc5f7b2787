#!/usr/bin/env python3
"""Runs the code blocks of README.md, CONTRIBUTING.md and docs/*.md, and compares what the pages say with what comes out.

An HTML comment on the line before a block says what it is:
  <!-- test: run -->        sh or python; must exit 0. `seawall` is on the PATH, python is the one with h5py and xarray,
                            `tests` and `examples` are there as in a clone
  <!-- test: output -->     what the run before it printed: each line in this order; `...` stands for anything
  <!-- test: file PATH -->  written to PATH in the folder, for the blocks that follow
  <!-- test: same PATH -->  these lines are in PATH of the repository, next to each other (a file that the build compiles)
  <!-- test: skip WHY -->   not run here
Every sh, python, cpp and cmake block needs one, so that none can rot unseen.

README's blocks run first, in an empty folder. Each other page starts from a copy of what they left, so that a page needs
no other page but the README. Links between files must lead to files. Tables of results, in whatever page, are held
against docs/results.csv; together they must have every row of it.
"""

import argparse
import concurrent.futures
import csv
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^(?:<!-- test: (\w+) ?(.*?) ?-->\n)?```(\w*)\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")  # to a file; an address has a colon
ELLIPSIS = re.compile(r"\.\.\.(?!\.)")  # of four dots, the last three: `model....` is `model.` and anything
TABLES = {"1": "table1", "2": "table2", "3": "table3", "4": "table4", "5": "table5", "weight": "drift"}
TABLE_HEAD = "| table | cell | rate % [95 %] | score | utility % | paper % |"


class Wrong(Exception):
    """What a page says does not hold."""


def mismatch(want: str, got: str) -> str:
    """"" if `got` holds the lines of `want` in order, trailing blanks aside."""
    lines = iter(line.rstrip() for line in got.splitlines())
    for line in want.splitlines():
        pattern = re.compile(r".*".join(re.escape(part) for part in ELLIPSIS.split(line.rstrip())))
        if line.strip() and not any(pattern.fullmatch(candidate) for candidate in lines):
            return f"want the line\n  {line}\nin order, got\n{got}"
    return ""


def result_rows(results: list[dict[str, str]]) -> dict[tuple[str, str], list[str]]:
    """What `seawall report` prints of each row of results.csv that a table may have: rate, score, utility."""

    def rounded(row, name, digits):
        return f"{float(row[name]):.{digits}f}" if row[name] else "–"

    rows = {}
    for row in results:
        if row["category"] or row["table"] not in TABLES.values():
            continue
        twice = sum(r["table"] == row["table"] and r["cell"] == row["cell"] for r in results) > 1
        cell = row["cell"] + (f" ({row['condition']})" if twice or row["condition"] != "plain" else "")
        rate = rounded(row, "rate", 1)
        if row["rate"]:
            rate += f" [{rounded(row, 'rate_lo', 1)}, {rounded(row, 'rate_hi', 1)}]"
        rows[row["table"], cell] = [rate, rounded(row, "score", 2), rounded(row, "utility", 1)]
    return rows


def check_tables(page: pathlib.Path, wanted: dict) -> set:
    """The rows of results that the page has; each must be what results.csv gives."""
    found, table, inside = set(), "", False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        inside = line == TABLE_HEAD or (inside and line.startswith("|"))
        if not inside or line == TABLE_HEAD or line.startswith("|---"):
            continue
        label, cell, *figures = [part.strip() for part in line.strip("|").split("|")]
        table = TABLES.get(label.split()[0], label) if label else table
        if wanted.get((table, cell)) != figures[:3]:
            raise Wrong(f"{page.name}:{number}: {line}: docs/results.csv gives {wanted.get((table, cell), 'no such row')}")
        found.add((table, cell))
    return found


def check_links(page: pathlib.Path) -> None:
    text = re.sub(r"```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    for target in LINK.findall(text):
        if not (page.parent / target).exists():
            raise Wrong(f"{page.name}: links to {target}, which is not there")


def prepare(folder: pathlib.Path, like: pathlib.Path | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if like:
        shutil.copytree(like, folder, symlinks=True)
        return
    folder.mkdir(parents=True)
    for name in ("tests", "examples"):
        (folder / name).symlink_to(ROOT / name)


def run_page(page: pathlib.Path, folder: pathlib.Path, python: pathlib.Path, env: dict[str, str]) -> tuple[int, list[str]]:
    """Runs the page's blocks in `folder`; returns how many ran, and what was skipped."""
    text, printed, ran, skipped = page.read_text(), "", 0, []
    for block in BLOCK.finditer(text):
        kind, word, language, body = block.groups()
        place = f"{page.name}:{text.count(chr(10), 0, block.start()) + 1}"
        if kind is None:
            if language in ("sh", "bash", "python", "cpp", "cmake"):
                raise Wrong(f"{place}: a {language} block without a `<!-- test: ... -->` line before it")
        elif kind == "skip":
            if not word:
                raise Wrong(f"{place}: skipped without a reason")
            skipped.append(f"{place}: skipped: {word}")
        elif kind == "file":
            target = folder / word
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(body)
        elif kind == "same":
            if not body.strip() or body not in (ROOT / word).read_text():
                raise Wrong(f"{place}: these lines are not in {word}")
        elif kind == "output":
            if difference := mismatch(body, printed):
                raise Wrong(f"{place}: the output differs: {difference}")
        elif kind == "run":
            command = [str(python), "-c", body] if language == "python" else ["bash", "-eu", "-o", "pipefail", "-c", body]
            done = subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            printed, ran = done.stdout, ran + 1
            if done.returncode != 0:
                raise Wrong(f"{place}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        else:
            raise Wrong(f"{place}: want run, output, file, same or skip, got {kind}")
    return ran, skipped


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--python", type=pathlib.Path, required=True, help="with numpy, h5py, h5netcdf and xarray")
    parser.add_argument("--only", default="", help="one page besides the README, e.g. hdf5.md")
    options = parser.parse_args()

    readme = ROOT / "README.md"
    pages = sorted([ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")], key=lambda page: page.name)
    if options.only:
        pages = [page for page in pages if page.name == options.only]
    work = options.build / "docs"
    shutil.rmtree(work, ignore_errors=True)
    env = dict(os.environ, PATH=f"{options.build}:{os.environ['PATH']}",
               CMAKE_PREFIX_PATH=str(options.build / "consumer" / "prefix"))

    def attempt(page: pathlib.Path, like: pathlib.Path | None) -> tuple[int, list[str]]:
        """How many blocks ran, and lines to print; -1 if one of them is wrong."""
        prepare(work / page.stem, like)
        try:
            return run_page(page, work / page.stem, options.python, env)
        except Wrong as wrong:
            return -1, [str(wrong)]

    try:
        with open(ROOT / "docs/results.csv", newline="") as file:
            wanted = result_rows(list(csv.DictReader(file)))
        found = set()
        for page in [readme, *pages]:
            check_links(page)
            found |= check_tables(page, wanted)
        if not options.only and wanted.keys() - found:
            raise Wrong(f"no page has the rows {sorted(wanted.keys() - found)} of docs/results.csv")
    except Wrong as wrong:
        print(wrong)
        return 1
    outcomes = {readme: attempt(readme, None)}
    if outcomes[readme][0] > 0:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            outcomes |= zip(pages, pool.map(lambda page: attempt(page, work / readme.stem), pages))
    for page, (ran, lines) in outcomes.items():
        print(f"{page.name}: {ran} blocks ran" if ran >= 0 else f"{page.name}: wrong", *lines, sep="\n  ")
    return 0 if outcomes[readme][0] > 0 and min(ran for ran, _ in outcomes.values()) >= 0 else 1


if __name__ == "__main__":
    sys.exit(main())
