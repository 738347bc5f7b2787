#!/usr/bin/env python3
"""Runs clang-tidy on the sources of the library and the plug-ins, several at a time.

A file that passed is not checked again until it, a header of ours that it includes, or .clang-tidy changes: the hash of
those is kept in the cache folder. Parsing libtorch takes seconds a file, so there is a time budget; files that do not fit
in it are named and left to the next run, files changed last come first.
"""

import argparse
import concurrent.futures
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.M)


def passed_folder() -> pathlib.Path:
    base = os.environ.get("SEAWALL_CACHE")
    if not base:
        base = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "seawall")
    folder = pathlib.Path(base) / "tidy"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def closure(path: pathlib.Path, seen: dict) -> None:
    """Adds `path` and every header of ours that it includes to `seen`."""
    if path in seen:
        return
    seen[path] = path.read_bytes()
    for name in INCLUDE.findall(seen[path]):
        for base in (ROOT / "include", ROOT, path.parent):
            header = (base / name.decode()).resolve()
            if header.is_file() and header.is_relative_to(ROOT):
                closure(header, seen)
                break


def key(path: pathlib.Path, version: bytes) -> str:
    seen: dict = {}
    closure(path, seen)
    digest = hashlib.sha256(version + (ROOT / ".clang-tidy").read_bytes())
    for name in sorted(seen):
        digest.update(str(name.relative_to(ROOT)).encode() + b"\0" + seen[name] + b"\0")
    return digest.hexdigest()


def sources() -> list[pathlib.Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--", "include/*.cpp", "attacks/*.cpp", "mitigations/*.cpp", "experiments/*.cpp"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/tidy", help="folder with compile_commands.json")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("SEAWALL_LINT_SECONDS", "240")))
    options = parser.parse_args()

    started = time.monotonic()
    version = subprocess.run(["clang-tidy", "--version"], check=True, capture_output=True).stdout
    passed = passed_folder()
    todo = [(path, passed / key(path, version)) for path in sources()]
    known = sum(stamp.exists() for _, stamp in todo)
    todo = [(path, stamp) for path, stamp in todo if not stamp.exists()]
    todo.sort(key=lambda item: item[0].stat().st_mtime, reverse=True)

    def check(item):
        path, stamp = item
        if time.monotonic() - started > options.seconds:
            return path, None, ""
        # GCC's OpenMP is not clang's: its omp.h is another package, and nothing here needs it to be read.
        command = ["clang-tidy", "--quiet", "-p", options.build, "--extra-arg=-fno-openmp", str(path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode == 0:
            stamp.touch()
        return path, done.returncode == 0, done.stdout + ("" if done.stdout else done.stderr)

    failed, late = 0, []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for path, good, text in pool.map(check, todo):
            if good is None:
                late.append(path)
            elif not good:
                failed += 1
                print(f"lint: {path.relative_to(ROOT)}\n{text}", flush=True)
    if late:
        names = " ".join(str(path.relative_to(ROOT)) for path in late)
        print(f"lint: {len(late)} files did not fit into {options.seconds:.0f} s and wait for the next run: {names}")
    print(f"lint: {len(todo) - len(late)} files checked in {time.monotonic() - started:.0f} s, {known} known good, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
