"""What xarray itself does to frames: right, or a clear error at our next door.

Arithmetic is meant for one variable, as ``ds.assign(image=ds.image - 5)``: on a whole Dataset it is
done to flags and variances as well, which nothing shows afterwards.
"""

import copy
import pickle

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw

EACH = "each frame, to the bit"
"""What comes out is stacked to the same as what went in."""


def _through_netcdf(ds, folder):
    # it has no unsigned bytes
    ds.assign(mask=ds["mask"].astype("i2").drop_attrs()).to_netcdf(folder / "a.nc", engine="scipy")
    return xr.open_dataset(folder / "a.nc")


def _by_hour(ds, _):
    along = [name for name, coord in ds.coords.items() if "frame" in coord.dims and name != "time"]
    return ds.drop_vars(along).swap_dims(frame="time").resample(time="1h").mean()


OPERATIONS = {
    "concat": (
        lambda ds, _: xr.concat(
            [ds.isel(frame=[0, 1]), ds.isel(frame=[2])], "frame", data_vars="all"
        ),
        EACH,
    ),
    "concat of frames one by one": (
        lambda ds, _: xr.concat(
            [ds.isel(frame=number) for number in range(ds.sizes["frame"])],
            "frame",
            data_vars="all",
            coords="different",
            compat="equals",
        ),
        EACH,
    ),
    "concat of others": (
        lambda ds, _: xr.concat(
            [ds.isel(frame=[0]), ds.isel(frame=[1, 2]).drop_attrs()], "frame", data_vars="all"
        ),
        EACH,
    ),
    "concat, outer": (
        lambda ds, _: xr.concat(
            [ds.isel(frame=[0]), ds.isel(frame=[1, 2], y=slice(2, None))],
            "frame",
            join="outer",
            data_vars="all",
        ),
        "'mask' has the type float32, expected uint8",
    ),
    "concat along another": (
        lambda ds, _: xr.concat([ds, ds], "night", data_vars="all"),
        "has the dims",
    ),
    "merge": (lambda ds, _: xr.merge([ds.drop_vars("mask"), ds[["mask"]]]), EACH),
    "merge, outer": (
        lambda ds, _: xr.merge(
            [ds[["image"]].isel(y=slice(1, None)), ds.drop_vars("image").isel(y=slice(-1))],
            join="outer",
        ),
        "'mask' has the type float32",
    ),
    "groupby": (lambda ds, _: ds.groupby("exposure").mean(), "has the dims"),
    "groupby, each": (lambda ds, _: ds.groupby("exposure").map(lambda one: one), EACH),
    "coarsen": (lambda ds, _: ds.coarsen(y=2, x=2).mean(), "'mask' has the type float64"),
    "rolling": (lambda ds, _: ds.rolling(y=3).mean(), "'mask' has the type float"),
    "where": (lambda ds, _: ds.where(ds.image > 10), "'mask' has the type float32"),
    "where on one": (lambda ds, _: ds.assign(image=ds.image.where(ds.image > 0)), EACH),
    "fillna": (lambda ds, _: ds.fillna(0), EACH),
    "clip": (lambda ds, _: ds.assign(image=ds.image.clip(min=-1e9)), EACH),
    "arithmetic on one": (lambda ds, _: ds.assign(image=ds.image + 0), EACH),
    "a difference": (lambda ds, _: ds.astype("f4").diff("frame"), "'mask' has the type float32"),
    "resample": (_by_hour, "has the dims"),
    "isel of a list": (lambda ds, _: ds.isel(frame=[2, 0, 1]), EACH),
    "isel with gaps": (lambda ds, _: ds.isel(y=[0, 2, 5]), lambda made: made.isel(y=[0, 2, 5])),
    "isel by steps": (
        lambda ds, _: ds.isel(x=slice(1, None, 3)),
        lambda made: made.isel(x=slice(1, None, 3)),
    ),
    "isel of a number": (lambda ds, _: ds.isel(frame=0), "has the dims"),
    "sel of a list": (lambda ds, _: ds.sel(frame=ds.frame.values[[1, 0, 2]]), EACH),
    "sortby": (lambda ds, _: ds.sortby("frame", ascending=False), EACH),
    "transpose": (lambda ds, _: ds.transpose("y", "x", "frame", "channel"), "has the dims"),
    "rename": (lambda ds, _: ds.rename(image="flux"), "'image'"),
    "rename of a dim": (lambda ds, _: ds.rename(frame="night"), "has the dims"),
    "stack": (lambda ds, _: ds.stack(p=("y", "x")), "has the dims"),
    "stack and unstack": (lambda ds, _: ds.stack(p=("y", "x")).unstack("p"), EACH),
    "expand_dims": (lambda ds, _: ds.expand_dims("night"), "has the dims"),
    "squeeze": (lambda ds, _: ds.squeeze(), "has the dims"),
    "swap_dims": (lambda ds, _: ds.swap_dims(frame="time"), "has the dims"),
    "astype": (lambda ds, _: ds.astype("f8"), "'mask' has the type float64"),
    "interp": (lambda ds, _: ds.interp(y=ds.y + 0.5), "'mask' has the type float"),
    "shift": (lambda ds, _: ds.shift(y=1), "'mask' has the type float"),
    "pad": (lambda ds, _: ds.pad(y=1), "'mask' has the type float"),
    "reindex": (lambda ds, _: ds.reindex(y=np.arange(20.0)), "'mask' has the type float"),
    "mean": (lambda ds, _: ds.mean("frame"), "has the dims"),
    "netCDF 3": (_through_netcdf, "'mask' has the type int16.*astype"),
    "a dictionary": (
        lambda ds, _: xr.Dataset.from_dict(ds.to_dict()),
        "'mask' has the type int64.*astype",
    ),
    "pickle": (lambda ds, _: pickle.loads(pickle.dumps(ds)), EACH),
    "copy": (lambda ds, _: copy.deepcopy(ds), EACH),
    "chunk": (lambda ds, _: ds.chunk(frame=1, y=5), EACH),
    "map": (lambda ds, _: ds.map(lambda one: one, keep_attrs=True), EACH),
    "reset_index": (lambda ds, _: ds.reset_index("frame"), EACH),
}


@pytest.fixture(scope="module")
def frames():
    night = aw.simulate.Night(shape=(12, 16), seed=5, overscan=0)
    return aw.calibrate(night.objects(3), camera=night.camera).compute()


@pytest.fixture(scope="module")
def stacked(frames):
    return aw.stack(frames, "median")


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.filterwarnings("default")
def test_what_xarray_does_is_right_or_an_error_at_the_next_door(name, frames, stacked, tmp_path):
    operation, outcome = OPERATIONS[name]
    made = operation(frames, tmp_path)
    if isinstance(outcome, str) and outcome != EACH:
        with pytest.raises(aw.SchemaError, match=outcome):
            aw.stack(made, "median")
        return
    again = aw.stack(made, "median")
    wanted = outcome(stacked) if callable(outcome) else stacked
    for plane in ("image", "variance", "mask"):
        np.testing.assert_array_equal(again[plane].values, wanted[plane].values)
        assert again[plane].attrs.get("units") == wanted[plane].attrs.get("units")
