"""Lazily indexed frames are read by the tasks that calibrate them."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import simulate
from autowisp_xr.fits.lazy_pixels import Planes
from autowisp_xr.testing import assert_frames_equal


@pytest.fixture
def sky():
    return simulate.Night(shape=(16, 24), seed=4)


@pytest.fixture
def masters(sky):
    bias = aw.master_bias(sky.bias(5), camera=sky.camera)
    return {"bias": bias, "flat": aw.master_flat(sky.flat(5), bias=bias, camera=sky.camera).high}


@pytest.fixture
def masters_of_all_pixels(sky):
    """Masters from which no overscan is subtracted."""
    bias = aw.master_bias(sky.bias(5), camera=sky.camera, overscan=False)
    flats = aw.master_flat(sky.flat(5), bias=bias, camera=sky.camera, overscan=False)
    return {"bias": bias, "flat": flats.high}


@pytest.fixture
def raw(sky, tmp_path):
    paths = aw.to_fits(sky.objects(4), tmp_path / "{frame}.fits")
    return aw.open_fits(paths, camera=sky.camera)


@pytest.fixture
def reads(monkeypatch):
    """Paths of the frames that are read, in their order."""
    seen = []
    read = Planes.read

    def counting(self, key):
        frames = np.atleast_1d(np.arange(self.shape[0])[key[0]])
        seen.extend(self.planes[frame][0].path for frame in frames)
        return read(self, key)

    monkeypatch.setattr(Planes, "read", counting)
    return seen


@pytest.mark.parametrize("chunks", [{}, {"y": 5}, {"y": 3, "x": 7}])
def test_what_is_read_late_is_what_is_read_at_once(raw, masters, chunks):
    lazy = {kind: master.chunk(chunks) for kind, master in masters.items()}
    late = aw.calibrate(raw, **lazy)
    assert late["image"].chunks is not None
    assert_frames_equal(late.compute(), aw.calibrate(raw.compute(), **masters))
    part = late.isel(frame=[3, 1], y=slice(2, 6))
    assert_frames_equal(part.compute(), late.compute().isel(frame=[3, 1], y=slice(2, 6)))


def test_without_a_master_the_frames_alone_state_how_large_they_are(raw):
    late = aw.add_noise(raw)
    assert late.sizes == raw.sizes
    assert_frames_equal(late.compute(), aw.add_noise(raw.compute()))


@pytest.mark.parametrize("leaks", [(), ((0, 1),)])
def test_each_frame_is_read_once(raw, masters_of_all_pixels, reads, leaks):
    camera = replace(aw.schema.camera_of(raw), leak_directions=leaks)
    late = aw.calibrate(raw, camera=camera, overscan=False, **masters_of_all_pixels)
    assert reads == []
    late.compute()
    assert sorted(reads) == sorted(raw["path"].values.tolist())


def test_no_frame_is_read_by_a_task_of_its_own(raw, masters_of_all_pixels):
    camera = replace(aw.schema.camera_of(raw), leak_directions=())
    late = aw.calibrate(raw, camera=camera, overscan=False, **masters_of_all_pixels)
    graph = late["image"].data.dask.to_dict()
    alone = [key for key in graph if isinstance(key, tuple) and key[0].startswith("array-")]
    assert all(len(key) < 5 for key in alone), alone


def test_the_same_files_give_the_same_names(raw, masters):
    again = aw.open_fits(raw["path"].values.tolist(), camera=aw.schema.camera_of(raw))
    one, other = (aw.calibrate(ds, **masters)["image"].data.name for ds in (raw, again))
    assert one == other
    assert aw.calibrate(raw.isel(frame=slice(2)), **masters)["image"].data.name != one


def test_the_input_stays_lazy(raw, masters):
    before = raw.copy()
    aw.calibrate(raw, **masters).compute()
    assert raw["image"].chunks is None
    assert not raw["image"].variable._in_memory
    xr.testing.assert_identical(raw, before)
