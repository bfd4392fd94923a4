"""``stack``: frames that are brought to one level first, and sums."""

import importlib
import json

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr import Flag, Match, NoiseClip, Region, SigmaClip
from autowisp_xr.headers.cards import parse_header
from autowisp_xr.testing import assert_frames_equal, no_compute
from tests.stack.test_stacking import F8, column, one
from tests.steps.frames import frame_set, text
from tests.steps.test_contracts import lazy

LEVELS = np.array([10.0, 30.0, 5.0])


def ramp(levels=LEVELS, **options):
    """Frames of three pixels: 1, 2 and 3 times the level of each."""
    image = np.multiply.outer(levels, [1.0, 2.0, 3.0]).reshape(-1, 1, 1, 3)
    return frame_set(image, variance=np.full(image.shape, 4.0), **options)


def numbers(ds, name):
    return ds[name].values[:, 0].tolist()


def values(ds, name="image"):
    return ds[name].values.ravel()


# ---------------------------------------------------------------------- by hand


def test_numbers_multiply_and_are_taken_off_by_hand():
    found = aw.stack(ramp(), "mean", scale=[1, 2, 4], sky=[1.0, 2.0, 3.0], **F8)
    assert values(found) == pytest.approx([73 / 3, 163 / 3, 253 / 3])
    assert values(found, "variance") == pytest.approx((1 + 4 + 16) * 4 / 9)
    assert numbers(found, "frame_scale") == [1, 2, 4]
    assert numbers(found, "frame_sky") == [1, 2, 3]


@pytest.mark.parametrize("scale", ["median", "mean", "mode", "exposure"])
def test_what_is_measured_keeps_the_mean_level(scale):
    found = aw.stack(ramp(exposure=LEVELS), "mean", scale=scale, **F8)
    assert values(found) == pytest.approx([15, 30, 45])
    assert numbers(found, "frame_scale") == pytest.approx([1.5, 0.5, 3.0])
    assert values(found, "variance") == pytest.approx((2.25 + 0.25 + 9) * 4 / 9)


def test_a_sky_is_taken_off_down_to_the_mean_level():
    found = aw.stack(ramp(), "mean", sky="median", **F8)
    assert numbers(found, "frame_sky") == pytest.approx([-10, 30, -20])
    assert values(found) == pytest.approx([15, 30, 45])
    assert values(found, "variance") == pytest.approx(4 / 3)


def test_scaled_frames_have_a_scaled_sky():
    """Of 2 x the median 20, 60 and 10, 40 a mean of 80 / 3 * 2 is kept."""
    found = aw.stack(ramp(), "mean", scale=[2, 2, 2], sky="median", **F8)
    assert numbers(found, "frame_sky") == pytest.approx([-10, 30, -20])
    assert values(found) == pytest.approx([30, 60, 90])


def test_a_reference_gives_the_level():
    frames = ramp(exposure=LEVELS)
    for reference in ("object-2", 2, -1):
        found = aw.stack(frames, "mean", scale=Match("exposure", reference=reference), **F8)
        assert values(found) == pytest.approx([5, 10, 15])
        assert float(found["exposure"]) == 5
    found = aw.stack(frames, "mean", sky=Match("median", reference="object-2"), **F8)
    assert numbers(found, "frame_sky") == pytest.approx([10, 50, 0])


def test_a_region_is_where_levels_are_measured():
    frames = ramp()
    found = aw.stack(frames, "mean", scale=Match("mean", region="[2:3,1:1]"), **F8)
    assert numbers(found, "frame_scale") == pytest.approx([1.5, 0.5, 3.0])
    image = frames["image"].copy()
    image[1, 0, 0, 0] = 1e6
    region = Region(xmin=1, xmax=3, ymin=0, ymax=1)
    found = aw.stack(frames.assign(image=image), "mean", scale=Match("mean", region=region), **F8)
    assert numbers(found, "frame_scale") == pytest.approx([1.5, 0.5, 3.0])


