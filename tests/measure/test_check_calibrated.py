"""Numbers by which results are looked at: of blank parts, whatever stands in the rest."""

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr.measure import check_calibrated, flat_shapes, glow
from autowisp_xr.measure.calibrated_checks import Look

SHAPE = (256, 384)


def frames(image, variance=25.0, mask=None):
    image = np.asarray(image, np.float32)
    image = image.reshape(-1, 1, *image.shape[-2:])
    planes = {
        "image": image,
        "variance": np.broadcast_to(np.float32(variance), image.shape),
        "mask": np.zeros(image.shape, np.uint8) if mask is None else mask,
    }
    coords = {"frame": [f"f{i}" for i in range(len(image))], "channel": ["mono"]}
    return xr.Dataset({name: (aw.schema.DIMS, plane) for name, plane in planes.items()}, coords)


def blank(number=3, level=100.0, noise=5.0, seed=1):
    return np.random.default_rng(seed).normal(level, noise, (number, *SHAPE))


def one(found, name):
    return float(found[name].median())


def stars(seed=2):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    light = np.zeros(SHAPE)
    for y0, x0, flux in zip(
        rng.uniform(0, SHAPE[0], 400),
        rng.uniform(0, SHAPE[1], 400),
        rng.pareto(1.2, 400),
        strict=True,
    ):
        light += 40 * flux * np.exp(-((y - y0) ** 2 + (x - x0) ** 2) / 5.0)
    return light


def test_right_errors_are_found_right():
    found = check_calibrated(frames(blank()))
    for name in ("noise", "rows", "columns"):
        assert one(found, name) == pytest.approx(1, abs=0.03)
    assert one(found, "sky") == pytest.approx(100, abs=1)
    assert one(found, "error") == 5
    assert found["sky"].attrs["units"] == "adu"
    assert (found["below_zero"] == 0).all()
    assert found["dark_left"].isnull().all()


@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_wrong_errors_are_found_beside_stars_nebulae_and_hot_pixels(factor):
    nebula = 1000 * np.outer(np.hanning(SHAPE[0]), np.linspace(0, 1, SHAPE[1]) ** 2)
    image = blank(noise=5 * factor) + stars() + nebula
    image[:, ::9, ::11] += 5000
    found = check_calibrated(frames(image))
    assert one(found, "noise") == pytest.approx(factor, rel=0.1)
    assert one(found, "rows") == pytest.approx(1, abs=0.1)
    assert one(found, "columns") == pytest.approx(1, abs=0.1)


def waves(amplitude):
    y, x = np.indices(SHAPE)
    return amplitude * np.sin(x / 4) * np.cos(y / 5)


@pytest.mark.parametrize("factor", [1.0, 1.4])
def test_structure_of_the_sky_is_no_noise(factor):
    found = check_calibrated(frames(blank(noise=5 * factor) + waves(10.0)))
    assert one(found, "noise") == pytest.approx(factor, abs=0.05)


def test_noise_under_structure_that_is_more_than_it_is_not_known():
    found = check_calibrated(frames(blank() + waves(60.0)))
    assert found["noise"].isnull().all()
    assert found["sky"].notnull().all()


@pytest.mark.parametrize(
    ("axis", "moved", "other"), [(0, "rows", "columns"), (1, "columns", "rows")]
)
def test_what_rows_or_columns_have_in_common_counts_in_blocks(axis, moved, other):
    shape = [3, 1, 1]
    shape[axis + 1] = SHAPE[axis]
    common = np.random.default_rng(3).normal(0, 2.5, shape)
    found = check_calibrated(frames(blank() + common))
    assert one(found, moved) == pytest.approx((1 + 8 * 0.25) ** 0.5, rel=0.2)
    assert one(found, other) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("left", [1.0, 0.0, -0.5])
