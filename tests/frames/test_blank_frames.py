"""Frames without an image are known by a few rows, however they are stored."""

import gzip
from io import BytesIO

import numpy as np
import pytest
from astropy.io import fits

from autowisp_xr import frames

SHAPE = (50, 70)
KINDS = {
    "plain": lambda data, path: fits.writeto(path, data),
    "tiles": lambda data, path: fits.HDUList(
        [fits.PrimaryHDU(), fits.CompImageHDU(data, compression_type="RICE_1")]
    ).writeto(path),
    "packed": lambda data, path: path.write_bytes(gzip.compress(_plain(data))),
}
NAMES = {"plain": "a.fits", "tiles": "a.fits.fz", "packed": "a.fits.gz"}


def _plain(data):
    content = BytesIO()
    fits.writeto(content, data)
    return content.getvalue()


def emptiness(data, tmp_path, kind="plain"):
    path = tmp_path / NAMES[kind]
    KINDS[kind](np.asarray(data), path)
    (record,) = frames.scan(path)
    return frames.emptiness(record)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("value", "full"), [(0, False), (512, False), (65535, True)])
def test_a_frame_of_one_value_is_empty(tmp_path, kind, value, full):
    found = emptiness(np.full(SHAPE, value, np.uint16), tmp_path, kind)
    assert found == (value, 0, 1.0, full)


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_of_noise_is_not(tmp_path, kind):
    noise = np.random.default_rng(1).normal(500, 0.5, SHAPE)
    assert emptiness(np.rint(noise).astype(np.uint16), tmp_path, kind) is None


def test_all_nan_is_empty_and_a_few_others_are_counted(tmp_path):
    data = np.full(SHAPE, np.nan, np.float32)
    assert np.isnan(emptiness(data, tmp_path).value)
    zero = np.zeros(SHAPE, np.int16)
    zero[3, 4:6] = 9
    (tmp_path / "b").mkdir()
    assert emptiness(zero, tmp_path / "b") == (0, 2, 1.0, False)


def test_rows_of_one_value_are_a_part(tmp_path):
    data = np.random.default_rng(2).integers(0, 999, SHAPE).astype(np.int16)
    data[25:] = 0
    found = emptiness(data, tmp_path)
    assert (found.value, found.rows) == (0, pytest.approx(0.5, abs=0.1))


def test_what_cannot_be_read_is_for_others_to_give(tmp_path):
    path = tmp_path / "a.fits"
    fits.writeto(path, np.zeros(SHAPE, np.int16))
    (record,) = frames.scan(path)
    path.write_bytes(path.read_bytes()[:2880])
    assert frames.emptiness(record) is None