def test_flagged_pixels_and_nan_are_not_measured():
    frames = ramp()
    image, mask = frames["image"].copy(), xr.zeros_like(frames["image"], np.uint8)
    image[1, 0, 0, 0], image[0, 0, 0, 2] = 1e6, np.nan
    mask[1, 0, 0, 0] = Flag.COSMIC
    found = aw.stack(frames.assign(image=image, mask=mask), "mean", scale="mean", **F8)
    # the mean of 10, 20 is 15, of 60, 90 it is 75, of 5, 10, 15 it is 10
    assert numbers(found, "frame_scale") == pytest.approx(100 / 3 / np.array([15, 75, 10]))


def test_keywords_and_coordinates_have_numbers_of_frames():
    headers = [f"TRANSP  = {number}\nSKYLEV  = {number + 1}" for number in (1.0, 2.0, 4.0)]
    frames = ramp().assign_coords(header=("frame", text(*headers)), mine=("frame", [1.0, 2, 4]))
    expected = aw.stack(ramp(), "mean", scale=[1, 2, 4], sky=[2, 3, 5], **F8)
    for scale in ("TRANSP", "mine"):
        found = aw.stack(frames, "mean", scale=scale, sky="SKYLEV", **F8)
        np.testing.assert_array_equal(found["image"], expected["image"])


def test_the_scale_of_each_channel_is_its_own(frames):
    found = aw.stack(frames, "mean", scale="median", sky="mode")
    assert found["frame_scale"].dims == ("stacked", "channel")
    given = found["frame_scale"].rename(stacked="frame"), found["frame_sky"].rename(stacked="frame")
    again = aw.stack(frames, "mean", scale=given[0], sky=given[1])
    np.testing.assert_array_equal(again["image"], found["image"])
    with pytest.raises(aw.ImageMismatchError, match="other labels along 'frame'"):
        aw.stack(frames, "mean", scale=given[0][::-1])


# ---------------------------------------------------------------------- the fit


def stars(seed=3, transparency=(1.0, 0.5, 0.8), sky=(100.0, 1000.0, 300.0)):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:200, :220]
    light = np.zeros((200, 220))
    for _ in range(60):
        at = rng.uniform(0, 200, 2)
        light += rng.pareto(1.5) * 500 * np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / 4.5)
    light = np.minimum(light, 20000)
    clean = np.array([t * light + s for t, s in zip(transparency, sky, strict=True)])
    return rng.normal(clean, np.sqrt(clean + 25.0)).astype("f4"), light


def test_a_fit_finds_transparency_and_sky_of_noisy_frames():
    image, _ = stars()
    found = aw.stack(frame_set(image[:, None]), "mean", scale="fit", sky="fit")
    scale, sky = (values(found, f"frame_{name}") for name in ("scale", "sky"))
    assert scale[1] / scale[0] == pytest.approx(2.0, rel=0.01)
    assert scale[2] / scale[0] == pytest.approx(1.25, rel=0.01)
    level = scale * (np.array([100, 1000, 300]) - sky)
    assert np.ptp(level) < 1.0
    assert level.mean() == pytest.approx((scale * [100, 1000, 300]).mean(), rel=1e-3)


def test_a_fit_of_the_scale_alone_goes_through_zero():
    rng = np.random.default_rng(4)
    flat = np.linspace(0.5, 1.0, 4000).reshape(1, 40, 100)
    image = rng.normal(np.multiply.outer([1000.0, 3000.0], flat), 20.0)
    found = aw.stack(frame_set(image), "mean", scale=Match("fit", reference=0))
    assert values(found, "frame_scale") == pytest.approx([1, 1 / 3], rel=1e-3)


def test_a_fit_withstands_rays():
    image, _ = stars()
    rng = np.random.default_rng(5)
    for frame in image:
        frame[rng.integers(0, 200, 40), rng.integers(0, 220, 40)] += 8000
    found = aw.stack(frame_set(image[:, None]), "mean", scale="fit", sky="fit")
    scale = values(found, "frame_scale")
    assert scale[1] / scale[0] == pytest.approx(2.0, rel=0.02)


