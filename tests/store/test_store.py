import gc
import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import weakref
from pathlib import Path
from time import sleep

import dask
import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr

import autowisp_xr as aw
from autowisp_xr import Flag, provenance, schema, simulate
from autowisp_xr.errors import BadImageError, SchemaError
from autowisp_xr.regions import ChannelSlice
from autowisp_xr.store import filling
from autowisp_xr.store.group import Group
from autowisp_xr.testing import assert_frames_equal, no_compute

TEXT = np.dtypes.StringDType()
FRAMES = 5


@pytest.fixture(scope="module")
def sky():
    return simulate.Night(shape=(20, 24), seed=7, overscan=8)


def anonymous(ds):
    """The same Dataset without a history: its identity is a digest of what it holds."""
    ds = ds.copy()
    ds.attrs.pop("history", None)
    return ds


def calibrated(n=3, channels=None, dtype="float32", shared=None):
    """Calibrated frames of 6 by 8 with a NaN, a NaT, and shared planes with or without frames."""
    camera = aw.Camera(channels=channels, gain=1.5, read_noise=8.0)
    slices = camera.channels or {schema.MONO: ChannelSlice()}
    shape = (n, len(slices), 6, 8)
    rng = np.random.default_rng(3)
    image = rng.normal(100, 10, shape).astype(dtype)
    mask = rng.integers(0, 128, shape).astype("u1")
    image[0, 0, 1, 2], mask[0, 0, 1, 2] = np.nan, Flag.FAULT
    variables = {
        "image": (schema.DIMS, image),
        "variance": (schema.DIMS, rng.uniform(1, 9, shape).astype(dtype)),
        "mask": (schema.DIMS, mask),
    }
    if shared is not None:
        dims = schema.DIMS if shared == "frame" else schema.DIMS[1:]
        size = shape if shared == "frame" else shape[1:]
        variables["shared_variance"] = (dims, rng.uniform(0, 1, size).astype(dtype))
        variables["shared_relative_variance"] = (
            schema.DIMS[1:],
            rng.uniform(0, 1, shape[1:]).astype(dtype),
        )
    times = np.datetime64("2024-03-01T21:00:00.123456789", "ns") + np.arange(n) * np.timedelta64(
        61, "s"
    )
    times[-1] = np.datetime64("NaT", "ns")
    coords = {
        **schema.place(slices, 6, 8, 4, 2),
        "frame": ("frame", np.array([f"night/öbj {k} {{%}}" for k in range(n)], dtype=TEXT)),
        "time": ("frame", times),
        "exposure": ("frame", np.linspace(0.1, 60, n), {"units": "s"}),
        "object": ("frame", np.array(["", "M 42", "é\n"][:n] + [""] * (n - 3), dtype=TEXT)),
        "temperature": ("frame", np.full(n, np.nan), {"units": "degC"}),
        "header": (
            "frame",
            np.array(
                [f"{'A       = 1':80}\n{'COMMENT ' + 'x' * k:80}" for k in range(n)], dtype=TEXT
            ),
        ),
    }
    attrs = {"camera": camera.to_json()}
    return schema.with_attributes(xr.Dataset(variables, coords, attrs), "adu")


def night_sets(sky):
    bayer = simulate.Night(shape=(20, 24), seed=7, channels="RGGB", overscan=8)
    raw = sky.objects(2)
    bias = aw.master_bias(sky.bias(3))
    dark = aw.master_dark(sky.dark(3), bias=bias)
    flat = aw.master_flat(sky.flat(3), bias=bias).high
    return {
        "raw, mono": raw,
        "raw, Bayer": bayer.objects(2),
        "raw, mosaic": bayer.objects(2, split=False),
        "calibrated": aw.calibrate(raw, bias=bias, dark=dark, flat=flat),
        "calibrated, Bayer": aw.calibrate(bayer.objects(2)),
        "calibrated, float64": aw.calibrate(raw, dtype="float64"),
        "scaled darks": aw.calibrate(
            sky.objects(2, exposure=[30.0, 45.0]), bias=bias, dark=dark, scale_dark="any"
        ),
        "made up": calibrated(),
        "made up, shared": calibrated(shared="all"),
        "made up, shared a frame": calibrated(shared="frame", dtype="float64"),
        "made up, Bayer": calibrated(channels="GBRG"),
        "master bias": bias,
        "master dark": dark,
        "master flat": flat,
        "stack": aw.stack(calibrated(shared="frame"), allow_mismatch="exposure"),
    }


