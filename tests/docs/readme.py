#!/usr/bin/env python3
"""Runs the README's code blocks in order, in one empty folder, and compares what it says they print.

An HTML comment on the line before a block says what it is:
  <!-- test: run -->        sh or python; must exit 0. `seawall` is on the PATH, python is the one with h5py and xarray,
                            `tests` is there as in a clone
  <!-- test: output -->     what the run before it printed: each line in this order; `...` stands for anything
  <!-- test: file PATH -->  written to PATH in the folder, for the blocks that follow
  <!-- test: skip WHY -->   not run here
Every sh, python and cpp block needs one, so that none can rot unseen.
"""

import argparse
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
