#!/usr/bin/env python3
"""Makes tiny.gguf (Q4_1, Q8_0, F16 and F32 tensors) from llama_tiny_untied, and its values.

    python3 data/golden/make_fixtures.py [--python FILE]      (after make_llama_tiny.py)
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "peers"))

import peer_env  # noqa: E402

peer_env.ensure("hf", peer_env.HF)

import gguf  # noqa: E402
import numpy  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from gguf import GGMLQuantizationType as Kind  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
KINDS = {"token_embd": Kind.Q8_0, "output": Kind.F16, "attn_v": Kind.F16, "attn_output": Kind.F32}


def gguf_name(name):
    """`model.layers.0.mlp.up_proj.weight` as GGUF calls it."""
    short = {"model.embed_tokens.weight": "token_embd", "model.norm.weight": "output_norm", "lm_head.weight": "output"}
    if name in short:
        return short[name] + ".weight"
    _, _, layer, *middle, _ = name.split(".")
    return f"blk.{layer}.{NAMES['.'.join(middle)]}.weight"


def interleaved(weight, heads):
    """Rows of each head from the rotate-half order of Hugging Face to the interleaved one of GGUF."""
    rows, width = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width)


def add_sizes(writer, config):
    """What a GGUF says of the shape that config.json gives."""
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])


def main():
    source = HERE / "llama_tiny_untied"
    config = json.loads((source / "config.json").read_text())
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    vocabulary = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].get)
    special = {token["content"] for token in tokenizer["added_tokens"]}

    writer = gguf.GGUFWriter(HERE / "tiny.gguf", "llama")
    writer.add_name("seawall tiny")
    add_sizes(writer, config)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(vocabulary)
    writer.add_token_types([3 if token in special else 1 for token in vocabulary])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template((source / "chat_template.jinja").read_text())
    for name, tensor in load_file(source / "model.safetensors").items():
        short = gguf_name(name)
        value = tensor.numpy().astype(numpy.float32)
        for key, heads in (("attn_q", "num_attention_heads"), ("attn_k", "num_key_value_heads")):
            if key + "." in short:
                value = interleaved(value, config[heads])
        kind = Kind.F32 if value.ndim == 1 else KINDS.get(short.split(".")[-2], Kind.Q4_1)
        packed = gguf.quants.quantize(numpy.ascontiguousarray(value), kind)
        writer.add_tensor(short, packed, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    model = transformers.AutoModelForCausalLM.from_pretrained(str(HERE), gguf_file="tiny.gguf", dtype=torch.float32)
    model = peer_env.plain(model)
    row = json.loads((source / "golden.json").read_text())["rows"][0]["ids"]
    with torch.no_grad():
        logits = model(torch.tensor([row])).logits[0]
    values = {name: tensor.float().contiguous() for name, tensor in model.state_dict().items()}
    save_file(values | {"golden.row0.logits": logits.contiguous()}, HERE / "tiny_gguf.safetensors")
    kinds = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(HERE / "tiny.gguf").tensors}
    print(sorted(set(kinds.values())), len(values), "tensors")


if __name__ == "__main__":
    main()
