"""What every verb promises: the same bits in any chunks, lazy, input untouched, recorded."""

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import Overscan, SigmaClip, schema
from autowisp_xr.testing import assert_frames_equal, no_compute
from tests.steps.frames import frame_set

CHUNKS = [
    {"y": 2, "x": 3},
    {"frame": 2, "channel": 1, "y": 1},
    {"frame": (1, 2), "y": (1, 3, 1), "x": (2, 5)},
    {},
]
FEW = Overscan(min_pixels=3)
BENT = aw.Camera(linearity=[1e-5])


def lazy(ds, **chunks):
    """In dask chunks, the coordinates in memory as ``open_fits`` and ``open_zarr`` leave them."""
    return ds.chunk(chunks).assign_coords(ds.coords)


# name: what is done with raw frames, calibrated frames, and masters of the whole frame
VERBS = {
    "subtract_bias_level": lambda raw, frames, m: aw.subtract_bias_level(raw),
    "flag_saturated": lambda raw, frames, m: aw.flag_saturated(raw),
    "flag_cosmic_rays": lambda raw, frames, m: aw.flag_cosmic_rays(frames, sigclip=1, objlim=1),
    "flag_cold_pixels": lambda raw, frames, m: aw.flag_cold_pixels(frames, threshold=0.5),
    "apply_masks": lambda raw, frames, m: aw.apply_masks(frames, m["bias"]),
    "subtract_overscan": lambda raw, frames, m: aw.subtract_overscan(raw, FEW),
    "trim": lambda raw, frames, m: aw.trim(raw),
    "subtract_bias": lambda raw, frames, m: aw.subtract_bias(frames, m["bias"]),
    "linearise": lambda raw, frames, m: aw.linearise(frames, camera=BENT),
    "add_noise": lambda raw, frames, m: aw.add_noise(frames),
    "subtract_dark": lambda raw, frames, m: aw.subtract_dark(frames, m["dark"], scale_dark="any"),
    "divide_flat": lambda raw, frames, m: aw.divide_flat(frames, m["flat"]),
    "split_channels": lambda raw, frames, m: aw.split_channels(
        aw.merge_channels(raw), {"A": np.s_[0::1, 0::2], "B": np.s_[0::1, 1::2]}
    ),
    "merge_channels": lambda raw, frames, m: aw.merge_channels(frames),
    "calibrate": lambda raw, frames, m: aw.calibrate(
        raw,
        **{name: aw.trim(master, raw.autowisp.camera.image_area) for name, master in m.items()},
        masks=aw.trim(m["bias"], raw.autowisp.camera.image_area),
        overscan=FEW,
        scale_dark="any",
    ),
    "stack": lambda raw, frames, m: aw.stack(
        aw.divide_flat(aw.subtract_dark(frames, m["dark"], scale_dark="any"), m["flat"]),
        reject=SigmaClip(1.2, scale="mad"),
        allow_mismatch="exposure",
    ),
    "stack_of_raw": lambda raw, frames, m: aw.stack(raw, "mean"),
    "master_bias": lambda raw, frames, m: aw.master_bias(
        raw, overscan=FEW, allow_mismatch="image_type"
    ),
    "master_dark": lambda raw, frames, m: aw.master_dark(
        raw.drop_vars("exposure"),
        bias=aw.trim(m["bias"], raw.autowisp.camera.image_area),
        overscan=FEW,
        allow_mismatch="image_type",
    ),
    "master_flat": lambda raw, frames, m: (
        aw.master_flat(
            raw, bias=aw.trim(m["bias"], raw.autowisp.camera.image_area), overscan=FEW
        ).high
    ),
    "fill": lambda raw, frames, m: aw.fill(frames, "BAD", reach=2),
    "where_type": lambda raw, frames, m: aw.where_type(frames, "object"),
    "flagged": lambda raw, frames, m: aw.flagged(frames, "HOT,LEAKED").to_dataset(name="image"),
    "masked": lambda raw, frames, m: aw.masked(frames).to_dataset(name="image"),
}
each_verb = pytest.mark.parametrize("verb", VERBS)
_EXPECTED: dict[str, xr.Dataset] = {}