@pytest.mark.parametrize("size", [1, 8])
def test_the_pattern_of_a_dark_is_found_in_pixels_and_in_blocks(left, size):
    cells = (SHAPE[0] // size, SHAPE[1] // size)
    rng = np.random.default_rng(4)
    pattern = np.kron(rng.normal(0, 6, cells), np.ones((size, size)))
    own = rng.normal(0, 2, SHAPE)
    dark = frames(50 + pattern + own, 4.0).isel(frame=0, drop=True)
    found = check_calibrated(frames(blank() + left * pattern - own, 29.0), dark=dark)
    assert one(found, "dark_left") == pytest.approx(left, abs=0.1)


def test_flagged_pixels_and_small_or_nameless_frames_are_no_trouble():
    image = blank()
    image[0] = -1e6
    mask = np.zeros((3, 1, *SHAPE), np.uint8)
    mask[0] = aw.Flag.FAULT
    found = check_calibrated(frames(image, mask=mask))
    assert found["sky"].isnull().values.ravel().tolist() == [True, False, False]
    tiny = check_calibrated(frames(blank()[:, :5, :7]).drop_vars("frame"))
    assert one(tiny, "sky") == pytest.approx(100, abs=10)
    assert tiny["noise"].isnull().all()


def test_an_unknown_variance_leaves_the_levels():
    found = check_calibrated(frames(blank(), np.nan))
    assert one(found, "sky") == pytest.approx(100, abs=1)
    assert found[["error", "below_zero", "noise"]].isnull().all()


def test_chunks_change_nothing_and_other_rows_are_not_computed():
    ds = frames(blank(4))
    xr.testing.assert_identical(
        check_calibrated(ds.chunk(frame=1, y=50)).drop_attrs(), check_calibrated(ds).drop_attrs()
    )


def test_planes_in_unequal_chunks_are_looked_at_as_well():
    ds = frames(blank())
    lazy = ds.assign({name: ds[name].chunk(y=rows) for name, rows in (("image", 64), ("mask", 50))})
    xr.testing.assert_identical(
        check_calibrated(lazy).drop_attrs(deep=False), check_calibrated(ds).drop_attrs(deep=False)
    )


def test_frames_are_not_read_again_that_were_seen_when_they_were_made():
    ds = frames(blank(4))
    look = Look(ds)
    for seen in ([2, 0], [3]):
        planes = (ds[name].values[seen] for name in ("image", "variance", "mask"))
        look.see(np.array(seen), *planes)
    changed = ds.assign(image=ds["image"].where(ds["frame"] == "f1"))
    xr.testing.assert_identical(look.found(changed).drop_attrs(), check_calibrated(ds).drop_attrs())


def test_raw_frames_are_refused():
    with pytest.raises(aw.CalibrationError, match="have not been calibrated"):
        check_calibrated(frames(blank()).drop_vars("variance"))


def test_the_flat_of_another_shape_stands_out_of_three_and_both_do_of_two():
    slope = np.linspace(0.95, 1.05, SHAPE[1])
    image = blank(3, 20000.0, 100.0)
    image[1] *= slope
    found = flat_shapes(frames(image))
    assert found["deviation"].values.ravel() == pytest.approx([0, 0.09, 0], abs=0.01)
    assert flat_shapes(frames(image[:2]))["deviation"].min() > 0.08
    assert flat_shapes(frames(image[:1]))["deviation"].isnull().all()


@pytest.mark.parametrize("number", [2, 5])
def test_where_no_light_reaches_flats_they_have_no_shape(number):
    """A round field, whose corners are noise about zero."""
    y, x = (np.linspace(-1, 1, size) for size in SHAPE)
    image = np.where(np.hypot(y[:, None], x) < 0.9, 1.0, 0.0) * blank(number, 20000.0, 100.0)
    image += np.random.default_rng(2).normal(0, 5, image.shape)
    assert (flat_shapes(frames(image))["deviation"] < 0.01).all()


def test_a_flat_without_a_good_pixel_is_not_known_and_spoils_no_other():
    flats = frames(blank(3, 20000.0, 100.0))
    flats["mask"][1] = aw.Flag.HOT
    found = flat_shapes(flats)
    assert found["deviation"].isnull().values.ravel().tolist() == [False, True, False]
    assert found["deviation_error"].isnull().values.ravel().tolist() == [False, True, False]


def test_levels_of_flats_are_no_matter_of_their_shape():
    bias = frames(np.full(SHAPE, 1000.0)).isel(frame=0, drop=True)
    lamp = np.linspace(0.5, 1.5, SHAPE[1]) * np.array([2000.0, 20000, 30000])[:, None, None]
    light = np.broadcast_to(lamp, (3, *SHAPE))
    found = flat_shapes(frames(light + 1000), bias=bias)
    assert (found["deviation"] < 1e-5).all()
    assert (flat_shapes(frames(light + 1000))["deviation"][0] > 0.05).all()


@pytest.mark.parametrize(
    ("with_dust", "found"),
    [("000111", "3"), ("001111", "2"), ("000100", None), ("000001", None), ("000000", None)],
)
def test_dust_that_moved_between_flats_is_a_change_that_lasts(with_dust, found):
    image = blank(len(with_dust), 20000.0, 100.0)
    for number, dust in enumerate(with_dust):
        image[number, 30:50, 20:36] *= 1 - 0.1 * (dust == "1")
    # one in the middle of the night that is too faint to tell
    faint = np.concatenate([image, 0.01 * image[:1] + 50.0])
    for flats in (image, faint):
        shapes = flat_shapes(frames(flats))
        sure = float(shapes["change"][0] - 3 * shapes["change_error"][0])
        assert sure > 0.08 if found else sure < 0.01
        if found:
            assert str(shapes["change_frame"].values[0]).endswith(found)
            assert int(shapes["change_y"][0]) in range(30, 50)
            assert int(shapes["change_x"][0]) in range(20, 36)


def test_a_change_of_flats_follows_their_times_and_needs_two_frames_on_either_side():
    image = blank(4, 20000.0, 100.0)
    image[::2, 30:50, 20:36] *= 0.9
    flats = frames(image)
    assert float(flat_shapes(flats)["change"][0]) < 0.01
    times = np.array([1, 3, 2, 4]).astype("datetime64[m]").astype("datetime64[ns]")
    assert float(flat_shapes(flats.assign_coords(time=("frame", times)))["change"][0]) > 0.08
    assert "change" not in flat_shapes(flats.isel(frame=slice(3)))


def test_glow_is_found_where_it_is():
    image = blank(1, 20.0, 3.0)[0]
    image[:40, -40:] += 300
    found = glow(frames(image, 9.0).isel(frame=0, drop=True))
    assert one(found, "glow") == pytest.approx(300, abs=3)
    assert one(found, "current") == pytest.approx(20, abs=1)
    assert (int(found["glow_y"][0]), int(found["glow_x"][0])) == (16, 368)


@pytest.mark.real
def test_errors_of_a_gain_of_other_bits_are_seen_in_the_blank_parts_of_a_real_frame(real):
    # 12 bits in 16: the gain of its header is that of a step, so that errors are 4 times too small
    found = check_calibrated(aw.open_fits(real / "autowisp_calibrated_reference"))
    assert one(found, "noise") == pytest.approx(4, abs=0.15)
