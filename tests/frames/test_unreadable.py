import bz2
import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.errors import AutowispWarning
from autowisp_xr.frames import likely_type, scan


def cut_off(path, card, pack=bytes):
    """A file whose pixels are not all there."""
    whole = path.with_suffix(".whole")
    fits.writeto(whole, np.zeros((50, 70), "int16"), fits.Header(card))
    path.write_bytes(pack(whole.read_bytes()[:5760]))
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
@pytest.mark.parametrize(
    ("name", "card", "kind"),
    [
        ("a.fits", {"IMAGETYP": "Light Frame"}, "object"),
        ("a.fits", {"OBSTYPE": "zero"}, "bias"),
        ("flat-1.fits", {}, "flat"),
        ("a.fits", {}, ""),
        ("a.fits", {"IMAGETYP": "Dark", "OBSTYPE": "flat"}, ""),
    ],
)
def test_a_file_that_is_cut_off_is_known_by_a_card_or_its_name(name, card, kind, pack, tmp_path):
    (found,) = scan(cut_off(tmp_path / name, card, pack))
    assert found.error is not None
    assert likely_type(found) == kind


def test_a_packed_file_that_is_cut_off_is_known_by_what_can_be_unpacked(tmp_path):
    rng = np.random.default_rng(3)
    header = fits.Header({"IMAGETYP": "flat"})
    fits.writeto(tmp_path / "a", rng.integers(0, 9999, (200, 300), "int16"), header)
    content = gzip.compress((tmp_path / "a").read_bytes())
    (tmp_path / "a.fits.gz").write_bytes(content[: len(content) // 2])
    (found,) = scan(tmp_path / "a.fits.gz")
    assert found.error is not None
    assert likely_type(found) == "flat"


def test_rules_of_the_user_state_it_of_what_cannot_be_read_too(tmp_path):
    path = cut_off(tmp_path / "cap7.fits", {})
    assert likely_type(scan(path, types={"cap*": "object"})[0]) == "object"
    assert likely_type(scan(path, types={"cap*": "other"})[0]) == "other"


@pytest.mark.parametrize("content", [b"", b"no FITS file at all", b"\x1f\x8bXX", 5760 * b"\xff"])
def test_rubbish_is_of_no_type(content, tmp_path):
    (tmp_path / "a.fits").write_bytes(content)
    assert likely_type(scan(tmp_path / "a.fits")[0]) == ""


def test_a_product_that_has_lost_its_mask_is_doubted(tmp_path):
    sky = aw.simulate.Night(shape=(12, 16), seed=7, overscan=0)
    lights = aw.calibrate(sky.objects(1), camera=sky.camera, overscan=False)
    (path,) = map(Path, lights.autowisp.to_fits(tmp_path / "{RAWFNAME}.fits"))
    with fits.open(path) as hdus:
        end = hdus[0].filebytes()
    path.write_bytes(path.read_bytes()[:end])
    with pytest.warns(AutowispWarning, match="the mask that it was written with is not there"):
        assert list(aw.open_fits(path).data_vars) == ["image"]