NAMES = (
    "raw, mono",
    "raw, Bayer",
    "raw, mosaic",
    "calibrated",
    "calibrated, Bayer",
    "calibrated, float64",
    "scaled darks",
    "made up",
    "made up, shared",
    "made up, shared a frame",
    "made up, Bayer",
    "master bias",
    "master dark",
    "master flat",
    "stack",
)


@pytest.fixture(scope="module")
def sets(sky):
    found = night_sets(sky)
    assert tuple(found) == NAMES
    assert "frame" in found["scaled darks"]["shared_variance"].dims
    return found


# ---------------------------------------------------------------------------- there and back


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lazy", [False, True])
def test_what_is_written_comes_back_to_the_bit(sets, name, lazy, tmp_path):
    ds = sets[name]
    given = ds.chunk() if lazy else ds
    for back in (
        aw.to_zarr(given, tmp_path / "n.zarr", group="a/b"),
        aw.open_zarr(tmp_path / "n.zarr", group="a/b"),
        aw.open_zarr(str(tmp_path / "n.zarr"), group="/a/b/"),
    ):
        assert_frames_equal(back, ds)
        schema.check(back, master="frame" not in ds.dims)
        assert provenance.history(back) == provenance.history(ds)


@pytest.mark.parametrize("name", ["raw, mono", "made up, shared a frame", "master dark"])
def test_attributes_come_back_as_they_were(sets, name, tmp_path):
    ds = sets[name]
    back = aw.to_zarr(ds, tmp_path / "n.zarr")
    assert back.attrs == ds.attrs
    for variable in ds.variables:
        found, expected = back[variable].attrs, ds[variable].attrs
        assert set(found) == set(expected), variable
        for key in expected:
            np.testing.assert_array_equal(found[key], expected[key])


def test_variables_come_back_in_their_order(sets, tmp_path):
    ds = sets["master flat"]
    back = aw.to_zarr(ds, tmp_path / "n.zarr")
    assert list(back.data_vars) == list(ds.data_vars)


def test_strings_come_back_as_strings_and_times_to_the_nanosecond(tmp_path):
    ds = calibrated()
    back = aw.to_zarr(ds, tmp_path / "n.zarr")
    for name in ("frame", "object", "header", "channel"):
        assert back[name].dtype == TEXT, name
        assert back[name].values.tolist() == ds[name].values.tolist()
    assert back["time"].dtype == np.dtype("datetime64[ns]")
    assert np.isnat(back["time"].values[-1])
    assert back["time"].values[0] == np.datetime64("2024-03-01T21:00:00.123456789")


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_times_of_another_resolution_are_the_same_times(unit, tmp_path):
    ds = calibrated()
    ds = ds.assign_coords(time=ds["time"].astype(f"datetime64[{unit}]"))
    back = aw.to_zarr(ds, tmp_path / "n.zarr")
    np.testing.assert_array_equal(back["time"].values, ds["time"].values)


@pytest.mark.parametrize("kind", [object, "U8"])
def test_strings_of_any_kind_can_be_written(kind, tmp_path):
    ds = calibrated()
    ds = ds.assign_coords(object=("frame", np.array(["", "M 42", "é"], dtype=kind)))
    assert aw.to_zarr(ds, tmp_path / "n.zarr")["object"].values.tolist() == ["", "M 42", "é"]


def test_the_header_comes_back_card_for_card(tmp_path, sky):
    (path,) = aw.to_fits(sky.objects(1), tmp_path / "{RAWFNAME}.fits")
    raw = aw.open_fits(path)
    back = aw.to_zarr(raw, tmp_path / "n.zarr")
    cards = str(raw["header"].values[0]).split("\n")
    assert len(cards) > 20
    assert str(back["header"].values[0]).split("\n") == cards
    assert back["header"].values[0].endswith(cards[-1])  # blanks at the end are kept


@pytest.mark.parametrize("name", ["calibrated", "made up, shared a frame", "master dark"])
def test_planes_come_back_lazily_indexed_and_coordinates_in_memory(sets, name, tmp_path):
    back = aw.to_zarr(sets[name], tmp_path / "n.zarr")
    with no_compute():
        again = aw.open_zarr(tmp_path / "n.zarr")
    for ds in (back, again):
        for plane in ds.data_vars:
            assert not ds[plane].variable._in_memory, plane
            assert ds[plane].chunks is None, plane
        for coord in ds.coords:
            assert ds[coord].variable._in_memory, coord


