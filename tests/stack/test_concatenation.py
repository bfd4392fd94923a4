"""``concat``: frames of several sets in one, in an order that is their own."""

import json

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import ImageMismatchError, provenance
from autowisp_xr.testing import assert_frames_equal, no_compute
from tests.steps.frames import frame_set, text
from tests.steps.test_contracts import lazy
from tests.steps.test_noise_sources import BIASES, F8, FLATS, night

START = np.datetime64("2024-03-01T20:00", "ns")


def timed(ds, *minutes):
    times = START + np.array(minutes, "timedelta64[m]")
    return ds.assign_coords(time=("frame", times.astype("datetime64[ns]")))


@pytest.fixture
def nights():
    one = timed(night("a", bias=BIASES[0], flat=FLATS[0]), 0, 20)
    return one, timed(night("b", bias=BIASES[1], flat=FLATS[1], number=3, seed=2), 10, 30, 40)


def test_frames_come_in_the_order_of_their_times(nights):
    joined = aw.concat(nights)
    assert joined["frame"].values.tolist() == ["a0", "b0", "a1", "b1", "b2"]
    np.testing.assert_array_equal(joined["image"][3], nights[1]["image"][1])
    np.testing.assert_array_equal(joined["shared_variance"][2], nights[0]["shared_variance"])


@pytest.mark.parametrize("average", ["mean", "median"])
def test_any_order_makes_the_same_bits(nights, average):
    third = timed(night("c", bias=BIASES[0], flat=FLATS[0], seed=3), 5, 35)
    stacks = [
        aw.stack(aw.concat(order), average)
        for order in ([*nights, third], [third, *nights], [nights[1], third, nights[0]])
    ]
    for other in stacks[1:]:
        xr.testing.assert_identical(other.drop_attrs(), stacks[0].drop_attrs())
        assert provenance.identity(other) == provenance.identity(stacks[0])


def test_what_each_set_shares_averages_down_between_sets(nights):
    stack = aw.stack(aw.concat(nights), "mean", **F8)
    parts = [aw.stack(one, "mean", **F8) for one in nights]
    expected = 0.4**2 * parts[0]["variance"] + 0.6**2 * parts[1]["variance"]
    np.testing.assert_allclose(stack["variance"], expected, rtol=1e-6)


@pytest.mark.parametrize("average", ["mean", "median"])
def test_sets_of_the_same_masters_are_as_if_they_were_calibrated_together(average):
    raw = frame_set(np.random.default_rng(4).normal(100, 5, (5, 1, 2, 3))).assign(
        variance=lambda ds: ds["image"] * 0 + 20
    )

    def corrected(frames):
        return aw.divide_flat(aw.subtract_bias(frames, BIASES[0]), FLATS[0])

    joined = aw.concat([corrected(raw.isel(frame=[3, 1])), corrected(raw.isel(frame=[0, 2, 4]))])
    assert joined["shared_variance"].dims == ("channel", "y", "x")
    found, expected = aw.stack(joined, average), aw.stack(corrected(raw), average)
    assert_frames_equal(found, expected, rtol=1e-6)


def test_masters_without_a_history_are_distinguished_by_what_they_lend():
    bare = [bias.drop_attrs() for bias in BIASES]
    sets = [night(name, bias=bias) for name, bias in zip("abc", [*bare, bare[0]], strict=True)]
    assert "frame" not in aw.concat([sets[0], sets[2]])["shared_variance"].dims
    stack = aw.stack(aw.concat(sets[:2]), "mean", **F8)
    np.testing.assert_allclose(stack["shared_variance"], 0.25 * (3 + 5))


def test_what_one_set_does_not_have_is_unknown_there(nights):
    one = nights[0].assign_coords(
        airmass=("frame", [1.0, 1.1]), object=("frame", text("M42", "M42")), site="here"
    )
    two = night("c", seed=5).drop_vars("mask", errors="ignore")
    joined = aw.concat([one, two], allow_mismatch=())
    assert joined["airmass"].values[:2].tolist() == [1.0, 1.1]
    assert np.isnan(joined["airmass"].values[2:]).all()
    assert joined["object"].values.tolist() == ["M42", "M42", "", ""]
    assert joined["site"].values.tolist() == ["here", "here", "", ""]
    assert joined["shared_variance_from"].values[2:].tolist() == ["", ""]
    np.testing.assert_array_equal(joined["shared_variance"][2:], 0)


