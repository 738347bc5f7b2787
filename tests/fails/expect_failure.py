#!/usr/bin/env python3
"""Compiles a snippet that must not compile, and holds the compiler's error against the one it must give.

The snippet's first line is `// expect: REGEX`, searched in each error line, or `// expect: compiles` for a control.
"""

import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import compile_commands  # noqa: E402


def main(build: str, name: str) -> int:
    snippet = pathlib.Path(name)
    first = snippet.read_text().splitlines()[0]
    if not first.startswith("// expect: "):
        print(f"{snippet}: want `// expect: REGEX` as the first line, got `{first}`")
        return 1
    expected = first.removeprefix("// expect: ").strip()
    command = compile_commands.arguments(pathlib.Path(build), "flags_of_a_plugin.cpp")
    done = subprocess.run(
        [*command, "-fsyntax-only", "-fdiagnostics-color=never", str(snippet)], capture_output=True, text=True, cwd=build
    )
    errors = [line for line in done.stderr.splitlines() if "error:" in line]
    if expected == "compiles":
        if done.returncode != 0:
            print(f"{snippet}: want it to compile, got\n{done.stderr}")
        return int(done.returncode != 0)
    if done.returncode == 0:
        print(f"{snippet}: want the error /{expected}/, but it compiles")
        return 1
    if not any(re.search(expected, line) for line in errors):
        print(f"{snippet}: want an error line that matches /{expected}/, got\n" + "\n".join(errors))
        return 1
    print("as expected: " + next(line for line in errors if re.search(expected, line)))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
