"""Prints the folder of the torch that this Python would import, where it has the version wanted; else nothing."""

import importlib.metadata
import importlib.util
import sys

spec = importlib.util.find_spec("torch")
if spec is not None and spec.submodule_search_locations:
    if importlib.metadata.version("torch").split("+")[0] == sys.argv[1]:
        print(list(spec.submodule_search_locations)[0])
