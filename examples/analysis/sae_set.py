"""What a trainer of sparse autoencoders wants: the last layer's residual streams of `seawall extract --positions all` shards as one
(tokens, d_model) matrix without padding, next to each shard as NAME.sae.npz with the mask (probe, position), token ids and probes."""

import pathlib
import sys

import numpy as np
import xarray as xr

for path in sys.argv[1:]:
    acts = xr.open_dataset(path)
    if "resid_post" not in acts or "position" not in acts.resid_post.dims:
        sys.exit(f"{path}: no residual stream of every token; extract with --points resid_post --positions all")
    stream = acts.resid_post.isel(layer=-1).transpose("probe", "position", "d_model").values
    token = acts.attention_mask.values == 1
    mask = token & np.isfinite(stream).all(-1)
    probe = np.repeat(acts.probe.values.astype(str), mask.sum(1))
    np.savez(pathlib.Path(path).with_suffix(".sae.npz"), activations=stream[mask], mask=mask,
             input_ids=acts.input_ids.values[mask], probe=probe)
    print(f"{path}: layer {acts.layer.values[-1]}, {mask.sum()} tokens of {len(stream)} prompts, d_model {stream.shape[-1]}")
    print(f"  padding left out: {(~token).sum()}  tokens without a stream left out: {(token & ~mask).sum()}")
    norm = np.linalg.norm(stream[mask].astype(float), axis=-1)
    print(f"  norm: mean {norm.mean():.4f}, least {norm.min():.4f}, greatest {norm.max():.4f}" if mask.any() else "  no token")
