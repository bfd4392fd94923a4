import itertools
import pickle
from concurrent.futures import ThreadPoolExecutor

import dask
import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

from autowisp_xr.camera import Camera
from autowisp_xr.fits import lazy_pixels, pixels
from autowisp_xr.opening import open_fits

KEYS = {
    "frame": [slice(None), 1, [2, 0], slice(None, None, -1)],
    "channel": [slice(None), 2, [3, 1]],
    "y": [slice(None), 1, slice(1, 2), [1, 0]],
    "x": [slice(None), -1, slice(None, None, 2), [2, 0, 0]],
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three files of a mosaic, which no test changes, and their pixels."""
    data = np.arange(3 * 35, dtype="uint16").reshape(3, 5, 7)
    folder = tmp_path_factory.mktemp("mosaic")
    header = fits.Header({"IMAGETYP": "object", "EXPTIME": 30.0})
    paths = [folder / f"m{i}.fits" for i in range(3)]
    for path, image in zip(paths, data, strict=True):
        fits.writeto(path, image, header)
    return paths, data


@pytest.fixture
def mosaic(files):
    paths, data = files
    return open_fits(paths, camera=Camera(channels="RGGB")), data


def test_channels_are_slices_of_the_mosaic(mosaic):
    ds, data = mosaic
    assert ds.image.shape == (3, 4, 2, 3)
    for channel, (y, x) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        np.testing.assert_array_equal(ds.image[:, channel], data[:, y:4:2, x:6:2])


@pytest.mark.parametrize("keys", list(itertools.product(*KEYS.values())))
def test_any_part_equals_that_part_of_the_whole(mosaic, keys):
    ds, _ = mosaic
    index = dict(zip(KEYS, keys, strict=True))
    np.testing.assert_array_equal(ds.image.isel(index), ds.image.load().isel(index))


@pytest.mark.parametrize("piece", [1, 30, 50])
@pytest.mark.parametrize("keys", list(itertools.product(*KEYS.values())))
def test_any_part_is_the_same_in_pieces_of_any_size(mosaic, monkeypatch, keys, piece):
    ds, _ = mosaic
    index = dict(zip(KEYS, keys, strict=True))
    expected = ds.image.isel(index).values
    monkeypatch.setattr(pixels, "_PIECE", piece)
    np.testing.assert_array_equal(ds.image.isel(index), expected)


def test_a_vector_of_pixels_can_be_picked(mosaic):
    ds, _ = mosaic
    points = {"y": xr.DataArray([0, 1], dims="p"), "x": xr.DataArray([2, 1], dims="p")}
    np.testing.assert_array_equal(ds.image.isel(points), ds.image.load().isel(points))


def test_a_band_of_all_frames_reads_its_rows_of_each_file_once(mosaic, monkeypatch):
    ds, _ = mosaic
    reads = []
    original = lazy_pixels.stored_pieces

    def counted(plane, start, stop):
        reads.append((plane.path[-7:], start, stop))
        return original(plane, start, stop)

    monkeypatch.setattr(lazy_pixels, "stored_pieces", counted)
    ds.image.isel(y=slice(1, 2)).load()
    assert reads == [("m0.fits", 2, 4), ("m1.fits", 2, 4), ("m2.fits", 2, 4)]


def test_nothing_is_read_before_it_is_asked_for(mosaic, monkeypatch):
    ds, _ = mosaic

    def refuse(*args):
        raise AssertionError("pixels were read")

    monkeypatch.setattr(lazy_pixels, "stored_pieces", refuse)
    ds.isel(frame=[0], y=slice(1)).chunk(frame=1)
    repr(ds)


def test_the_array_is_pickled_with_its_files(mosaic):
    ds, _ = mosaic
    again = pickle.loads(pickle.dumps(ds))
    np.testing.assert_array_equal(again.image, ds.image)


def test_dask_names_depend_on_files_and_slices_only(mosaic, raw):
    ds, _ = mosaic
    paths = [str(path) for path in ds.path.values]
    camera = Camera(channels="RGGB")

    def name(*args, **kwargs):
        return open_fits(*args, **kwargs).chunk().image.data.name

    assert name(paths, camera=camera) == name(paths, camera=camera)
    assert name(paths, camera=camera) != name(paths, camera=Camera(channels="BGGR"), dtype="f4")
    assert name(paths, camera=camera) != name(paths[::-1], camera=camera)


def test_many_threads_read_the_same(mosaic):
    ds, _ = mosaic
    whole = ds.image.values
    with ThreadPoolExecutor(8) as pool:
        for values in pool.map(lambda _: ds.image.values, range(40)):
            np.testing.assert_array_equal(values, whole)
    with dask.config.set(scheduler="threads"):
        np.testing.assert_array_equal(ds.chunk(frame=1, y=1).image, whole)


def test_errors_are_squared_in_float64(product):
    ds = open_fits(product())
    error = np.arange(35, dtype="f4").reshape(5, 7) / 4
    assert ds.variance.dtype == np.float32
    np.testing.assert_array_equal(ds.variance[0, 0], (error.astype("f8") ** 2).astype("f4"))
    assert open_fits(product("q.fits"), dtype="float64").variance.dtype == np.float64
