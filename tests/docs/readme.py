#!/usr/bin/env python3
"""Runs the README's code blocks in order, in one empty folder, and compares what it says they print.

An HTML comment on the line before a block says what it is:
  <!-- test: run -->        sh or python; must exit 0. `seawall` is on the PATH, python is the one with h5py and xarray,
                            `tests` is there as in a clone
  <!-- test: output -->     what the run before it printed: each line in this order; `...` stands for anything
  <!-- test: file PATH -->  written to PATH in the folder, for the blocks that follow
  <!-- test: skip WHY -->   not run here
Every sh, python and cpp block needs one, so that none can rot unseen.

The table of results is held against docs/results.csv, which the command that the README names wrote with it.
"""

import argparse
import csv
import os
import pathlib
import re
import shutil
import subprocess
import sys

BLOCK = re.compile(r"^(?:<!-- test: (\w+) ?(.*?) ?-->\n)?```(\w*)\n(.*?)^```$", re.M | re.S)

ELLIPSIS = re.compile(r"\.\.\.(?!\.)")  # of four dots, the last three: `model....` is `model.` and anything


def matches(want: str, got: str) -> bool:
    """True where `got` holds the lines of `want` in order, trailing blanks aside."""
    lines = iter(line.rstrip() for line in got.splitlines())
    for line in want.splitlines():
        pattern = re.compile(r".*".join(re.escape(part) for part in ELLIPSIS.split(line.rstrip())))
        if line.strip() and not any(pattern.fullmatch(candidate) for candidate in lines):
            print(f"want the line\n  {line}\nin order, got\n{got}")
            return False
    return True


TABLES = {"1": "table1", "2": "table2", "3": "table3", "4": "table4", "5": "table5", "weight": "drift"}


def results_differ(text: str, results: list[dict[str, str]]) -> list[str]:
    """Rows of the README's table that are not what the page prints for this results.csv."""

    def rounded(row, name, digits):
        return f"{float(row[name]):.{digits}f}" if row[name] else "–"

    wanted = {}
    for row in results:
        if row["category"] or row["table"] not in TABLES.values():
            continue
        twice = sum(r["table"] == row["table"] and r["cell"] == row["cell"] for r in results) > 1
        cell = row["cell"] + (f" ({row['condition']})" if twice or row["condition"] != "plain" else "")
        rate = rounded(row, "rate", 1)
        if row["rate"]:
            rate += f" [{rounded(row, 'rate_lo', 1)}, {rounded(row, 'rate_hi', 1)}]"
        wanted[row["table"], cell] = [rate, rounded(row, "score", 2), rounded(row, "utility", 1)]
    wrong, found, table = [], set(), ""
    lines = iter(text.splitlines())
    for line in lines:
        if line == "| table | cell | rate % [95 %] | score | utility % | paper % |":
            break
    next(lines, None)
    for line in lines:
        if not line.startswith("|"):
            break
        label, cell, *figures = [part.strip() for part in line.strip("|").split("|")]
        table = TABLES.get(label.split()[0], label) if label else table
        found.add((table, cell))
        if wanted.get((table, cell)) != figures[:3]:
            wrong.append(f"{line}: want {wanted.get((table, cell), 'no such row')}")
    return wrong + [f"no row for {table}, {cell}" for table, cell in wanted.keys() - found]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readme", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--python", type=pathlib.Path, required=True, help="with numpy, h5py, h5netcdf and xarray")
    options = parser.parse_args()

    folder = options.build / "docs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "tests").symlink_to(pathlib.Path(__file__).resolve().parents[1])
    env = dict(
        os.environ,
        PATH=f"{options.build}:{os.environ['PATH']}",
        CMAKE_PREFIX_PATH=str(options.build / "consumer" / "prefix"),
    )
    text, printed, ran = options.readme.read_text(), "", 0
    with open(options.readme.parent / "docs/results.csv", newline="") as file:
        wrong = results_differ(text, list(csv.DictReader(file)))
    if wrong:
        print(f"{options.readme.name}: rows of the table that docs/results.csv does not give:", *wrong, sep="\n")
        return 1
    for block in BLOCK.finditer(text):
        kind, word, language, body = block.groups()
        place = f"{options.readme.name}:{text.count(chr(10), 0, block.start()) + 1}"
        if kind is None:
            if language in ("sh", "bash", "python", "cpp"):
                print(f"{place}: a {language} block without a `<!-- test: ... -->` line before it")
                return 1
        elif kind == "skip":
            print(f"{place}: skipped: {word}")
        elif kind == "file":
            target = folder / word
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(body)
        elif kind == "output":
            if not matches(body, printed):
                print(f"{place}: the output differs")
                return 1
        elif kind == "run":
            command = ["bash", "-eu", "-o", "pipefail", "-c", body]
            if language == "python":
                command = [str(options.python), "-c", body]
            done = subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            printed, ran = done.stdout, ran + 1
            if done.returncode != 0:
                print(f"{place}: exit {done.returncode}\n{done.stdout}{done.stderr}")
                return 1
        else:
            print(f"{place}: want run, output, file or skip, got {kind}")
            return 1
    print(f"{ran} blocks ran")
    return 0 if ran else 1


if __name__ == "__main__":
    sys.exit(main())
