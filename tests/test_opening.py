"""``open_fits``: calibrated files know again which of their noise they share."""

import shutil

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import AutowispWarning, simulate

PLANES = ("variance", "shared_variance", "shared_relative_variance")


class Lights:
    """Frames of a night, calibrated and written, with their masters."""

    def __init__(self, folder, *, seed=9, number=3, holds_bias=False, **calibrate):
        calibrate.setdefault("scale_dark", not holds_bias and "down")
        self.sky = simulate.Night(shape=(20, 24), seed=seed, channels=None)
        bias = aw.master_bias(self.sky.bias(4))
        dark = aw.master_dark(self.sky.dark(4, exposure=120.0), bias=None if holds_bias else bias)
        flat = aw.master_flat(self.sky.flat(4), bias=bias).high
        self.masters = {"bias": bias, "dark": dark, "flat": flat}
        if holds_bias:
            del self.masters["bias"]
        self.frames = aw.calibrate(self.sky.objects(number), **self.masters, **calibrate)
        self.folder = folder
        self.files = self.frames.autowisp.to_fits(folder / "{frame}.fits")

    def write_masters(self, folder):
        for kind, master in self.masters.items():
            master.autowisp.to_fits(folder / f"{kind}_{{CLRCHNL}}.fits")


def assert_same_noise(found, expected):
    found = aw.stack(found, "mean").compute()
    expected = aw.stack(expected, "mean").compute()
    for name in PLANES:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6, err_msg=name)
    for name in ("shared_variance_from", "shared_relative_variance_from"):
        assert str(found[name].values) == str(expected[name].values)


@pytest.mark.parametrize("place", ["masters", ".", "..", "../masters", "../../masters"])
def test_masters_are_found_near_the_frames(tmp_path, place):
    lights = Lights(tmp_path / "a" / "b" / "c")
    lights.write_masters(lights.folder / place)
    found = aw.open_fits(lights.files)
    assert not any(found[name].variable._in_memory for name in PLANES)
    assert_same_noise(found, lights.frames)


def test_a_dark_that_holds_the_bias_is_taken_apart_again(tmp_path):
    camera = simulate.Night(shape=(20, 24), seed=9).camera
    lights = Lights(tmp_path, holds_bias=True, allow_mismatch="exposure", camera=camera)
    lights.write_masters(tmp_path / "masters")
    assert_same_noise(aw.open_fits(lights.files, camera=camera), lights.frames)


def test_single_steps_are_gone_through_again(tmp_path):
    lights = Lights(tmp_path)
    raw = aw.trim(aw.subtract_overscan(lights.sky.objects(2)))
    raw = aw.add_noise(aw.subtract_bias(raw, lights.masters["bias"]))
    dark = aw.subtract_dark(raw, lights.masters["dark"], scale_dark="any")
    frames = aw.divide_flat(dark, lights.masters["flat"])
    files = frames.autowisp.to_fits(tmp_path / "steps" / "{frame}.fits")
    lights.write_masters(tmp_path / "masters")
    assert_same_noise(aw.open_fits(files), frames)


def test_colours_are_found_together(tmp_path):
    sky = simulate.Night(shape=(20, 24), seed=9, channels="RGGB")
    bias = aw.master_bias(sky.bias(3))
    frames = aw.calibrate(sky.objects(2), bias=bias)
    files = frames.autowisp.to_fits(tmp_path / "{frame}_{CLRCHNL}.fits")
    bias.autowisp.to_fits(tmp_path / "masters" / "bias_{CLRCHNL}.fits")
    found, expected = (aw.stack(ds, "mean") for ds in (aw.open_fits(files), frames))
    for name in ("variance", "shared_variance"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)


def test_a_part_of_the_frames_finds_that_part_of_the_masters(tmp_path):
    lights = Lights(tmp_path)
    part = lights.frames.isel(y=slice(2, 9), x=slice(5, 20))
    files = part.autowisp.to_fits(tmp_path / "part" / "{frame}.fits")
    lights.write_masters(tmp_path / "masters")
    assert_same_noise(aw.open_fits(files), part)