def test_a_field_without_light_has_no_fit_of_the_scale():
    rng = np.random.default_rng(6)
    frames = frame_set(rng.normal(100, 5, (2, 1, 30, 40)))
    with pytest.raises(aw.ImageMismatchError, match="object-1 shows too little above its noise"):
        aw.stack(frames, scale="fit", sky="fit")
    assert np.ptp(values(aw.stack(frames, sky="fit"), "frame_sky")) < 1.0


# ---------------------------------------------------------------------- outliers


@pytest.fixture(scope="module")
def night():
    """Ten frames under a sky that changes by 10 and transparency by 2, with rays."""
    transparency, sky = np.linspace(1.0, 0.5, 10), np.geomspace(100, 1000, 10)
    image, _ = stars(7, transparency, sky)
    rng = np.random.default_rng(8)
    hit = rng.random(image.shape) < 0.002
    image = np.where(hit, image + 1000.0, image).astype("f4")
    variance = (image + 25.0).astype("f4")
    return frame_set(image[:, None], variance=variance[:, None]), hit


@pytest.mark.parametrize("reject", [SigmaClip(5, scale="mad", floor="noise"), NoiseClip(5)])
def test_outliers_are_found_under_a_changing_sky(night, reject):
    frames, hit = night
    rejected = {}
    for name, options in {
        "plain": {},
        "matched": {"scale": "fit", "sky": "fit"},
        "apart": {"scale": ("fit", None), "sky": ("fit", None)},
    }.items():
        found = aw.stack(frames, "mean", reject=reject, rejected=True, **options)
        many = found["rejected_high"] + found["rejected_low"]
        rejected[name] = many.values[0].astype(int)
    rays = hit.sum(axis=0)
    for name in ("matched", "apart"):
        assert rejected[name][rays > 0].sum() > 0.97 * rays.sum()
        assert rejected[name][rays == 0].sum() < 1e-3 * hit[:, rays == 0].size
    # without, rays hide in the scatter of the sky, or the sky itself is rejected
    lost = rejected["plain"][rays > 0].sum() < 0.5 * rays.sum()
    made = rejected["plain"][rays == 0].sum() > 0.1 * hit[:, rays == 0].size
    assert lost or made
    np.testing.assert_array_equal(rejected["apart"], rejected["matched"])


def test_frames_matched_for_rejection_alone_are_averaged_as_they_are():
    image = np.array([10.0, 110.0, 60.0, 500.0]).reshape(4, 1, 1, 1)
    frames = frame_set(image, variance=np.ones(image.shape))
    sky = [0.0, 100.0, 50.0, 0.0]
    found = aw.stack(frames, "mean", reject=NoiseClip(5), sky=(sky, None), rejected=True, **F8)
    assert one(found) == pytest.approx(60)
    assert one(found, "rejected_high") == 1
    assert one(found, "variance") == pytest.approx(1 / 3)
    assert "frame_sky" not in found.coords
    history = json.loads(found.attrs["history"])[-1]["options"]
    assert history["sky"] == [sky, None]
    assert history["applied_to_reject"] == {"scale": [1.0] * 4, "sky": sky}


# ---------------------------------------------------------------------- what frames share


