"""What a program makes of EGAIN and RDNOISE of a product, held against its error plane."""

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import schema

CAMERA = aw.Camera(gain=1.5, read_noise=9.0)


def frames(number=6, sky=400.0, shape=(40, 50), units="adu", camera=CAMERA, calibrated=True):
    """Frames of a sky with a few stars, in ADU."""
    rng = np.random.default_rng(3)
    light = np.full((number, 1, *shape), sky * camera.gain)
    light[:, :, ::13, ::11] += 30_000
    image = rng.poisson(light) / camera.gain
    image = image + rng.normal(0, camera.read_noise / camera.gain, image.shape)
    ds = xr.Dataset(
        {"image": (schema.DIMS, image.astype("f4"), {"units": units})},
        {
            "frame": [f"f{i}" for i in range(number)],
            "channel": ["mono"],
            "exposure": ("frame", np.linspace(30.0, 90.0, number), {"units": "s"}),
        },
        {"camera": camera.to_json()},
    )
    return aw.calibrate(ds) if calibrated else ds


def written(ds, folder):
    """Image, error plane and header of a product."""
    (path,) = aw.to_fits(ds, folder / "out.fits", overwrite=True)
    with fits.open(path) as hdus:
        return hdus[0].data.astype(float), hdus[1].data.astype(float), hdus[0].header


def by_cards(image, header):
    """Error of each pixel as photometry programs have it."""
    gain = header["EGAIN"]
    return np.sqrt(np.maximum(image, 0) / gain + (header.get("RDNOISE", 0) / gain) ** 2)


@pytest.mark.parametrize(
    ("average", "options"),
    [
        ("mean", {}),
        ("median", {}),
        (0.3, {}),
        ("mean", {"weights": "exposure"}),
        ("mean", {"weights": "variance"}),
        ("mean", {"reject": aw.MinMax(low=1, high=1)}),
        ("median", {"reject": aw.MinMax(low=1, high=1)}),
        ("mean", {"reject": aw.SigmaClip(4, scale="mad")}),
    ],
)
@pytest.mark.parametrize("sky", [5.0, 4000.0])
def test_the_cards_of_a_stack_give_its_errors(tmp_path, average, options, sky):
    deep = aw.stack(frames(sky=sky), average, allow_mismatch="exposure", **options)
    image, error, header = written(deep, tmp_path)
    ratio = by_cards(image, header) / error
    assert abs(np.median(ratio) - 1) < 0.02
    # and those of the stars, which are photons alone
    assert abs(np.median(ratio[::13, ::11]) - 1) < 0.05


def test_a_mean_has_the_gain_of_all_frames_and_a_median_less(tmp_path):
    ds = frames()
    _, _, mean = written(aw.stack(ds, "mean", allow_mismatch="exposure"), tmp_path)
    assert (mean["EGAIN"], mean["EFFNCOMB"]) == (9.0, 6.0)
    assert mean["RDNOISE"] == pytest.approx(9.0 * np.sqrt(6), rel=1e-3)
    _, _, median = written(aw.stack(ds, "median", allow_mismatch="exposure"), tmp_path)
    assert median["EGAIN"] == pytest.approx(9.0 / 1.29, rel=0.01)


def test_stacks_of_stacks_count_the_frames_in_them(tmp_path):
    ds = frames(6).drop_vars("exposure")
    parts = [aw.stack(ds.isel(frame=part), "mean") for part in (slice(0, 2), slice(2, 6))]
    parts = [part.assign_coords(frame=str(i)) for i, part in enumerate(parts)]
    worth = {"effective_frames": ("frame", [float(part["effective_frames"]) for part in parts])}
    planes = ["image", "variance", "mask"]
    lean = [part[planes].drop_vars([*worth, "combined", "total_exposure"]) for part in parts]
    both = xr.concat(lean, "frame", coords="minimal", compat="override").assign_coords(worth)
    deep = aw.stack(both, "mean", weights=[2.0, 4.0])
    assert float(deep["effective_frames"]) == pytest.approx(6.0)
    image, error, header = written(deep, tmp_path)
    assert header["EGAIN"] == pytest.approx(9.0)
    assert abs(np.median(by_cards(image, header) / error) - 1) < 0.01


