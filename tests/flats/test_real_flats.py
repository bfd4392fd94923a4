"""Flats of real cameras: names and headers as they are, light as it was."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Camera, FlatSelection
from tests.steps.frames import text

pytestmark = pytest.mark.real


def named(ds, word, kind):
    """Frames whose names hold a word, as of a type."""
    chosen = [i for i, name in enumerate(ds["frame"].values.tolist()) if word in name]
    return ds.isel(frame=chosen).assign_coords(image_type=("frame", text(*[kind] * len(chosen))))


def test_a_ladder_of_exposures_is_sorted_by_level(real):
    """A spectrograph's slit viewer: what its light is in short exposures is not what it is in
    long ones, so that clouds are not looked for."""
    camera = Camera(gain=0.46, read_noise=15, saturation=48000)
    raw = aw.open_fits(real / "uw_st7_flat_ladder", camera=camera)
    bias = aw.master_bias(named(raw, "BIAS", "bias"))
    ladder = named(raw, "Pencil", "flat")
    selection = FlatSelection(
        min_high_frames=3,
        min_low_frames=3,
        cloudy_frame_threshold=None,
        large_scale_deviation_threshold=None,
    )
    result = aw.master_flat(ladder, bias=bias, select=selection)
    assert "no pointing (RA, DEC) in all frames" in result.notes[0]
    names = result.frames["frame"].values.tolist()
    kinds = dict(zip(names, result.frames["class"].values.tolist(), strict=True))
    exposures = dict(zip(names, ladder["exposure"].values.tolist(), strict=True))
    low = [exposures[name] for name, kind in kinds.items() if kind == "low"]
    high = [exposures[name] for name, kind in kinds.items() if kind == "high"]
    saturated = [exposures[name] for name, kind in kinds.items() if kind == "saturated"]
    assert max(low) < min(high) < max(high) < min(saturated)
    assert [len(low), len(high), len(saturated)] == [6, 6, 5]
    assert sorted(saturated) == [75, 85, 90, 95, 105]
    reasons = result.frames["reason"].values.tolist()
    described = [r for name, r in zip(names, reasons, strict=True) if kinds[name] == "saturated"]
    assert all(" % of its stamp is saturated, more than 0.01 %" in reason for reason in described)
    assert result.high.sizes == result.low.sizes == {"channel": 1, "y": 495, "x": 657}
    medium = aw.select_flats(
        aw.calibrate(ladder, bias=bias),
        FlatSelection(min_high_mean=20e3, max_low_mean=3e3, cloudy_frame_threshold=None),
    )
    assert set(medium["class"].values.tolist()) == {"high", "medium", "low", "saturated"}


def test_two_halves_of_dome_flats_differ_by_their_errors(real):
    camera = Camera(gain=2.06, read_noise=13.8, saturation=60000)
    raw = aw.open_fits(real / "stonybrook_stl1001", camera=camera)
    bias = aw.master_bias(named(raw, "biases-Neg5", "bias")).compute()
    dark = aw.master_dark(named(raw, "darks-expos1-Neg5", "dark"), bias=bias).compute()
    flats = named(raw, "flat-", "flat").load()
    how = {"bias": bias, "dark": dark, "scale_dark": "down"}
    whole = aw.master_flat(flats, select=FlatSelection.dome(), **how)
    assert whole.frames["class"].values.tolist() == ["high"] * 10
    assert float(whole.high["image"].mean()) == pytest.approx(1.0, abs=1e-3)
    selection = FlatSelection.dome(min_high_frames=5)
    halves = [
        aw.master_flat(flats.isel(frame=slice(start, None, 2)), select=selection, **how).high
        for start in (0, 1)
    ]
    one, other = (half.compute() for half in halves)
    own = sum((half["variance"] - half["shared_variance"]).values for half in (one, other))
    pulls = (one["image"] - other["image"]).values / np.sqrt(own)
    pulls = pulls[((one["mask"] | other["mask"]).values == 0) & np.isfinite(pulls)]
    assert pulls.size > 0.999 * 1024**2
    width = 1.4826 * np.median(np.abs(pulls - np.median(pulls)))
    assert width == pytest.approx(1, abs=0.1)
    assert pulls.std() == pytest.approx(1, abs=0.1)


def test_dome_flats_of_another_telescope_make_a_master(real):
    camera = Camera(gain=1.35, read_noise=12.2 * 1.35, saturation=60000)
    raw = aw.open_fits(real / "arcsat_flarecam_xo1_2025", camera=camera)
    bias = aw.master_bias(raw.autowisp.where_type("bias"))
    made = aw.master_flats(
        raw.autowisp.where_type("flat"),
        bias=bias,
        select=FlatSelection.dome(min_high_frames=5),
    )
    assert list(made) == ["z"]
    flats = made["z"]
    assert flats.frames["class"].values.tolist() == ["high"] * 5
    levels = flats.frames["mean"].values[:, 0]
    np.testing.assert_allclose(levels, [17113, 18535, 18684, 18657, 18655], rtol=0.02)
    high = flats.high.compute()
    image = high["image"]
    assert float(image.mean()) == pytest.approx(1.0, abs=1e-3)
    assert 0.005 < float(image.std()) < 0.05
    error = float(np.sqrt(high["variance"]).median())
    # the photons of five frames, and what a median of five loses
    assert error == pytest.approx(1.2 / np.sqrt(5 * 18300 * 1.35), rel=0.1)
