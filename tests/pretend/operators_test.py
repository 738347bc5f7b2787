#!/usr/bin/env python3
"""operators_test.py TORCH_ROOT FILE: for every line of FILE, an operator and the types of its tensors, what the wheel itself says of CUDA.

That there is a kernel: the list of operators that libtorch is generated from. Its types: the list that PyTorch's own tests go by
(OpInfo, dtypesIfCUDA), for cards since Ampere. Both are read as text; nothing of torch is imported, which wants CUDA's libraries.
"""

import ast
import pathlib
import re
import sys
import types

INPUTS = {"self", "other", "mat1", "mat2", "batch1", "batch2", "vec", "vec2", "tensor", "source", "src", "tensors", "query", "key",
          "value", "grad_out", "grad_output", "grads", "exp_avgs", "A", "input"}  # fmt: skip
TYPES = {"Float": "float32", "Double": "float64", "Half": "float16", "BFloat16": "bfloat16", "Long": "int64", "Int": "int32",
         "Short": "int16", "Char": "int8", "Byte": "uint8", "Bool": "bool"}  # fmt: skip
SAME = {"float": "float32", "double": "float64", "half": "float16", "long": "int64", "int": "int32", "short": "int16",
        "cfloat": "complex64", "cdouble": "complex128", "chalf": "complex32"}  # fmt: skip
OTHER_NAMES = {  # in the list of types
    "_flash_attention_backward": "_flash_attention_forward",
    "_index_put_impl_": "index_put",
    "_linalg_eigh": "linalg.eigh",
    "_softmax_backward_data": "softmax",
    "embedding_dense_backward": "embedding",
    "linalg_cholesky_ex": "linalg.cholesky_ex",
    "linalg_vector_norm": "linalg.vector_norm",
    "threshold_backward": "relu",
}


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


class Dtype(str):
    __slots__ = ()


class Torch(types.SimpleNamespace):
    """The types of torch by name."""

    dtype = Dtype

    def __getattr__(self, name):
        return Dtype(SAME.get(name, name))


def cuda_types(internal):
    """Name -> (types of the operator, of its backward pass) on CUDA, over all entries of the name."""
    words = {"torch": Torch(), "SM53OrLater": True, "SM80OrLater": True, "TEST_WITH_ROCM": False, "TEST_XPU": False}
    exec((internal / "common_dtype.py").read_text().replace("import torch", ""), words)
    defaults = {"UnaryUfuncInfo": "floating_types()", "ShapeFuncInfo": "floating_types()"}
    out = {}
    files = [internal / "common_methods_invocations.py", *sorted((internal / "opinfo" / "definitions").glob("*.py"))]
    for node in (node for file in files for node in ast.walk(ast.parse(file.read_text()))):
        kind = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
        if not kind.endswith("Info") or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        given = {word.arg: word.value for word in node.keywords}

        def read(*names):
            for name in names:
                if name in given and getattr(given[name], "value", given[name]) is not None:
                    return {str(t) for t in eval(compile(ast.Expression(given[name]), "types", "eval"), words)}
            return {str(t) for t in eval(defaults.get(kind, "()"), words)}

        try:
            found = (read("dtypesIfCUDA", "dtypes"),
                     read("backward_dtypesIfCUDA", "backward_dtypes", "dtypesIfCUDA", "dtypes"))  # fmt: skip
        except NameError:
            continue  # told by what this machine is
        for name in {node.args[0].value, getattr(given.get("aten_name"), "value", node.args[0].value)}:
            for mine, more in zip(out.setdefault(name, (set(), set())), found):
                mine |= more
    return out


def types_of(operator, known):
    """The types of an operator, or None if the list has it under no name."""
    name = operator.split(".")[0]
    backward = "_backward" in name
    base = OTHER_NAMES.get(name, name.removesuffix("_backward"))
    for guess in (base, base.strip("_"), f"nn.functional.{base.strip('_')}", f"torch.ops.aten.{base}"):
        if guess in known:
            return known[guess][backward]
    return None


def main():
    root, listed = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    found = [path for up in (root, root.parent) for path in up.glob("torchgen/packaged/ATen/native/native_functions.yaml")]
    if not found:
        print(f"{root}: not a wheel's libtorch, it has no native_functions.yaml")
        return 77
    known = dict(entries(found[0].read_text()))
    calls = [line.split() for line in listed.read_text().splitlines()]
    names = sorted({words[0].removeprefix("aten::") for words in calls})
    ours = [name for name in names if name.startswith("seawall::")]
    without = [name for name in names if name in known and not runs_on_cuda(known[name])]
    # `x.out` of an operator that has none in the list is made from it.
    unknown = [name for name in names if name not in known and name not in ours and name.split(".")[0] not in
               {other.split(".")[0] for other in known}]
    print(f"{len(names)} operators, {len(ours)} of them ours; without CUDA: {without}; not in the list: {unknown}")

    internal = next(path for up in (root, root / "torch") for path in up.glob("testing/_internal"))
    with_types = cuda_types(internal)
    checked, missing, silent = set(), set(), set()
    for operator, *arguments in calls:
        operator = operator.removeprefix("aten::")
        if operator in ours:
            continue
        may = types_of(operator, with_types)
        for name, kind in (argument.split("=") for argument in arguments):
            if name not in INPUTS:
                continue
            if may is None:
                silent.add(operator)
            elif TYPES[kind] in may:
                checked.add((operator, kind))
            else:
                missing.add(f"{operator} of {kind}")
    print(f"{len(checked)} pairs of operator and type that PyTorch's tests run on CUDA; that they do not: {sorted(missing)}; "
          f"operators that they do not list: {sorted(silent)}")  # fmt: skip
    return 1 if without or unknown or missing or len(names) < 50 or len(checked) < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