@pytest.mark.parametrize("name", ["calibrated, Bayer", "master dark"])
def test_plain_xarray_reads_the_same(sets, name, tmp_path):
    aw.to_zarr(sets[name], tmp_path / "n.zarr")
    plain = xr.open_zarr(tmp_path / "n.zarr", chunks=None, consolidated=False)
    # texts are objects to xarray 2026.2
    texts = {name: filling.storable(coord.variable) for name, coord in plain.coords.items()}
    assert_frames_equal(plain.assign_coords(texts), sets[name])


def test_a_set_without_labels_can_be_written(tmp_path):
    ds = anonymous(calibrated())
    ds = ds.drop_vars(list(ds.coords))
    assert_frames_equal(aw.to_zarr(ds, tmp_path / "n.zarr"), ds)


def test_what_is_no_frame_set_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(SchemaError):
        aw.to_zarr(calibrated().transpose("y", "x", "frame", "channel"), tmp_path / "n.zarr")
    assert os.listdir(tmp_path) == []


def test_other_variables_go_along(tmp_path):
    ds = calibrated().assign(level=(("frame", "channel"), np.ones((3, 1))))
    assert_frames_equal(aw.to_zarr(ds, tmp_path / "n.zarr"), ds)


def test_the_input_is_untouched(tmp_path):
    ds = calibrated().chunk(frame=2)
    before, encoding = ds.copy(deep=True), {name: dict(ds[name].encoding) for name in ds.variables}
    aw.to_zarr(ds, tmp_path / "n.zarr")
    xr.testing.assert_identical(ds, before)
    assert {name: dict(ds[name].encoding) for name in ds.variables} == encoding


# ------------------------------------------------------------------------------- the tiling


def test_a_shard_is_a_frame_and_a_chunk_a_band_of_rows(tmp_path):
    n, rows, columns = 2, 300, 512
    ds = anonymous(sky_of(n, rows, columns))
    aw.to_zarr(ds, tmp_path / "n.zarr")
    group = zarr.open_group(tmp_path / "n.zarr", mode="r")
    # all planes in the same bands, the widest type of which is half a megabyte
    rows_of_a_band = 2**19 // (columns * 8)
    for name in ds.data_vars:
        array = group[name]
        assert array.chunks == (1, 1, rows_of_a_band, columns), name
        assert array.shards == (1, 1, 3 * rows_of_a_band, columns), name
        assert array.compressors, name
    assert group.metadata.zarr_format == 3


def sky_of(n, rows, columns):
    rng = np.random.default_rng(4)
    shape = (n, 1, rows, columns)
    planes = {
        "image": (schema.DIMS, rng.normal(100, 9, shape).astype("f4")),
        "variance": (schema.DIMS, rng.uniform(1, 2, shape).astype("f8")),
        "mask": (schema.DIMS, rng.integers(0, 9, shape).astype("u1")),
    }
    place = schema.place({schema.MONO: ChannelSlice()}, rows, columns)
    return schema.with_attributes(xr.Dataset(planes, place), "adu")


def test_all_channels_of_a_frame_are_in_one_shard(tmp_path):
    aw.to_zarr(calibrated(channels="RGGB"), tmp_path / "n.zarr")
    for name in ("image", "variance", "mask"):
        assert zarr.open_array(tmp_path / "n.zarr" / name).shards == (1, 4, 6, 8)
        assert len([p for p in (tmp_path / "n.zarr" / name / "c").rglob("*") if p.is_file()]) == 3


def test_large_frames_of_bands_that_do_not_divide_them_come_back(tmp_path):
    ds = sky_of(1, 701, 601)
    assert_frames_equal(aw.to_zarr(ds, tmp_path / "n.zarr"), ds)
    band = aw.open_zarr(tmp_path / "n.zarr").isel(y=slice(430, 450), x=slice(3, 9))
    assert_frames_equal(band.compute(), ds.isel(y=slice(430, 450), x=slice(3, 9)))