def test_what_frames_share_scales_with_them_by_hand():
    shared, relative = np.full((1, 1, 1), 9.0), np.full((1, 1, 1), 0.01)
    frames = column(10.0, 30.0, variance=[25.0, 35.0])
    dims = ("channel", "y", "x")
    frames = frames.assign(
        shared_variance=(dims, shared), shared_relative_variance=(dims, relative)
    )
    own = np.array([25.0 - 9 - 1, 35 - 9 - 9])
    found = aw.stack(frames, "mean", scale=[3, 1], **F8)
    assert one(found, "shared_variance") == pytest.approx(9 * 2**2)
    assert one(found, "shared_relative_variance") == pytest.approx(0.01)
    expected = (9 * own[0] + own[1]) / 4 + 36 + 0.01 * 30**2
    assert one(found, "variance") == pytest.approx(expected)
    # the light of the flat is that before the sky went
    found = aw.stack(frames, "mean", scale=[3, 1], sky=[4.0, 12.0], **F8)
    assert one(found) == 18
    assert "shared_relative_variance" not in found
    assert one(found, "shared_variance") == pytest.approx(36 + 0.01 * 30**2)
    assert one(found, "variance") == pytest.approx(expected)
    added = aw.stack(frames, "sum", scale=[3, 1], sky=[4.0, 12.0], **F8)
    assert one(added, "variance") == pytest.approx(4 * expected)
    assert one(added, "shared_variance") == pytest.approx(4 * (36 + 9))


# ---------------------------------------------------------------------- sums


def test_a_sum_is_not_lowered_by_what_is_left_out():
    frames = column(10.0, 30.0, 20.0, variance=[1.0, 1.0, 1.0], mask=[0, 0, Flag.COSMIC])
    frames = frames.assign_coords(header=("frame", text(*["EXPTIME = 60.0\nSATURATE= 900"] * 3)))
    found = aw.stack(frames, "sum", **F8)
    assert one(found) == 60
    assert one(found, "variance") == pytest.approx(9 / 2)
    assert one(found, "count") == 2
    assert float(found["exposure"]) == float(found["total_exposure"]) == 180
    assert float(found["effective_frames"]) == 1
    assert "EXPTIME" not in str(found["header"].values)
    assert "SATURATE" not in str(found["header"].values)


def test_a_sum_is_no_master():
    for make in (aw.master_bias, aw.master_dark):
        with pytest.raises(ValueError, match="a master is an average"):
            make(column(1.0, 2.0, variance=[1.0, 1.0]), average="sum", allow_mismatch="image_type")
    with pytest.raises(ValueError, match="a sum has no weights"):
        aw.stack(column(1.0, 2.0), "sum", weights=[1, 2])


# ---------------------------------------------------------------------- weights


def test_weights_of_noise_are_those_of_scaled_frames():
    rng = np.random.default_rng(9)
    noise = np.array([5.0, 10.0, 20.0])
    image = rng.normal(100, noise[:, None, None, None], (3, 1, 300, 250))
    found = aw.stack(frame_set(image), "mean", weights="noise", scale=[2, 1, 0.5], **F8)
    assert float(found["image"].var()) == pytest.approx(100 / 3, rel=0.02)
    known = frame_set(image, variance=np.broadcast_to(noise[:, None, None, None] ** 2, image.shape))
    same = aw.stack(known, "mean", weights="noise", scale=[2, 1, 0.5], **F8)
    even = aw.stack(known, "mean", scale=[2, 1, 0.5], **F8)
    np.testing.assert_allclose(same["image"], even["image"], rtol=1e-12)


# ---------------------------------------------------------------------- contracts

CHOICES = {
    "exposure": {"scale": "exposure"},
    "levels": {"scale": "median", "sky": "mode", "weights": "noise"},
    "pairs": {"scale": ("mean", [1.0, 2.0, 3.0]), "sky": (None, "mean")},
}


@pytest.mark.parametrize("chunks", [{"frame": 1}, {"y": 2, "x": 3}, {"channel": 1, "y": 4}])
@pytest.mark.parametrize("choice", CHOICES)
def test_chunks_change_nothing_and_lazy_stays_lazy(frames, choice, chunks):
    options = {"reject": SigmaClip(1.2), "rejected": True, **CHOICES[choice]}
    with no_compute():
        found = aw.stack(lazy(frames, **chunks), "mean", **options)
    assert all(found[name].chunks for name in found.data_vars)
    expected = aw.stack(frames, "mean", **options)
    ignore = () if choice == "exposure" else ("exposure", "effective_frames")
    assert_frames_equal(found.compute(), expected, ignore=ignore)


