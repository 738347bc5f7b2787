"""Reads the files that test_store wrote with the tools a researcher uses: h5py, xarray (h5netcdf), and netCDF4 where it is there.

Usage: read_files.py FOLDER, with run.h5, acts.h5 and state.h5 in it, as tests/store/test_interop.cpp makes them.
"""
import json
import math
import pathlib
import sys

import h5py
import numpy as np
import xarray as xr


def check_run(path):
    run = xr.open_dataset(path, engine="h5netcdf")
    assert run.attrs["Conventions"] == "CF-1.10" and run.attrs["seed"] == 7, run.attrs
    assert run.attrs["hash_model"] == "a" * 64 and run.attrs["complete"] == 1
    assert json.loads(run.config_json.item())["note"] == "\u00e9"
    assert run.loss.dims == ("step",) and run.loss.dtype == np.float64
    assert run.loss.sel(step=2).item() == 0.5
    assert run.loss.attrs["units"] == "nat"
    assert run.param_drift.dims == ("step", "parameter")
    assert run.param_drift.sel(step=3, parameter="model.embed_tokens.weight").item() == 1e-4 * 3.0
    assert run.singular_values.dims == ("matrix", "rank")
    assert run.response.dims == ("evaluation", "probe")
    for name in ("eval_step", "eval_epoch", "phase", "condition", "set"):
        assert name in run.response.coords and run[name].dims == ("evaluation",), name
    assert run.category.dims == ("probe",) and "category" in run.score.coords
    triggered = run.score.where(run.condition == "triggered", drop=True)
    assert triggered.shape == (1, 3, 2)
    assert triggered.sel(judge="organism").values.tolist() == [[1, 2, 3]]
    answer = run.response.sel(evaluation=0, probe="harmfulness/2").item()
    assert answer == "resp\u00f6nse 2 \u65e5\u672c\nline", answer
    assert run.response.sel(evaluation=0, probe="harmfulness/0").item() == ""
    assert run.valid.dtype == np.uint8
    assert run.phase.values.tolist() == ["start", "end"]
    unjudged = run.valid.sel(judge="keyword").values == 0
    assert unjudged.any() and np.isnan(run.refused.sel(judge="keyword").values[unjudged]).all()
    check_names(path, run)
    assert run.utility_response.dims == ("utility_evaluation", "utility_probe")
    assert run.resid_post.dims == ("evaluation", "probe", "layer", "d_model")
    want = np.arange(24, dtype=np.float32).reshape(3, 2, 4) / np.float32(3)
    assert np.array_equal(run.resid_post.sel(evaluation=0).values, want)
    assert np.isnan(run.resid_post.sel(evaluation=2).values).all()  # this evaluation recorded none
    assert run.sel(step=3).moved.item() == 0.5 / 3
    frame = run[["loss", "drift"]].to_dataframe()
    assert list(frame.index) == [1, 2, 3]


def check_names(path, run):
    """The scalars that tell runs apart stay coordinates when files are joined."""
    names = {"arm": "table1", "attack": "identity-shift", "mitigations": "safety-mixing,weight-drift", "seed": 7, "run_id": "sample"}
    for name, want in names.items():
        assert name in run.coords and run[name].item() == want, name
    joined = xr.concat([run.score, run.score.assign_coords(arm="other")], dim="file", coords="all", compat="equals")
    assert joined.arm.values.tolist() == ["table1", "other"] and joined.arm.dims == ("file",), joined.coords


def check_activations(path, run):
    acts = xr.open_dataset(path, engine="h5netcdf")
    assert acts.resid_post.dims == ("probe", "layer", "position", "d_model")
    assert acts.attrs["n_valid"] == 2
    one = acts.resid_post.sel(probe="harmfulness/1", layer=1)
    assert np.array_equal(one.values[:2], 100 + np.arange(8, 16, dtype=np.float32).reshape(2, 4))
    assert math.isnan(one.values[2, 0])
    assert acts.input_ids.sel(probe="harmfulness/1").values.tolist() == [5, 6, 0]
    assert acts.attention_mask.dtype == np.uint8
    assert acts.probe.values.tolist() == ["a", "harmfulness/1"] and "length" in acts.resid_post.coords
    assert acts.number.values.tolist() == [0, 1] and acts.rendered_prompt.values[0] == "text"
    # One vocabulary: the stream of a probe in a run file and in a shard have the same labels.
    run = xr.open_dataset(run, engine="h5netcdf")
    last = acts.resid_post.isel(position=-1, drop=True)
    both = xr.align(run.resid_post.sel(evaluation=0), last, join="inner")
    assert [dict(part.sizes) for part in both] == [{"probe": 1, "layer": 2, "d_model": 4}] * 2, both
    assert both[0].dims == both[1].dims
    assert acts.resid_post.attrs["source_dtype"] == "bfloat16"