@pytest.mark.parametrize("chunks", [{"frame": 1}, {"y": 1}])
def test_lazy_sets_stay_lazy_and_make_the_same_bits(nights, chunks):
    expected = aw.stack(aw.concat(nights), "mean")
    with no_compute():
        joined = aw.concat([lazy(nights[0], **chunks), nights[1]])
        stack = aw.stack(joined, "mean")
    assert all(joined[name].chunks is not None for name in joined.data_vars)
    assert_frames_equal(stack.compute(), expected)


def test_stored_sets_are_read_when_their_pixels_are_asked_for(nights, tmp_path):
    stored = [aw.to_zarr(one, tmp_path / f"{i}.zarr") for i, one in enumerate(nights)]
    joined = aw.concat(stored)
    assert not any(joined[name].variable._in_memory for name in joined.data_vars)
    expected = aw.concat(nights)
    assert_frames_equal(joined, expected)
    assert_frames_equal(
        joined.isel(frame=[3, 0], y=1, x=slice(0, 2)),
        expected.isel(frame=[3, 0], y=1, x=slice(0, 2)),
    )
    assert_frames_equal(joined.isel(frame=2), expected.isel(frame=2))
    assert_frames_equal(aw.stack(joined, "mean").compute(), aw.stack(expected, "mean"))
    again = aw.to_zarr(joined, tmp_path / "joined.zarr")
    assert_frames_equal(again, expected)


def test_stacks_of_nights_are_frames_that_count_by_what_went_into_them(nights):
    stacks = [aw.stack(one.assign_coords(exposure=60.0), "mean", **F8) for one in nights]
    joined = aw.concat(stacks)
    assert joined.sizes["frame"] == 2
    deep = aw.stack(joined, "mean", weights=joined["combined"].values, **F8)
    whole = aw.stack(aw.concat(nights), "mean", **F8)
    assert (deep["count"].values == 5).all()
    assert int(deep["combined"]) == 5
    assert float(deep["total_exposure"]) == 300.0
    assert deep["time_start"].values == START - np.timedelta64(30, "s")
    np.testing.assert_allclose(deep["image"], whole["image"])
    np.testing.assert_allclose(deep["variance"], whole["variance"], rtol=1e-6)


def test_stacks_and_single_frames_go_together(nights):
    joined = aw.concat([aw.stack(nights[0], "mean"), nights[1].isel(frame=[0])])
    assert sorted(joined["count"].max(("channel", "y", "x")).values.tolist()) == [1, 2]
    assert int(aw.stack(joined, "mean")["combined"]) == 3


def test_frames_of_one_name_get_more_of_their_paths_or_their_set():
    one, two = night("a", bias=BIASES[0]), night("a", bias=BIASES[1], seed=2)
    names = [f"a{i}-{provenance.identity(one)[:8]}" for i in (0, 1)]
    assert set(names) < set(aw.concat([one, two])["frame"].values.tolist())
    paths = [
        ds.assign_coords(path=("frame", text(*(f"/{folder}/a{i}.fits" for i in (0, 1)))))
        for ds, folder in ((one, "mon"), (two, "tue"))
    ]
    assert sorted(aw.concat(paths)["frame"].values.tolist()) == [
        "mon/a0", "mon/a1", "tue/a0", "tue/a1",
    ]  # fmt: skip


def test_the_history_holds_those_of_all(nights):
    joined = aw.concat(nights)
    record = joined.autowisp.history()[-1]
    assert record["verb"] == "concat"
    described = {tuple(one["frames"]): one for one in record["sets"]}
    assert set(described) == {("a0", "a1"), ("b0", "b1", "b2")}
    masters = described["a0", "a1"]["history"][0]["masters"]
    assert masters == {"bias": provenance.identity(BIASES[0])}
    assert not provenance.identities(joined) & {provenance.identity(bias) for bias in BIASES}


