#!/usr/bin/env python3
"""Runs clang-tidy on the sources of the library, the plug-ins, the experiments and the examples, several at a time.

Parsing libtorch takes seconds, so sources are read joined in eights as the build joins them; every one of them is read. A
group that passed is not read again until one of its sources, a header of ours that it includes, or .clang-tidy changes: the
hash of those is kept in the cache folder. Groups changed last come first.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Folders whose sources are read, with every header that they include.
READ = ("src", "attacks", "mitigations", "experiments", "examples")
# Folders of which the format alone is held: the build of the tests takes warnings as errors, and cmake/ has precompiled headers.
FORMATTED_ONLY = ("tests", "bench", "cmake")
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
        for base in (ROOT / "include", ROOT / "src", ROOT, path.parent):
            header = (base / name.decode()).resolve()
            if header.is_file() and header.is_relative_to(ROOT):
                closure(header, seen)
                break


def key(paths: list[pathlib.Path], version: bytes) -> str:
    seen: dict = {}
    for path in paths:
        closure(path, seen)
    digest = hashlib.sha256(version + (ROOT / ".clang-tidy").read_bytes())
    for name in sorted(seen):
        digest.update(str(name.relative_to(ROOT)).encode() + b"\0" + seen[name] + b"\0")
    return digest.hexdigest()


def sources() -> set[pathlib.Path]:
    """The sources that are read. Stops where a tracked source or header would be read by nobody."""
    listed = subprocess.run(["git", "ls-files", "--", "*.cpp", "*.hpp"], cwd=ROOT, check=True, capture_output=True, text=True)
    tracked = {ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()}
    wanted = {path for path in tracked if path.suffix == ".cpp" and path.relative_to(ROOT).parts[0] in READ}
    seen: dict = {}
    for path in wanted:
        closure(path, seen)
    unread = [str(path.relative_to(ROOT)) for path in sorted(tracked - seen.keys())
              if path.relative_to(ROOT).parts[0] not in FORMATTED_ONLY]
    if unread:
        sys.exit("lint: read by nobody: " + " ".join(unread) + "; a source belongs into " + ", ".join(READ) +
                 ", a header is included by one of their sources")
    return wanted


def groups(build: pathlib.Path) -> dict[pathlib.Path, list[pathlib.Path]]:
    """What is compiled -> our sources in it: those that a joined file includes, or the file itself."""
    wanted, out = sources(), {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        unit = pathlib.Path(entry["file"])
        joined = [pathlib.Path(name.decode()) for name in INCLUDE.findall(unit.read_bytes())] if unit not in wanted else [unit]
        if found := [path for path in joined if path in wanted]:
            out[unit] = found
    left = wanted - {path for found in out.values() for path in found}
    if left:
        sys.exit("lint: in no target of " + str(build) + ": " + " ".join(str(path.relative_to(ROOT)) for path in sorted(left)))
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default="build/tidy", help="folder with compile_commands.json")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()

    started = time.monotonic()
    version = subprocess.run(["clang-tidy", "--version"], check=True, capture_output=True).stdout
    passed = passed_folder()
    todo = [(unit, paths, passed / key(paths, version)) for unit, paths in groups(options.build).items()]
    known = sum(len(paths) for _, paths, stamp in todo if stamp.exists())
    todo = [item for item in todo if not item[2].exists()]
    todo.sort(key=lambda item: max(path.stat().st_mtime for path in item[1]), reverse=True)

    def check(item):
        unit, paths, stamp = item
        # GCC's OpenMP is not clang's: its omp.h is another package, and nothing here needs it to be read.
        command = ["clang-tidy", "--quiet", "-p", options.build, "--extra-arg=-fno-openmp", str(unit)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode == 0:
            stamp.touch()
        return paths, done.returncode == 0, done.stdout + ("" if done.stdout else done.stderr)

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for paths, good, text in pool.map(check, todo):
            if not good:
                failed += 1
                names = " ".join(str(path.relative_to(ROOT)) for path in paths)
                print(f"lint: in {names}\n{text}", flush=True)
    read = sum(len(paths) for _, paths, _ in todo)
    print(f"lint: {read} files read in {time.monotonic() - started:.0f} s, {known} known good, {failed} groups failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
