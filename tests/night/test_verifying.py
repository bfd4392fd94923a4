"""Products are made again of their records."""

import shutil

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import simulate
from autowisp_xr.cli import main
from autowisp_xr.night import CannotVerifyError, verify

SKY = simulate.Night(shape=(32, 48), seed=3, gain=0.6, read_noise=8.0)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A small night, reduced."""
    top = tmp_path_factory.mktemp("night")
    for frames in (SKY.bias(3), SKY.dark(3), SKY.flat(3), SKY.objects(2)):
        aw.to_fits(frames, top / "raw" / "{RAWFNAME}.fits")
    aw.night.reduce(top / "raw", top / "out", camera=SKY.camera)
    return top


@pytest.fixture
def copied(night, tmp_path):
    """A copy of its results that may be changed; the raw frames are where they were."""
    shutil.copytree(night / "out", tmp_path / "out")
    return tmp_path / "out"


def light(out):
    return str(next(iter(sorted((out / "calibrated").rglob("*.fits")))))


def test_each_product_of_a_night_is_what_its_record_makes(night):
    products = [light(night / "out")]
    products += [str(path) for path in (night / "out" / "masters").glob("[bf]*.fits")]
    products += [str(next((night / "out" / "masters").glob("dark*.fits")))]
    for path in products:
        verified = verify(path)
        assert verified.differences == (), str(verified)
        assert "the same pixels and cards" in str(verified)


def test_a_stack_of_frames_is_made_again(night, tmp_path):
    raw = aw.open_fits(sorted((night / "raw").glob("object*.fits")), camera=SKY.camera)
    deep = raw.autowisp.calibrate().autowisp.stack("mean", reject=aw.SigmaClip(4.0, scale="mad"))
    (path,) = deep.autowisp.to_fits(tmp_path / "deep.fits")
    assert verify(path).differences == ()
    assert verify(path).verbs[-3:] == ("open_fits", "calibrate", "stack")


def test_what_differs_is_named_in_pixels_and_cards(copied, capsys):
    path = light(copied)
    with fits.open(path, mode="update") as hdus:
        hdus[0].data[3, 5] += 2
        hdus["MASK"].data[0, 1] ^= 4
        hdus[0].header["EXPTIME"] = 11.0
        del hdus[0].header["CALSTAT"]
    assert main(["verify", path]) == 3
    out = capsys.readouterr().out
    assert "and it differs:" in out
    assert "image: 1 pixel of " in out
    assert "by 2 at most; the first at column 5, row 3: " in out
    assert "mask: 1 pixel of " in out
    assert "EXPTIME: 11.0, made again 60.0" in out
    assert "CALSTAT: no such card, made again 'BDF'" in out


def test_what_is_gone_or_another_is_refused_by_name(night, copied, tmp_path, capsys):
    path = light(copied)
    name = fits.getheader(path)["RAWFNAME"]
    moved = tmp_path / "moved.fits"
    raw = night / "raw" / f"{name}.fits"
    shutil.move(raw, moved)
    try:
        assert main(["verify", path]) == 1
        assert f"{name}.fits, of which it was made, cannot be read" in capsys.readouterr().err
        fits.PrimaryHDU(np.zeros((3, 4), "i2")).writeto(raw)
        with pytest.raises(CannotVerifyError, match="is not what it was then"):
            verify(path)
        with pytest.raises(CannotVerifyError, match="no record of this package"):
            verify(str(raw))
    finally:
        shutil.move(moved, raw)
    other = aw.trim(aw.open_fits(path), aw.Region(xmin=9, xmax=20, ymin=2, ymax=20))
    (path,) = other.autowisp.to_fits(tmp_path / "cut.fits")
    with pytest.raises(CannotVerifyError, match="a step that is not repeated: trim"):
        verify(path)


def test_a_master_that_is_gone_is_refused_by_its_identity(night, tmp_path):
    alone = tmp_path / "a" / "b" / "c" / "light.fits"
    alone.parent.mkdir(parents=True)
    shutil.copy(light(night / "out"), alone)
    flat = next((night / "out" / "masters").glob("flat*.fits"))
    shutil.move(flat, tmp_path / "flat.fits")
    try:
        with pytest.raises(CannotVerifyError, match=r"the flat with the identity \w+ \(.*flat"):
            verify(str(alone))
    finally:
        shutil.move(tmp_path / "flat.fits", flat)