@pytest.fixture
def expected(verb, raw, frames, masters):
    """What a verb makes of frames and masters in memory, which are the same in all tests."""
    if verb not in _EXPECTED:
        _EXPECTED[verb] = VERBS[verb](raw, frames, masters)
    return _EXPECTED[verb]


@each_verb
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_chunks_change_no_bit(verb, chunks, raw, frames, masters, expected):
    result = VERBS[verb](raw.chunk(chunks), frames.chunk(chunks), masters)
    assert_frames_equal(result, expected)


@each_verb
def test_chunks_of_masters_change_no_bit(verb, raw, frames, masters, expected):
    chunked = {name: ds.chunk(channel=1, y=(4, 1), x=3) for name, ds in masters.items()}
    assert_frames_equal(VERBS[verb](raw, frames, chunked), expected)
    both = VERBS[verb](raw.chunk(frame=1), frames.chunk(frame=1), chunked)
    assert_frames_equal(both, expected)


@each_verb
def test_what_is_lazy_stays_lazy(verb, raw, frames, masters):
    with no_compute():
        chunked = {name: lazy(ds) for name, ds in masters.items()}
        result = VERBS[verb](lazy(raw, frame=1), lazy(frames, frame=1), chunked)
        assert all(result[name].chunks is not None for name in result.data_vars)
        assert all(result[name].variable._in_memory for name in result.coords)


def test_what_frames_share_each_for_itself_is_as_lazy_as_they_are(frames, masters):
    """One plane a frame: where exposures differ, as large as the cube."""
    result = aw.subtract_dark(lazy(frames, frame=1), masters["dark"], scale_dark="any")
    assert result["shared_variance"].sizes["frame"] == 3
    assert result["shared_variance"].chunks is not None


@each_verb
def test_what_is_in_memory_is_computed_at_once(verb, raw, frames, masters):
    with no_compute():
        result = VERBS[verb](raw, frames, masters)
    assert all(isinstance(result[name].variable._data, np.ndarray) for name in result.data_vars)


@each_verb
def test_what_is_lazily_indexed_is_not_loaded_and_gives_the_same_bits(
    verb, raw, frames, masters, expected, tmp_path
):
    stored = {}
    for name, ds in {"raw": raw, "frames": frames}.items():
        ds.to_zarr(tmp_path / name, consolidated=False)
        stored[name] = xr.open_zarr(tmp_path / name, chunks=None, consolidated=False)
        assert not stored[name]["image"].variable._in_memory
    with no_compute():
        result = VERBS[verb](stored["raw"], stored["frames"], masters)
        assert result["image"].chunks is not None or verb in ("where_type", "trim")
    assert_frames_equal(result.compute(), expected)


@each_verb
def test_the_input_is_untouched(verb, raw, frames, masters):
    given = {"raw": raw, "frames": frames, **masters}
    before = {name: ds.copy(deep=True) for name, ds in given.items()}
    result = VERBS[verb](raw, frames, masters)
    for name, variable in result.data_vars.items():
        if name in frames and variable._in_memory and verb not in ("where_type", "trim"):
            assert not np.shares_memory(variable.values, given["frames"][name].values)
    for name, ds in given.items():
        xr.testing.assert_identical(ds, before[name])
        assert ds.attrs == before[name].attrs


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"where_type", "flagged", "masked"}))
def test_the_step_is_recorded_and_the_steps_before_are_kept(verb, raw, frames, masters):
    raw = aw.trim(raw, {"xmin": 0, "xmax": 14, "ymin": 0, "ymax": 5})
    result = VERBS[verb](raw, frames, masters)
    schema.check(result, master="frame" not in result.dims)
    name = "stack" if verb.startswith(("master_", "stack")) else verb
    record = result.autowisp.history()[-1]
    assert record["verb"] == name
    assert set(record["versions"]) >= {"autowisp-xr", "numpy"}
    assert len(record["id"]) == 16


PIXEL_VERBS = (
    "flag_cosmic_rays flag_cold_pixels apply_masks subtract_bias linearise add_noise subtract_dark "
    "divide_flat merge_channels stack where_type"
)


