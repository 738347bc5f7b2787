#!/usr/bin/env python3
"""operators_test.py TORCH_ROOT FILE: of every operator in FILE, one a line, libtorch's own list says that CUDA has a kernel. The list
came with the wheel; of types it says nothing."""

import pathlib
import re
import sys


def entries(text):
    """Operators by name and overload, with what follows each."""
    for part in text.split("\n- func: ")[1:]:
        head, _, rest = part.partition("\n")
        yield head[:head.index("(")], rest


def runs_on_cuda(rest):
    if "structured_delegate:" in rest or "ufunc_inner_loop:" in rest or "autogen:" in rest and "dispatch:" not in rest:
        return True
    keys = re.search(r"^  dispatch:\n((?:    .*\n?)+)", rest, re.M)
    if keys is None:
        return True  # written in other operators
    return re.search(r"\bCUDA\b|\bComposite\w+", keys.group(1)) is not None


def main():
    root, listed = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    found = [path for up in (root, root.parent) for path in up.glob("torchgen/packaged/ATen/native/native_functions.yaml")]
    if not found:
        print(f"{root}: not a wheel's libtorch, it has no native_functions.yaml")
        return 77
    known = dict(entries(found[0].read_text()))
    names = [line.removeprefix("aten::") for line in listed.read_text().split()]
    ours = [name for name in names if name.startswith("seawall::")]
    without = [name for name in names if name in known and not runs_on_cuda(known[name])]
    # `x.out` of an operator that has none in the list is made from it.
    unknown = [name for name in names if name not in known and name not in ours and name.split(".")[0] not in
               {other.split(".")[0] for other in known}]
    print(f"{len(names)} operators, {len(ours)} of them ours; without CUDA: {without}; not in the list: {unknown}")
    return 1 if without or unknown or len(names) < 50 else 0


if __name__ == "__main__":
    sys.exit(main())
