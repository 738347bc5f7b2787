#!/usr/bin/env python3
"""Makes GGUF files of every tensor type that is read, and of the architectures, with what they hold.

    python3 data/golden/make_quants.py [--python FILE]      (after make_families.py)

quants.gguf has one tensor a type, of random bits with plain and with edge scales (0, -0, the smallest and the
largest half-precision numbers); quants.safetensors has what the gguf package dequantizes them to.
families/NAME/model.gguf hold the weights of their folders without loss, as llama.cpp's converter lays them out and
under the names of the gguf package: Llama's q and k with paired rotary rows and rope_freqs.weight, Gemma 2's norms with
1 added, the others as they are.
"""

import json
import math
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "peers"))

import peer_env  # noqa: E402

peer_env.ensure("hf", peer_env.HF)

import gguf  # noqa: E402
import numpy  # noqa: E402
import torch  # noqa: E402
from gguf import GGMLQuantizationType as Kind  # noqa: E402
from make_fixtures import add_sizes, interleaved  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

ROWS, COLUMNS = 5, 256
# Bytes at which a block has half-precision numbers.
HALVES = {
    Kind.Q8_0: [0], Kind.Q4_0: [0], Kind.Q4_1: [0, 2], Kind.Q5_0: [0], Kind.Q5_1: [0, 2],
    Kind.Q4_K: [0, 2], Kind.Q5_K: [0, 2], Kind.Q6_K: [208],
}  # fmt: skip
EDGES = [0.0, -0.0, 2.0**-24, -(2.0**-24), 2.0**-14, 65504.0, -65504.0]


def random_blocks(kind, generator):
    """Random bits, except that every half-precision number is finite; one row in turn has edge scales."""
    size, width = gguf.GGML_QUANT_SIZES[kind]
    blocks = generator.integers(0, 256, (ROWS, COLUMNS // size, width), dtype=numpy.uint8)
    for at in HALVES[kind]:
        halves = generator.standard_normal((ROWS, COLUMNS // size)).astype(numpy.float16)
        halves[0] = generator.choice(numpy.array(EDGES, numpy.float16), COLUMNS // size)
        halves[1] = numpy.resize(numpy.array(EDGES, numpy.float16), COLUMNS // size)
        halves[2] = 65504.0
        blocks[:, :, at : at + 2] = halves.reshape(ROWS, -1, 1).view(numpy.uint8)
    return blocks.reshape(ROWS, -1)


def make_quants():
    generator = numpy.random.default_rng(3)
    plain = generator.standard_normal((ROWS, COLUMNS)).astype(numpy.float32)
    plain[0, : len(EDGES)] = EDGES
    plain[1, :4] = [1e-40, -3e38, 1e-45, 1.0]  # denormal and large float32 numbers
    packed = {Kind.F32: plain, Kind.F16: numpy.clip(plain, -6e4, 6e4).astype(numpy.float16)}
    packed[Kind.BF16] = gguf.quants.quantize(plain, Kind.BF16)
    packed |= {kind: random_blocks(kind, generator) for kind in HALVES}
    writer = gguf.GGUFWriter(HERE / "quants.gguf", "llama")
    for kind, value in packed.items():
        writer.add_tensor(kind.name, value, raw_dtype=kind)
    close(writer)
    values = {}
    for tensor in gguf.GGUFReader(HERE / "quants.gguf").tensors:
        value = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
        assert numpy.isfinite(value).all(), tensor.name
        values[tensor.name] = torch.from_numpy(value.reshape(ROWS, COLUMNS).copy())
    save_file(values, HERE / "quants.safetensors")
    print({name: float(value.abs().max()) for name, value in values.items()})


def close(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def llama3_divisors(rope, head_dim):
    """What llama.cpp's converter writes as rope_freqs.weight: a divisor for each frequency."""
    divisors = []
    for i in range(0, head_dim, 2):
        wave = 2 * math.pi * rope["rope_theta"] ** (i / head_dim)
        low, high = rope["low_freq_factor"], rope["high_freq_factor"]
        kept = (rope["original_max_position_embeddings"] / wave - low) / (high - low)
        kept = min(1.0, max(0.0, kept))
        divisors.append(1 / ((1 - kept) / rope["factor"] + kept))
    return numpy.array(divisors, numpy.float32)


def make_model(name):
    folder = HERE / "families" / name
    config = json.loads((folder / "config.json").read_text())
    architecture = config["model_type"]
    rope = config.get("rope_parameters") or config["rope_scaling"] | {"rope_theta": config["rope_theta"]}
    head_dim = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    writer = gguf.GGUFWriter(folder / "model.gguf", architecture)
    add_sizes(writer, config)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    if architecture in ("phi3", "gemma2"):
        writer.add_sliding_window(config["sliding_window"])
    if architecture == "gemma2":
        writer.add_attn_logit_softcapping(config["attn_logit_softcapping"])
        writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    names = gguf.get_tensor_name_map(
        next(key for key, value in gguf.MODEL_ARCH_NAMES.items() if value == architecture), config["num_hidden_layers"]
    )
    if rope["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_divisors(rope, head_dim))
    for shard in sorted(folder.glob("model*.safetensors")):
        for key, tensor in load_file(shard).items():
            value = tensor.float().numpy()
            if architecture == "llama" and ".q_proj." in key:
                value = interleaved(value, config["num_attention_heads"])
            if architecture == "llama" and ".k_proj." in key:
                value = interleaved(value, config["num_key_value_heads"])
            kind = Kind.BF16 if tensor.dtype == torch.bfloat16 and value.ndim == 2 else Kind.F32
            if architecture == "gemma2" and value.ndim == 1:
                value = value + 1
            short = names.get_name(key, (".weight", ".bias"))
            writer.add_tensor(short, gguf.quants.quantize(numpy.ascontiguousarray(value), kind), raw_dtype=kind)
    close(writer)
    print(folder / "model.gguf", (folder / "model.gguf").stat().st_size)


if __name__ == "__main__":
    make_quants()
    for each in ("llama3", "qwen2", "qwen3", "phi3", "gemma2"):
        make_model(each)
