#!/usr/bin/env python3
"""Makes a tiny random CLIP vision model with a LLaVA projector, two pictures, and what comes out of them.

    python3 data/golden/make_clip_tiny.py [--python FILE]      (the interpreter needs Pillow as well)

The model's values are computed in float64 and stored as float32. Pictures are resized by Pillow and normalized as
transformers' CLIPImageProcessor says.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench" / "peers"))

import peer_env  # noqa: E402

peer_env.ensure("hf-pictures", [*peer_env.HF, "pillow==13.0.0"])

import numpy  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

SIDE, DECODER = 32, 24
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def encoder():
    config = transformers.CLIPVisionConfig(
        image_size=SIDE, patch_size=8, hidden_size=32, intermediate_size=48, num_hidden_layers=3,
        num_attention_heads=4, hidden_act="quick_gelu", layer_norm_eps=1e-5,
    )  # fmt: skip
    model = transformers.CLIPVisionModel(config).eval()
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for name, weight in model.named_parameters():  # lively, and nothing at its neutral value
            noise = torch.randn(weight.shape, generator=generator)
            norm = "norm" in name or "layrnorm" in name
            weight.copy_(1 + 0.2 * noise if norm and name.endswith("weight") else 0.25 * noise)
    return model


def picture(width, height, seed):
    """Smooth waves with some noise, so that resizing has something to get wrong."""
    random = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[:height, :width]
    waves = [127 + 90 * numpy.sin(x / (2.1 + c) + seed) * numpy.cos(y / (3.3 - c)) for c in range(3)]
    noisy = numpy.stack(waves, 2) + random.normal(0, 12, (height, width, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(numpy.uint8))


def preprocessed(image):
    """What CLIPImageProcessor does: shortest side to SIDE (bicubic), centre crop, scale, normalize."""
    w, h = image.size
    w, h = (SIDE, int(SIDE * h / w)) if w <= h else (int(SIDE * w / h), SIDE)
    image = image.resize((w, h), Image.Resampling.BICUBIC)
    top, left = (h - SIDE) // 2, (w - SIDE) // 2
    x = numpy.asarray(image)[top : top + SIDE, left : left + SIDE].astype(numpy.float64) / 255
    return torch.from_numpy(((x - MEAN) / STD).transpose(2, 0, 1))


def main():
    folder = HERE / "clip_tiny"
    model = encoder()
    model.save_pretrained(folder)
    generator = torch.Generator().manual_seed(5)
    random = lambda *shape: 0.3 * torch.randn(shape, generator=generator)  # noqa: E731
    projector = {
        "multi_modal_projector.linear_1.weight": random(DECODER, 32),
        "multi_modal_projector.linear_1.bias": random(DECODER),
        "multi_modal_projector.linear_2.weight": random(DECODER, DECODER),
        "multi_modal_projector.linear_2.bias": random(DECODER),
    }
    # transformers 5 leaves this prefix out; the files that are about have it.
    weights = {"vision_model." + name: value for name, value in load_file(folder / "model.safetensors").items()}
    save_file({**weights, **projector}, folder / "model.safetensors", {"format": "pt"})
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {"crop_size": SIDE, "do_center_crop": True, "do_normalize": True, "do_resize": True,
             "image_mean": MEAN, "image_std": STD, "resample": 3, "size": SIDE}, indent=2,
        ) + "\n"
    )  # fmt: skip

    picture(45, 37, 1).save(folder / "wide.png")
    picture(40, 70, 2).save(folder / "tall.jpg", quality=90)
    pixels = torch.stack(
        [preprocessed(Image.open(folder / name).convert("RGB")) for name in ("wide.png", "tall.jpg")]
    )
    with torch.no_grad():
        out = model.double()(pixels, output_hidden_states=True)
        double = {name.rpartition("r.")[2]: value.double() for name, value in projector.items()}
        features = out.hidden_states[-2][:, 1:]
        inner = torch.nn.functional.gelu(features @ double["linear_1.weight"].T + double["linear_1.bias"])
        embeddings = inner @ double["linear_2.weight"].T + double["linear_2.bias"]
    golden = {
        "pixel_values": pixels,
        "hidden_0": out.hidden_states[0],
        "hidden_before_last": out.hidden_states[-2],
        "last_hidden_state": out.last_hidden_state,
        "pooler_output": out.pooler_output,
        "embeddings": embeddings,
    }
    save_file({name: value.float().contiguous() for name, value in golden.items()}, folder / "golden.safetensors")


if __name__ == "__main__":
    main()