def test_the_camera_is_what_all_agree_in(nights):
    one, two = (
        ds.assign_attrs(camera=aw.Camera(gain=gain, saturation=6e4).to_json())
        for ds, gain in zip(nights, (1.5, 1.6), strict=True)
    )
    camera = aw.concat([one, two]).autowisp.camera
    assert (camera.gain, camera.saturation) == (None, 6e4)
    raw = [ds[["image"]].assign_attrs(camera=ds.attrs["camera"]) for ds in (one, two)]
    with pytest.raises(ImageMismatchError, match=r"gain = 1.*calibrate each set on its own"):
        aw.concat(raw)


def changed(ds, **coords):
    return ds.assign_coords(coords)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            lambda ds: changed(ds, x=ds["x"] + 1),
            r"raw pixels 1 to 3.*raw pixels 0 to 2|raw pixels 0 to 2.*raw pixels 1 to 3",
        ),
        (lambda ds: ds.isel(y=[0]), "2 along 'y'.*1 along 'y'|1 along 'y'.*2 along 'y'"),
        (lambda ds: ds.drop_vars(["variance", "shared_variance"]), "kind raw|kind calibrated"),
        (
            lambda ds: ds.assign(image=ds["image"].assign_attrs(units="electron")),
            "unit adu|electron",
        ),
        (lambda ds: changed(ds, filter=("frame", text("R", "R", "R"))), "several filters"),
        (lambda ds: ds.assign(more=ds["image"]), "no variable 'more'"),
    ],
)
def test_what_does_not_go_together_is_refused(nights, other, message):
    one = changed(nights[0], filter=("frame", text("V", "V")))
    with pytest.raises(ImageMismatchError, match=message):
        aw.concat([one, other(nights[1])])


def test_a_level_that_is_left_in_some_frames_is_refused(nights):
    steps = [{"verb": "calibrate", "options": {"bias_level": 0.0}, "masters": {}, "id": "x"}]
    left = night("c").assign_attrs(history=json.dumps(steps))
    with pytest.raises(ImageMismatchError, match=r"not from the set of 'c0'; calibrate them alike"):
        aw.concat([left, *nights])
    steps[0]["options"]["bias_level"] = 100.0
    taken = left.assign_attrs(history=json.dumps(steps))
    assert aw.concat([taken, *nights]).sizes["frame"] == 7


def test_a_mismatch_may_be_allowed(nights):
    one = changed(nights[0], filter=("frame", text("V", "V")))
    two = changed(nights[1], filter=("frame", text("R", "R", "R")))
    assert aw.concat([one, two], allow_mismatch="filter").sizes["frame"] == 5


def test_a_frame_goes_in_once(nights):
    with pytest.raises(ImageMismatchError, match="'a1' is in two of the sets"):
        aw.concat([nights[0], nights[0].isel(frame=[1])])


def test_there_has_to_be_a_set():
    with pytest.raises(ValueError, match="no set of frames"):
        aw.concat([])


def test_noise_that_one_set_does_not_know_is_not_known(nights):
    step = {
        "verb": "calibrate",
        "options": {"noise": "unknown"},
        "masters": {"bias": "b"},
        "id": "x",
    }
    history = json.dumps([step])
    unknown = night("c").assign_attrs(history=history)
    assert provenance.noise_known(aw.concat(nights))
    assert not provenance.noise_known(aw.concat([unknown, *nights]))


def test_a_stack_beside_its_own_frames_is_refused(nights):
    frames = aw.concat(nights)
    whole, first = aw.stack(frames), aw.stack(frames.isel(frame=slice(3)))
    last = aw.stack(frames.isel(frame=slice(2, None)))
    for twice in ([whole, frames], [first, last], [frames.isel(frame=[0]), first]):
        with pytest.raises(ImageMismatchError, match=r"is in two of the sets .* its noise is one"):
            aw.concat(twice)
    apart = aw.concat([first, aw.stack(frames.isel(frame=slice(3, None)))])
    assert apart.sizes["frame"] == 2