def test_rows_of_large_frames_are_scaled_one_after_the_other(frames, monkeypatch):
    expected = aw.stack(frames, "mean", reject=SigmaClip(1.2), scale="median", sky="mean")
    # a lazy_loader shows the verb of this name in place of the room
    averaging = importlib.import_module("autowisp_xr.stack.averaging")
    monkeypatch.setattr(averaging, "_PIECE", 100)
    found = aw.stack(frames, "mean", reject=SigmaClip(1.2), scale="median", sky="mean")
    assert_frames_equal(found, expected)


@settings(deadline=None, max_examples=20)
@given(
    scale=st.lists(st.floats(0.1, 10), min_size=3, max_size=3),
    sky=st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3),
    average=st.sampled_from(["mean", "median", "sum", 0.3]),
)
def test_lines_bring_back_what_they_took_away(scale, sky, average):
    rng = np.random.default_rng(12)
    image, variance = rng.normal(500, 20, (3, 1, 4, 5)), rng.uniform(100, 400, (3, 1, 4, 5))
    a, s = (np.reshape(each, (3, 1, 1, 1)) for each in (scale, sky))
    seen = frame_set(image / a + s, variance=variance / a**2)
    found = aw.stack(seen, average, reject=NoiseClip(2), scale=scale, sky=sky, **F8)
    expected = aw.stack(frame_set(image, variance=variance), average, reject=NoiseClip(2), **F8)
    for name in ("image", "variance", "count"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)


def test_frames_are_left_as_they_were(frames):
    before = frames.copy(deep=True)
    aw.stack(frames, scale="median", sky="mean", reject=SigmaClip(1.2))
    xr.testing.assert_identical(frames, before)


def test_options_that_are_not_used_change_no_bit(frames):
    frames = frames.assign_coords(exposure=60.0)
    plain = aw.stack(frames, "mean", reject=SigmaClip(1.2))
    none = aw.stack(frames, "mean", reject=SigmaClip(1.2), scale=None, sky=(None, None))
    xr.testing.assert_equal(plain, none)
    assert "scale" not in json.loads(none.attrs["history"])[-1]["options"]
    same = aw.stack(frames, "mean", reject=SigmaClip(1.2), scale=[1, 1, 1])
    for name in ("image", "count", "mask"):
        np.testing.assert_array_equal(same[name], plain[name])
    np.testing.assert_allclose(same["variance"], plain["variance"], rtol=1e-6)


# ---------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"scale": [1, 0, 2]}, ValueError, "scale of object-1 is 0, and has to be finite and abo"),
        ({"scale": [1, -1, 2]}, ValueError, "scale of object-1 is -1"),
        ({"scale": [1, np.nan, 2]}, ValueError, "scale of object-1 is nan"),
        ({"sky": [1, np.inf, 2]}, ValueError, "sky of object-1 is inf, and has to be finite"),
        ({"scale": [1, 2]}, ValueError, r"the shape \(2,\); expected a number for each of the 3"),
        ({"scale": 2.0}, ValueError, "scale is None, 'median', .* a list of a number"),
        ({"scale": (1.0, 2.0)}, ValueError, r"a tuple of two is \(for rejection, for the average"),
        ({"sky": "exposure"}, ValueError, "an exposure is a scale, no sky"),
        ({"scale": "TRANSP"}, aw.HeaderError, "object-0 has no number in 'TRANSP', by which"),
        (
            {"scale": Match("mean", region="[1:9,1:1]")},
            aw.OutsideImageError,
            "the region 0 < x < 9.* reaches outside",
        ),
        ({"sky": Match("mean", reference="none")}, ValueError, "there is no frame 'none'"),
    ],
)
def test_impossible_choices_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        aw.stack(ramp(), "mean", **options)


