"""Imports the libtorch wheel as PyTorch on a machine without CUDA: its 3 GB of CUDA libraries are replaced by empty ones.

The wheel's Python libraries link CUDA's, although no CPU code calls them. `environment` builds libraries with those names. They
define the symbols that the loader needs, but no function that could be called.
"""

import pathlib
import re
import subprocess
import sys

NEEDED = re.compile(r"\(NEEDED\).*\[(.+)\]")
VERSIONED = re.compile(r" UND (\w+)@(\S+) \(\d+\)$", re.M)
IMPORT = "import os, sys; sys.setdlopenflags(os.RTLD_LAZY | os.RTLD_GLOBAL); import torch\n"


def readelf(option: str, library: pathlib.Path) -> str:
    return subprocess.run(["readelf", "-W", option, library], check=True, capture_output=True, text=True).stdout


def stand_in(folder: pathlib.Path, name: str, symbols: dict[str, set[str]]) -> None:
    """A library `name` with these symbols, by version."""
    source, versions = folder / "symbols.c", folder / "versions.map"
    source.write_text("".join(f"char {symbol}[64];\n" for all in symbols.values() for symbol in sorted(all)) or "int nothing;\n")
    versions.write_text("".join(f"{version} {{ global: {'; '.join(sorted(all))}; }};\n" for version, all in symbols.items()))
    script = [f"-Wl,--version-script={versions}"] if symbols else []
    subprocess.run(["cc", "-shared", "-o", folder / name, f"-Wl,-soname,{name}", source, *script], check=True)


def environment(torch_root: pathlib.Path, folder: pathlib.Path) -> dict[str, str] | None:
    """What a Python needs in its environment to import the torch of `torch_root` after IMPORT; None if that is no wheel of this
    Python's version."""
    if not list(torch_root.glob(f"_C.cpython-{sys.version_info[0]}{sys.version_info[1]}-*.so")):
        return None
    own = {path.name for path in [*torch_root.glob("lib/*.so*"), *torch_root.parent.glob("nvidia/**/*.so*")]}
    needed, symbols = set(), {}
    for library in torch_root.glob("lib/*.so"):
        needed |= {name for name in NEEDED.findall(readelf("-d", library)) if name.startswith(("libcu", "libnv", "libnccl"))}
        file = ""
        of_version = {}  # which file a version of symbols belongs to
        for line in readelf("-V", library).splitlines():
            if found := re.search(r"File: (\S+)", line):
                file = found[1]
            elif found := re.search(r"Name: (\S+) ", line):
                of_version[found[1]] = file
        for symbol, version in VERSIONED.findall(readelf("--dyn-syms", library)):
            symbols.setdefault(of_version.get(version, ""), {}).setdefault(version, set()).add(symbol)
    for name in needed - own:
        stand_in(folder, name, symbols.get(name, {}))
    return {"LD_LIBRARY_PATH": str(folder), "PYTHONPATH": str(torch_root.parent)}