@pytest.mark.parametrize("verb", PIXEL_VERBS.split())
def test_units_are_kept(verb, raw, frames, masters):
    masters = {
        name: ds if name == "flat" else schema.with_attributes(ds, "electron")
        for name, ds in masters.items()
    }
    result = VERBS[verb](raw, schema.with_attributes(frames, "electron"), masters)
    assert result["image"].attrs["units"] == "electron"
    assert result["variance"].attrs["units"] == "electron2"
    if "shared_variance" in result:
        assert result["shared_variance"].attrs["units"] == "electron2"


@pytest.mark.parametrize(
    "verb", ["subtract_bias_level", "flag_saturated", "subtract_overscan", "calibrate"]
)
def test_raw_frames_in_adu_become_frames_in_adu(verb, raw, frames, masters):
    result = VERBS[verb](raw, frames, masters)
    assert result["image"].attrs["units"] == "adu"
    assert result["variance"].attrs["units"] == "adu2"
    assert result["image"].dtype == result["variance"].dtype == np.float32
    assert result["mask"].dtype == np.uint8
    assert "flag_meanings" in result["mask"].attrs


@pytest.mark.filterwarnings("ignore:a stack of one frame:autowisp_xr.AutowispWarning")
@each_verb
def test_a_single_frame_goes_through(verb, raw, frames, masters, expected):
    result = VERBS[verb](raw.isel(frame=[1]), frames.isel(frame=[1]), masters)
    assert result.sizes["x"] in (5, 7, 14)
    if "frame" in result.dims:
        expected = expected.isel(frame=[1])
        # frames of one exposure share planes of the dark, which those of several have each
        of_dark = {"shared_variance", "photon_zero"}
        assert_frames_equal(result, expected, ignore=of_dark)
        for name in of_dark & set(result.data_vars):
            np.testing.assert_array_equal(
                np.broadcast_to(result[name], result["image"].shape),
                np.broadcast_to(expected[name], result["image"].shape),
            )


@pytest.mark.parametrize(
    "verb",
    # others look at pixels without a change of their values
    sorted(
        set(VERBS)
        - {"fill", "flagged", "where_type", "merge_channels", "split_channels"}
        - {"flag_cold_pixels", "flag_cosmic_rays"}
    ),
)
def test_a_pixel_that_is_nan_stays_nan_and_is_flagged(verb, raw, frames, masters):
    image = raw["image"].values.astype("f4")
    image[:, 1, 3, 3] = np.nan
    raw = raw.assign(image=(schema.DIMS, image, raw["image"].attrs))
    frames = frames.copy(deep=True)
    frames["image"][:, 1, 3, 3] = np.nan
    frames["mask"][:, 1, 3, 3] = 1
    result = VERBS[verb](raw, frames, masters)
    at = {"channel": "B", "y": 3, "x": 6}
    assert np.isnan(result["image"].sel(at)).all()
    if "mask" in result:
        assert (result["mask"].sel(at) & aw.Flag.FAULT).all()
    if "variance" in result:
        assert np.isnan(result["variance"].sel(at)).all()


@pytest.mark.parametrize("verb", ["calibrate", "stack", "divide_flat", "trim", "add_noise"])
def test_what_is_no_frame_set_is_refused_with_all_faults(verb, raw, frames, masters):
    wrong = raw.transpose("y", ...).assign(mask=raw["image"].astype("f4"))
    with pytest.raises(aw.SchemaError, match=r"(?s)'image' has the dims.*'mask' has the type"):
        VERBS[verb](wrong, wrong, masters)


def test_frames_of_one_chunk_in_a_list_are_cut_like_those_of_memory(raw):
    """The bands that ``stack`` chooses itself for lazily indexed frames give the same bits."""
    wide = frame_set(np.arange(3 * 40 * 3, dtype="u2").reshape(3, 1, 40, 3) * 7 % 1001)
    expected = aw.stack(wide, "mean", reject=SigmaClip(1.1))
    for rows in (1, 3, 39):
        assert_frames_equal(aw.stack(wide.chunk(y=rows), "mean", reject=SigmaClip(1.1)), expected)