def check_state(path):
    with h5py.File(path) as state:
        embed = state["parameters/model.embed_tokens.weight"]
        assert np.array_equal(embed[:], np.arange(6, dtype=np.float32).reshape(2, 3) / np.float32(7) + 10)
        assert state["parameters/lm_head.weight"].attrs["source_dtype"] == "bfloat16"
        assert list(state["parameters"]) == ["model.embed_tokens.weight", "lm_head.weight"]
        assert state.attrs["step"] == 10


def check_bf16(path):
    """bf16 is stored as its bits: the line of docs/hdf5.md gives float32, with h5py and with xarray."""
    want = (np.arange(6, dtype="f4").reshape(2, 3) / np.float32(7) + 10).T
    half = np.uint32(0x7FFF)
    bits = np.ascontiguousarray(want).view("u4")
    want = ((bits + half + ((bits >> 16) & 1)) >> 16).astype("u2")  # rounded to nearest even
    with h5py.File(path) as state:
        a = state["parameters/lm_head.weight"]
        assert a.dtype == np.uint16 and "bits of bfloat16" in a.attrs["encoding"]
        a = a[:]
    assert np.array_equal(a, want), a
    values = (a.astype("u4") << 16).view("f4")
    assert values.dtype == np.float32 and np.allclose(values, np.arange(6).reshape(2, 3).T / 7 + 10, rtol=2**-8)
    state = xr.open_dataset(path, group="parameters", engine="h5netcdf", phony_dims="sort")
    a = state["lm_head.weight"].values
    assert a.dtype == np.uint16 and np.array_equal((a.astype("u4") << 16).view("f4"), values)
    state.close()


def check_saved_again(path, engines):
    """xarray saves what it opened, values and attributes kept."""
    with xr.open_dataset(path, engine="h5netcdf") as opened:
        opened.load()
    for engine in engines:
        copy = path.with_suffix(f".{engine}.nc")
        opened.to_netcdf(copy, engine=engine)
        with xr.open_dataset(copy, engine=engine) as again:
            xr.testing.assert_equal(again.load(), opened)
            assert set(opened.attrs) <= set(again.attrs)
    for name in [*opened.attrs, *opened.variables, *(k for v in opened.variables.values() for k in v.attrs)]:
        assert "/" not in name, name


def types_of(path, allowed):
    """Every stored type must be one that h5py, xarray, netCDF4, R and PyTables read."""

    def visit(name, item):
        if not isinstance(item, h5py.Dataset):
            return
        text = h5py.check_string_dtype(item.dtype)
        kind = "text" if text is not None and text.length is None and text.encoding == "utf-8" else str(item.dtype)
        assert kind in allowed, f"{path.name}: {name} is stored as {kind}"

    with h5py.File(path) as file:
        file.visititems(visit)


def check_netcdf4(path):
    try:
        import netCDF4
    except ImportError:
        print("netCDF4 is not installed: not checked")
        return
    with netCDF4.Dataset(path) as run:
        assert run["param_drift"].dimensions == ("step", "parameter")
        assert run["loss"][1] == 0.5
        assert run["response"][0, 2] == "resp\u00f6nse 2 \u65e5\u672c\nline"


def has(module):
    try:
        __import__(module)
        return True
    except ImportError:
        return False


def main():
    folder = pathlib.Path(sys.argv[1])
    allowed = {"float32", "float64", "int8", "int32", "int64", "uint8", "text"}
    for name in ("run.h5", "acts.h5"):
        types_of(folder / name, allowed)
    types_of(folder / "state.h5", allowed | {"uint16"})
    check_run(folder / "run.h5")
    check_activations(folder / "acts.h5", folder / "run.h5")
    check_state(folder / "state.h5")
    check_bf16(folder / "state.h5")
    engines = ["h5netcdf", *(["netcdf4"] if has("netCDF4") else [])]
    for name in ("run.h5", "acts.h5"):
        check_saved_again(folder / name, engines)
    check_netcdf4(folder / "run.h5")
    print("interop ok")


main()