def test_a_mask_that_was_never_written_does_not_read_as_good(tmp_path):
    ds = calibrated()
    aw.to_zarr(ds, tmp_path / "n.zarr")
    array = zarr.open_array(tmp_path / "n.zarr" / "mask")
    assert array.fill_value == int(Flag.FAULT)
    assert "_FillValue" not in array.attrs
    shutil.rmtree(tmp_path / "n.zarr" / "mask" / "c" / "1")
    with pytest.raises(BadImageError, match=r"mask/c/1/0/0/0 of frame .* is lost"):
        aw.open_zarr(tmp_path / "n.zarr")["mask"].load()
    # other programs see the fill value
    assert (array[1] == int(Flag.FAULT)).all()


def test_a_mask_that_is_all_good_or_all_fault_is_written(tmp_path):
    for value in (0, int(Flag.FAULT)):
        # pixels that are NaN are flagged in any case
        ds = calibrated()
        ds = ds.assign(image=ds["image"].fillna(1.0), mask=xr.full_like(ds["mask"], value))
        back = aw.to_zarr(ds, tmp_path / f"{value}.zarr")
        assert (back["mask"].values == value).all()


# ------------------------------------------------------------------------ groups, and refusal


def test_other_groups_are_left_alone(sets, tmp_path):
    path = tmp_path / "n.zarr"
    first = aw.to_zarr(sets["calibrated"], path, group="calibrated/V").compute()
    aw.to_zarr(sets["master bias"], path, group="masters/bias")
    aw.to_zarr(sets["raw, mono"], path, group="raw")
    aw.to_zarr(sets["made up"], path, group="raw", overwrite=True)
    aw.to_zarr(sets["raw, Bayer"], path, group="calibrated/R")
    xr.testing.assert_identical(aw.open_zarr(path, group="calibrated/V").compute(), first)
    assert_frames_equal(aw.open_zarr(path, group="raw"), sets["made up"])
    assert_frames_equal(aw.open_zarr(path, group="masters/bias"), sets["master bias"])


@pytest.mark.parametrize("above", [None, "night"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_groups_below_are_left_alone_too(above, overwrite, tmp_path):
    below = "old" if above is None else f"{above}/old"
    first = aw.to_zarr(calibrated(), tmp_path / "n.zarr", group=below).compute()
    try:
        aw.to_zarr(calibrated(4), tmp_path / "n.zarr", group=above, overwrite=overwrite)
    except FileExistsError:
        assert not overwrite
    xr.testing.assert_identical(aw.open_zarr(tmp_path / "n.zarr", group=below).compute(), first)


def test_a_group_that_holds_something_else_is_refused_before_anything_is_computed(tmp_path):
    path = tmp_path / "n.zarr"
    aw.to_zarr(calibrated(), path, group="g")
    other = calibrated(4).chunk()
    with no_compute(), pytest.raises(FileExistsError, match=r"n\.zarr/g holds something else"):
        aw.to_zarr(other, path, group="g")
    assert_frames_equal(aw.open_zarr(path, group="g"), calibrated())
    assert_frames_equal(aw.to_zarr(other, path, group="g", overwrite=True), calibrated(4))
    assert_frames_equal(aw.open_zarr(path, group="g"), calibrated(4))


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_directory_of_other_things_is_not_touched(overwrite, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("do not lose")
    with pytest.raises(FileExistsError, match="home"):
        aw.to_zarr(calibrated(), home, overwrite=overwrite)
    assert (home / "thesis.tex").read_text() == "do not lose"


@pytest.mark.parametrize("group", [None, "g"])
def test_a_file_in_the_place_of_the_store_is_refused(group, tmp_path):
    path = tmp_path / "n.zarr"
    path.write_text("precious")
    with pytest.raises(FileExistsError, match=r"n\.zarr"):
        aw.to_zarr(calibrated(), path, group=group)
    assert path.read_text() == "precious"


def test_a_store_of_somebody_else_is_refused_and_stated_to_be_so(tmp_path):
    path = tmp_path / "n.zarr"
    xr.Dataset({"image": ("x", [1, 2])}).to_zarr(path, consolidated=False)
    with pytest.raises(BadImageError, match=r"n\.zarr was not written by to_zarr"):
        aw.open_zarr(path)
    with no_compute(), pytest.raises(FileExistsError, match=r"n\.zarr"):
        aw.to_zarr(calibrated().chunk(), path)
    assert_frames_equal(aw.to_zarr(calibrated(), path, overwrite=True), calibrated())


def test_an_array_in_the_place_of_a_group_is_refused(tmp_path):
    path = tmp_path / "n.zarr"
    aw.to_zarr(calibrated(), path)
    with pytest.raises(FileExistsError, match="image"):
        aw.to_zarr(calibrated(4), path, group="image")
    with pytest.raises(BadImageError, match="image"):
        aw.open_zarr(path, group="image")
    assert_frames_equal(aw.open_zarr(path), calibrated())


def test_a_missing_place_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.zarr"):
        aw.open_zarr(tmp_path / "nowhere.zarr")
    aw.to_zarr(calibrated(), tmp_path / "n.zarr", group="here")
    with pytest.raises(FileNotFoundError, match=r"n\.zarr/there"):
        aw.open_zarr(tmp_path / "n.zarr", group="there")


def test_a_directory_that_is_no_store_is_no_store(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("x")
    with pytest.raises((FileNotFoundError, BadImageError), match="home"):
        aw.open_zarr(tmp_path / "home")


# ------------------------------------------------------------------ the same Dataset, or not


@pytest.mark.parametrize("name", ["calibrated", "made up, shared", "master dark"])
def test_writing_the_same_again_computes_nothing(sets, name, tmp_path):
    lazy = sets[name].chunk()
    aw.to_zarr(lazy, tmp_path / "n.zarr", group="g")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "n.zarr").rglob("*")}
    with no_compute():
        again = aw.to_zarr(lazy, tmp_path / "n.zarr", group="g")
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "n.zarr").rglob("*")} == before
    assert_frames_equal(again, sets[name])