def test_frames_of_several_nights_share_within_each(tmp_path):
    nights = [Lights(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 2))]
    for night in nights:
        night.write_masters(night.folder / "masters")
    found = aw.open_fits([path for night in nights for path in night.files])
    assert "frame" in found["shared_variance"].dims
    joined = aw.concat([night.frames for night in nights])
    expected = aw.stack(joined, "mean", allow_mismatch="temperature")
    stack = aw.stack(found, "mean").compute()
    for name in PLANES:
        np.testing.assert_allclose(stack[name], expected[name], rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("gone", ["bias", "dark", "flat"])
def test_masters_that_are_not_there_are_reported_when_frames_are_stacked(tmp_path, gone):
    lights = Lights(tmp_path)
    lights.write_masters(tmp_path / "masters")
    next((tmp_path / "masters").glob(f"{gone}*")).unlink()
    frames = aw.open_fits(lights.files)
    with pytest.warns(
        AutowispWarning, match=rf"not found \(.*{gone}.*put the files of the masters"
    ):
        aw.stack(frames, "mean")
    aw.stack(frames, "mean", error="scatter")


def test_the_door_of_xarray_looks_for_them_too(tmp_path):
    lights = Lights(tmp_path)
    lights.write_masters(tmp_path / "masters")
    assert_same_noise(xr.open_dataset(lights.files, engine="autowisp"), lights.frames)


def test_records_state_what_they_do_not_look_for(tmp_path):
    lights = Lights(tmp_path)
    lights.write_masters(tmp_path / "masters")
    frames = aw.frames.open_records(aw.frames.scan(lights.files))
    with pytest.warns(AutowispWarning, match=r"by aw\.open_fits"):
        aw.stack(frames, "mean")


def test_masters_that_moved_with_the_frames_are_found(tmp_path):
    lights = Lights(tmp_path / "here")
    lights.write_masters(tmp_path / "here" / "masters")
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert_same_noise(aw.open_fits(tmp_path / "there"), lights.frames)


def test_a_master_that_was_opened_from_a_file_is_found_where_it_was(tmp_path):
    lights = Lights(tmp_path)
    (path,) = lights.masters["bias"].autowisp.to_fits(tmp_path / "library" / "bias.fits")
    frames = aw.calibrate(lights.sky.objects(2), bias=aw.open_fits(path))
    files = frames.autowisp.to_fits(tmp_path / "more" / "deep" / "down" / "{frame}.fits")
    stack = aw.stack(aw.open_fits(files), "mean")
    np.testing.assert_allclose(stack["variance"], aw.stack(frames, "mean")["variance"], rtol=1e-6)


def test_masters_without_errors_lend_none(tmp_path):
    lights = Lights(tmp_path)
    bias = lights.masters["bias"].drop_vars("variance")
    frames = aw.calibrate(lights.sky.objects(2), bias=bias)
    files = frames.autowisp.to_fits(tmp_path / "more" / "{frame}.fits")
    bias.autowisp.to_fits(tmp_path / "more" / "masters" / "bias.fits")
    found = aw.stack(aw.open_fits(files), "mean")
    np.testing.assert_allclose(found["variance"], aw.stack(frames, "mean")["variance"], rtol=1e-6)


def test_nightly_stacks_go_into_a_deep_one(tmp_path):
    lights = Lights(tmp_path, number=5)
    lights.write_masters(tmp_path / "masters")
    stacks = [aw.stack(lights.frames.isel(frame=some), "mean") for some in ([0, 1], [2, 3, 4])]
    files = [
        path
        for i, stack in enumerate(stacks)
        for path in stack.autowisp.to_fits(tmp_path / f"stack{i}.fits")
    ]
    found = aw.stack(aw.open_fits(files), "mean", weights=[2, 3])
    expected = aw.stack(lights.frames, "mean")
    assert (found["count"].values == expected["count"].values).all()
    for name in ("combined", "total_exposure", "time_start", "time_end"):
        assert found[name].values == expected[name].values, name
    for name in ("image", *PLANES):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, err_msg=name)


def test_raw_frames_are_opened_as_ever(tmp_path):
    files = (
        simulate.Night(shape=(8, 9), seed=1).objects(2).autowisp.to_fits(tmp_path / "{frame}.fits")
    )
    found = aw.open_fits(files)
    assert not {"shared_variance_from", "shared_variance", "count"} & {
        *found.coords,
        *found.data_vars,
    }