def test_a_stack_that_is_read_again_is_worth_its_frames(tmp_path):
    ds = frames(6).drop_vars("exposure")
    for i in range(2):
        aw.to_fits(aw.stack(ds.isel(frame=slice(3 * i, 3 * i + 3)), "mean"), tmp_path / f"{i}.fits")
    deep = aw.stack(aw.open_fits(tmp_path / "*.fits"), "mean")
    assert float(deep["effective_frames"]) == pytest.approx(6.0)
    assert written(deep, tmp_path)[2]["EGAIN"] == pytest.approx(9.0)


def test_pixels_that_lost_frames_are_not_those_of_the_gain(tmp_path):
    ds = frames(4).drop_vars("exposure")
    ds["mask"][:3, :, :, :40] = 1
    image, error, header = written(aw.stack(ds, "mean"), tmp_path)
    assert header["EGAIN"] == 1.5
    assert abs(np.median(by_cards(image, header)[:, :40] / error[:, :40]) - 1) < 0.02


def test_errors_from_the_scatter_of_few_frames_give_their_mean(tmp_path):
    deep = aw.stack(frames(5, shape=(64, 80)).drop_vars("exposure"), "mean", error="scatter")
    image, error, header = written(deep, tmp_path)
    good = image < 1000
    assert np.mean(by_cards(image, header)[good] ** 2) / np.mean(error[good] ** 2) == pytest.approx(
        1, abs=0.05
    )


def test_where_half_of_the_image_has_another_noise_no_number_is_reported(tmp_path):
    ds = frames(1, sky=5.0, shape=(128, 128)).drop_vars("exposure")
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    for depth, described in ((0.1, True), (0.7, False)):
        shape = 1 - depth * (x**2 + y**2) / 2
        flat = ds.isel(frame=0, drop=True).assign(
            image=(schema.DIMS[1:], (shape / shape.mean())[None], {"units": "1"}),
            variance=(schema.DIMS[1:], np.zeros((1, 128, 128))),
        )
        _, _, header = written(aw.divide_flat(ds, flat), tmp_path)
        assert ({"EGAIN", "RDNOISE", "EFFNCOMB"} <= set(header)) == described
        assert ({"EGAIN", "RDNOISE", "EFFNCOMB"} & set(header) != set()) == described


def test_electrons_have_a_gain_of_one(tmp_path):
    ds = frames(2, units="electron", camera=aw.Camera(gain=1.0, read_noise=9.0))
    _, _, header = written(aw.stack(ds, "mean", allow_mismatch="exposure"), tmp_path)
    assert (header["EGAIN"], header["BUNIT"]) == (2.0, "electron")


def test_where_no_gain_or_error_is_known_no_card_is_reported(tmp_path):
    raw = frames(2, camera=CAMERA, calibrated=False).assign_attrs(camera=aw.Camera().to_json())
    unknown = aw.calibrate(raw, noise="if known")
    for ds in (unknown.isel(frame=0), aw.stack(unknown, "mean", allow_mismatch="exposure")):
        _, _, header = written(ds, tmp_path)
        assert not {"EGAIN", "RDNOISE", "EFFNCOMB"} & set(header)


def test_weights_that_are_not_computed_yet_give_no_gain(tmp_path):
    ds = frames(3).chunk(frame=1)
    weights = xr.ones_like(ds["image"]).chunk()
    deep = aw.stack(ds, "mean", weights=weights, allow_mismatch="exposure")
    assert np.isnan(deep["effective_frames"])
    assert "EGAIN" not in written(deep, tmp_path)[2]