def test_a_night_opened_anew_is_still_the_same(tmp_path, sky):
    aw.to_fits(sky.objects(2), tmp_path / "{RAWFNAME}.fits")
    for _ in range(2):
        science = aw.calibrate(aw.open_fits(tmp_path / "*.fits", camera=sky.camera).chunk())
        back = aw.to_zarr(science, tmp_path / "n.zarr")
    with no_compute():
        aw.to_zarr(science, tmp_path / "n.zarr")
    assert_frames_equal(back, science.compute())


@pytest.mark.parametrize("name", ["calibrated", "master dark"])
def test_overwriting_with_the_same_is_no_error(sets, name, tmp_path):
    for _ in range(2):
        back = aw.to_zarr(sets[name], tmp_path / "n.zarr", group="g", overwrite=True)
        assert_frames_equal(back, sets[name])


def with_other_image(ds):
    return ds.assign(image=(ds["image"] * 2).assign_attrs(ds["image"].attrs))


def with_a_flag(ds):
    return ds.assign(mask=(ds["mask"] | np.uint8(2)).assign_attrs(ds["mask"].attrs))


CHANGES = {
    "image": with_other_image,
    "mask": with_a_flag,
    "exposure": lambda ds: ds.assign_coords(exposure=ds["exposure"] + 1),
    "time": lambda ds: ds.assign_coords(time=ds["time"] + np.timedelta64(1, "s")),
    "without the mask": lambda ds: ds.drop_vars("mask"),
    "type": lambda ds: ds.assign(
        image=ds["image"].astype("f8").assign_attrs(ds["image"].attrs),
        variance=ds["variance"].astype("f8").assign_attrs(ds["variance"].attrs),
    ),
    "rows": lambda ds: ds.isel(y=[0, 3, *range(5, ds.sizes["y"] + 0)]),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("lazy", [False, True])
def test_what_was_changed_by_hand_is_not_taken_for_what_is_stored(sets, change, lazy, tmp_path):
    ds = sets["calibrated"].isel(y=[0, 2, *range(5, 20)])
    other = CHANGES[change](sets["calibrated"] if change == "rows" else ds)
    other = other.chunk() if lazy else other
    aw.to_zarr(ds, tmp_path / "n.zarr")
    try:
        back = aw.to_zarr(other, tmp_path / "n.zarr")
    except FileExistsError:
        back = aw.to_zarr(other, tmp_path / "n.zarr", overwrite=True)
    assert_frames_equal(back, other)


def test_options_that_change_bits_change_what_is_stored(sky, tmp_path):
    raw = sky.objects(2)
    masks = np.zeros((1, 20, 24), "u1")
    masks[0, 3, 4] = Flag.HOT
    made = {
        "plain": aw.calibrate(raw),
        "masked": aw.calibrate(raw, masks=xr.DataArray(masks, dims=("channel", "y", "x"))),
        "float64": aw.calibrate(raw, dtype="float64"),
    }
    stacks = {
        "stack": aw.stack(made["plain"]),
        "stack in float64": aw.stack(made["plain"], dtype="float64"),
    }
    for kind in (made, stacks):
        identities = {name: provenance.fingerprint(ds) for name, ds in kind.items()}
        assert len(set(identities.values())) == len(identities), identities


# ------------------------------------------------------------------- a run that was killed


RUNS = [(1, "sync"), (3, "threads")]
"""After how many frames a run is killed, and the scheduler of dask."""

RUN = """
    import os, signal, sys
    import dask, numpy as np
    import autowisp_xr as aw
    from autowisp_xr import simulate

    def run(path, log, kill_after, scheduler):
        def count(block):
            with open(log, "a") as file:
                file.write("x")
            if kill_after and os.path.getsize(log) > kill_after:
                os.kill(os.getpid(), signal.SIGKILL)
            return block

        sky = simulate.Night(shape=(20, 24), seed=7, overscan=8)
        raw = sky.objects(5).chunk(frame=1)
        # dask names what a function does after the function; this one stands for the same in each
        data = raw["image"].data.map_blocks(
            count, name="counted", dtype="u2", meta=np.empty((0,) * 4, "u2")
        )
        raw["image"] = raw["image"].copy(data=data)
        dask.config.set(scheduler=scheduler)
        with dask.config.set(num_workers=2):
            aw.to_zarr(aw.calibrate(raw), path, group="g")

    # each in a process of its own, which is spared the imports
    for path, log, kill_after, scheduler in zip(*[iter(sys.argv[1:])] * 4):
        child = os.fork()
        if not child:
            run(path, log, int(kill_after), scheduler)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def run(*runs):
    """Exit status of each run, by its path, log, number of frames and scheduler."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(RUN), *(str(each) for one in runs for each in one)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    return [int(status) for status in done.stdout.split()]


@pytest.fixture(scope="module")
def killed_runs(tmp_path_factory):
    """Where each run that was killed has left what it had written."""
    folder = tmp_path_factory.mktemp("killed")
    paths = {each: folder / "{}_{}".format(*each) / "n.zarr" for each in RUNS}
    for path in paths.values():
        path.parent.mkdir()
    ends = run(*((path, path.with_name("log"), *each) for each, path in paths.items()))
    assert ends == [-9] * len(RUNS)
    return paths


@pytest.mark.parametrize(("killed", "scheduler"), RUNS)
def test_a_killed_run_is_taken_up_where_it_stopped(killed_runs, tmp_path, sky, killed, scheduler):
    path = killed_runs[killed, scheduler]
    marks = zarr.open_group(path, path="g", mode="r")["_state/written"][:]
    finished = int(marks.sum())
    assert 0 < finished < FRAMES or (killed == 1 and finished in (0, 1))
    with pytest.raises(BadImageError, match=rf"n\.zarr/g is unfinished: {finished} of 5 frames"):
        aw.open_zarr(path, group="g")
    fresh = aw.calibrate(sky.objects(FRAMES))
    if finished:
        part = aw.open_zarr(path, group="g", unfinished=True)
        assert_frames_equal(part, fresh.isel(frame=np.flatnonzero(marks)))
    # a kill between the writing of a file and its renaming leaves one of these
    half = (
        path / "g" / "image" / "c" / "4" / "0" / "0" / "0.30536886336146128b6caaab789cb76c.partial"
    )
    half.parent.mkdir(parents=True, exist_ok=True)
    half.write_bytes(b"half of it")
    logs = tmp_path / "log", tmp_path / "log again"
    for log in logs:
        log.touch()
    assert run(*((path, log, 0, scheduler) for log in logs)) == [0, 0]
    assert [log.stat().st_size for log in logs] == [FRAMES - finished, 0]
    back = aw.open_zarr(path, group="g")
    assert_frames_equal(back, fresh)
    assert "_state" not in zarr.open_group(path, path="g", mode="r")
    aw.to_zarr(fresh, tmp_path / "fresh.zarr", group="g")
    for name in ("image", "variance", "mask"):
        ours = path / "g" / name / "c"
        theirs = tmp_path / "fresh.zarr" / "g" / name / "c"
        files = sorted(p.relative_to(ours) for p in ours.rglob("*") if p.is_file())
        assert files == sorted(p.relative_to(theirs) for p in theirs.rglob("*") if p.is_file())
        assert all((ours / p).read_bytes() == (theirs / p).read_bytes() for p in files)


def dying(ds, after):
    """The same Dataset, whose computation raises after so many frames; and what was computed."""
    seen = []

    def count(block):
        if len(seen) >= after:
            raise RuntimeError("out of luck")
        seen.append(block.shape)
        return block

    lazy = ds.chunk(frame=1)
    image = lazy["image"].data
    data = da.map_blocks(count, image, name="dying", dtype=image.dtype, meta=np.empty(0))
    return lazy.assign(image=lazy["image"].copy(data=data)), seen


@pytest.fixture
def unfinished(sky, tmp_path):
    ds = aw.calibrate(sky.objects(4))
    lazy, _ = dying(ds, 2)
    with dask.config.set(scheduler="sync"), pytest.raises(RuntimeError, match="out of luck"):
        aw.to_zarr(lazy, tmp_path / "n.zarr", group="g")
    return ds, tmp_path / "n.zarr"


def test_an_error_on_the_way_leaves_a_store_that_can_be_completed(unfinished):
    ds, path = unfinished
    with pytest.raises(BadImageError, match=r"unfinished: 2 of 4 frames .* unfinished=True"):
        aw.open_zarr(path, group="g")
    assert aw.open_zarr(path, group="g", unfinished=True).sizes["frame"] == 2
    lazy, seen = dying(ds, 99)
    assert_frames_equal(aw.to_zarr(lazy, path, group="g"), ds)
    assert len(seen) == 2


def test_nothing_else_may_be_written_into_an_unfinished_place(unfinished, sky):
    ds, path = unfinished
    with no_compute(), pytest.raises(FileExistsError, match=r"n\.zarr/g"):
        aw.to_zarr(aw.calibrate(sky.objects(4, filter="R")).chunk(), path, group="g")
    assert aw.open_zarr(path, group="g", unfinished=True).sizes["frame"] == 2
    other = aw.calibrate(sky.objects(4, filter="R"))
    assert_frames_equal(aw.to_zarr(other, path, group="g", overwrite=True), other)
    assert ds.sizes["frame"] == 4


def test_overwriting_an_unfinished_place_with_the_same_completes_it(unfinished):
    ds, path = unfinished
    assert_frames_equal(aw.to_zarr(ds, path, group="g", overwrite=True), ds)


def test_an_unfinished_store_without_any_frame_gives_none_or_states_so(sky, tmp_path):
    lazy, _ = dying(aw.calibrate(sky.objects(2)), 0)
    with dask.config.set(scheduler="sync"), pytest.raises(RuntimeError, match="out of luck"):
        aw.to_zarr(lazy, tmp_path / "n.zarr")
    with pytest.raises(BadImageError, match="0 of 2"):
        aw.open_zarr(tmp_path / "n.zarr")
    assert aw.open_zarr(tmp_path / "n.zarr", unfinished=True).sizes["frame"] == 0


def test_a_master_whose_writing_was_interrupted_is_not_given_as_a_master(sets, tmp_path):
    lazy = sets["master dark"].chunk()

    def die(block):
        raise RuntimeError("out of luck")

    image = lazy["image"].data
    data = da.map_blocks(die, image, name="image", dtype="f4", meta=np.empty(0))
    broken = lazy.assign(image=lazy["image"].copy(data=data))
    repaired = da.map_blocks(np.copy, image, name="image", dtype="f4", meta=np.empty(0))
    lazy = lazy.assign(image=lazy["image"].copy(data=repaired))
    with pytest.raises(RuntimeError, match="out of luck"):
        aw.to_zarr(broken, tmp_path / "n.zarr", group="dark")
    for options in ({}, {"unfinished": True}):
        with pytest.raises(BadImageError, match="unfinished"):
            aw.open_zarr(tmp_path / "n.zarr", group="dark", **options)
    back = aw.to_zarr(lazy, tmp_path / "n.zarr", group="dark")
    assert_frames_equal(back, sets["master dark"])


# ------------------------------------------------------------- history, and life afterwards


def test_the_history_names_the_input_files_by_their_bytes(sky, tmp_path):
    import hashlib

    # without a history of ours, as a camera leaves them
    paths = aw.to_fits(anonymous(sky.objects(2)), tmp_path / "{RAWFNAME}.fits")
    raw = aw.open_fits(paths, camera=sky.camera)
    assert all("sha256" not in file for file in provenance.history(raw)[0]["inputs"])
    back = aw.to_zarr(aw.calibrate(raw), tmp_path / "n.zarr")
    steps = [step for step in json.loads(back.attrs["history"]) if "inputs" in step]
    assert [file["sha256"] for step in steps for file in step["inputs"]] == [
        hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths
    ]
    assert provenance.identity(back) == provenance.identity(aw.calibrate(raw))


def test_frames_are_computed_once_each(sky, tmp_path):
    lazy, seen = dying(sky.objects(4), 99)
    aw.to_zarr(aw.calibrate(lazy), tmp_path / "n.zarr")
    assert sorted(seen) == [(1, 1, 20, 32)] * 4


def test_a_reopened_night_can_be_processed_and_written_again(sets, tmp_path):
    for name in ("raw, mono", "raw, Bayer"):
        raw = aw.to_zarr(sets[name], tmp_path / f"{name}.zarr")
        once = aw.to_zarr(aw.calibrate(raw), tmp_path / f"{name}.zarr", group="calibrated")
        assert_frames_equal(once, aw.calibrate(sets[name]))
        cut = once.isel(frame=[1], y=slice(2, 9), x=slice(1, 8))
        assert_frames_equal(aw.to_zarr(cut, tmp_path / f"cut {name}.zarr"), cut.compute())
        copy = aw.to_zarr(once, tmp_path / f"copy {name}.zarr")
        assert_frames_equal(copy, once.compute())


def test_a_set_chunked_by_bands_can_be_written(sets, tmp_path):
    ds = sets["calibrated"]
    bands = ds.chunk(frame=-1, y=7, x=5)
    assert_frames_equal(aw.to_zarr(bands, tmp_path / "n.zarr"), ds)


@pytest.mark.parametrize("name", ["raw, mono", "calibrated", "calibrated, Bayer", "scaled darks"])
@pytest.mark.parametrize("average", ["median", "mean"])
def test_stacks_from_the_store_are_stacks_from_memory(sets, name, average, tmp_path):
    stored = aw.to_zarr(sets[name], tmp_path / "n.zarr")
    deep = aw.stack(stored, average, allow_mismatch="exposure")
    assert all(deep[plane].chunks is not None for plane in ("image", "variance"))
    expected = aw.stack(sets[name], average, allow_mismatch="exposure")
    assert_frames_equal(deep.compute(), expected)
    assert_frames_equal(aw.to_zarr(deep, tmp_path / "n.zarr", group="deep"), expected)


def test_masters_from_the_store_calibrate_to_the_bits_of_those_in_memory(sets, sky, tmp_path):
    kept = {
        kind: aw.to_zarr(sets[f"master {kind}"], tmp_path / "n.zarr", group=f"masters/{kind}")
        for kind in ("bias", "dark", "flat")
    }
    raw = sky.objects(2)
    assert_frames_equal(aw.calibrate(raw, **kept).compute(), sets["calibrated"])


def test_that_a_group_is_not_there_holds_nothing_of_those_who_asked(tmp_path):
    """No matter when the collector comes."""

    def ask():
        asking = np.zeros(3)
        assert not Group.at(tmp_path / "n.zarr", "masters/bias").state()
        return weakref.ref(asking)

    gc.disable()
    try:
        assert ask()() is None
    finally:
        gc.enable()


def test_nothing_is_written_on_once_an_error_has_been_raised(sets, tmp_path, monkeypatch):
    begun, ended, second = [], [], threading.Event()

    def write(arrays, planes, where=..., real=filling.Arrays.write):
        if "image" not in planes:
            real(arrays, planes, where)
            return
        begun.append(where.start)
        if where.start == 0:
            second.wait(10)
            raise OSError("the disk is full")
        second.set()
        sleep(0.1)
        real(arrays, planes, where)
        ended.append(where.start)

    monkeypatch.setattr(filling.Arrays, "write", write)
    with dask.config.set(num_workers=2), pytest.raises(OSError, match="full"):
        aw.to_zarr(sets["calibrated"].chunk(frame=1), tmp_path / "n.zarr")
    assert ended
    assert sorted(begun) == [0, *sorted(ended)]