def test_a_match_is_by_a_name_and_a_region_is_of_pixels():
    with pytest.raises(ValueError, match="a Match is by median"):
        Match(3.0)
    with pytest.raises(ValueError, match="'exposure' is not measured in pixels"):
        Match("exposure", region="[1:2,1:1]")


def test_a_level_that_is_not_positive_is_no_scale():
    frames = ramp(np.array([10.0, -30.0, 5.0]))
    with pytest.raises(aw.ImageMismatchError, match="object-1 has the median -60, which cannot"):
        aw.stack(frames, scale="median")
    assert np.isfinite(aw.stack(frames, sky="median")["image"]).all()
    late = aw.stack(frames.chunk(frame=1), scale="median")
    with pytest.raises(aw.ImageMismatchError, match="object-1 has the median -60"):
        late.compute()


def test_a_frame_of_flagged_pixels_has_no_level(frames):
    mask = frames["mask"].copy()
    mask[1, 0] = Flag.FAULT
    frames = frames.assign_coords(exposure=60.0)
    for options in ({"sky": "median"}, {"scale": "mode"}, {"sky": "fit"}):
        with pytest.raises(aw.ImageMismatchError, match=r"object-1 has no good pixel"):
            aw.stack(frames.assign(mask=mask), **options)


# ---------------------------------------------------------------------- files


@pytest.fixture
def written(frames):
    """The lazy stack of matched frames, and what its table is."""
    frames = frames.assign_coords(exposure=60.0)
    found = aw.stack(lazy(frames, frame=1), "mean", scale="median", sky="mode")
    return found, aw.stack(frames, "mean", scale="median", sky="mode")


def test_the_table_is_in_the_history_of_a_file(written, tmp_path):
    late, expected = written
    paths = aw.to_fits(late, tmp_path / "{CLRCHNL}.fits")
    assert len(paths) == 2
    applied = aw.open_fits(paths[0]).autowisp.history()[-1]["options"]["applied"]
    assert applied == expected.autowisp.history()[-1]["options"]["applied"]
    assert np.array(applied["scale"]) == pytest.approx(expected["frame_scale"].values, rel=1e-8)


def test_the_table_survives_zarr_and_is_dropped_where_stacks_are_joined(written, tmp_path):
    late, expected = written
    stored = aw.to_zarr(late, tmp_path / "stack.zarr")
    xr.testing.assert_equal(stored["frame_sky"].variable, expected["frame_sky"].variable)
    other = expected.assign_coords(stacked=text("a", "b", "c"))
    history = json.loads(other.attrs["history"])
    history[-1] |= {"frames": dict(zip("abc", "123", strict=True)), "id": "another"}
    both = aw.concat([expected, other.assign_attrs(history=json.dumps(history))])
    assert not {"stacked", "frame_scale"} & set(both.coords)
    assert aw.stack(both, "mean", sky="mean").sizes["stacked"] == 2


def test_a_file_of_matched_frames_states_no_saturation(tmp_path):
    headers = text(*["EXPTIME = 60.0\nSATURATE= 900\nIMAGETYP= 'object'"] * 2)
    frames = column(10.0, 30.0, variance=[4.0, 4.0]).assign_coords(header=("frame", headers))
    frames.attrs["camera"] = aw.Camera(gain=2.0, read_noise=5.0, saturation=900.0).to_json()
    for name, average, options in (
        ("sum", "sum", {}),
        ("scaled", "mean", {"scale": [0.5, 1.5]}),
        ("plain", "mean", {}),
    ):
        stack = aw.stack(frames, average, **options)
        header = parse_header(
            str(aw.open_fits(aw.to_fits(stack, tmp_path / f"{name}.fits"))["header"][0].values)
        )
        assert ("SATURATE" in header) == (name == "plain")
        assert header["EXPTIME"] == (120 if name == "sum" else 60)
        assert header["NUMFCOMB"] == header["NCOMBINE"] == 2
