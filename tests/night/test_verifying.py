"""Products are made again of their records."""

import shutil
from dataclasses import replace

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


@pytest.mark.parametrize("saturation", [None, 65_435.0, 50_000.0])
def test_the_largest_integer_of_a_file_is_no_saturation_that_was_stated(
    night, tmp_path, saturation
):
    camera = replace(SKY.camera, saturation=saturation, bias_level=100.0)
    raw = aw.open_fits(sorted((night / "raw").glob("object*.fits"))[:1], camera=camera)
    (path,) = aw.to_fits(aw.calibrate(raw, overscan=False), tmp_path / "light.fits")
    assert ("SATURATE" in fits.getheader(path)) == (saturation is not None)
    assert verify(path).differences == ()


def test_a_master_that_was_in_memory_is_found_and_its_file_not_named(night, tmp_path):
    bias = aw.master_bias(
        aw.open_fits(sorted((night / "raw").glob("bias*.fits")), camera=SKY.camera)
    )
    aw.to_fits(bias, tmp_path / "bias.fits")
    raw = aw.open_fits(sorted((night / "raw").glob("object*.fits"))[:1], camera=SKY.camera)
    (path,) = aw.to_fits(aw.calibrate(raw, bias=bias), tmp_path / "light.fits")
    assert verify(path).differences == ()


def test_frames_with_flags_of_cosmic_rays_are_made_again(night, tmp_path):
    pytest.importorskip("astroscrappy")
    raw = aw.open_fits(sorted((night / "raw").glob("object*.fits"))[:1], camera=SKY.camera)
    (path,) = aw.to_fits(aw.calibrate(raw, cosmic_rays=True), tmp_path / "light.fits")
    assert verify(path).verbs[-1] == "flag_cosmic_rays"
    assert verify(path).differences == ()


def test_kinds_of_products_that_are_not_made_again_are_named(night, tmp_path, capsys):
    mask = str(next((night / "out" / "masters").glob("defects*.fits")))
    stacked = str(tmp_path / "stacked.fits")
    frames = [str(night / "raw" / f"object-000{number}.fits") for number in (1, 2)]
    options = ["--min-valid-frames", "2", "--min-valid-values", "2", "--outlier-threshold", "1"]
    options += ["--stacked-master-fname", stacked]
    assert main(["stack", *frames, *options]) == 0
    capsys.readouterr()
    assert main(["verify", mask, stacked]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "it is a mask of defective pixels" in lines[0]
    assert "it is a product as the original AutoWISP writes them" in lines[1]
    assert lines[2:] == ["2 products: 2 cannot be verified"]


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
    path, other = light(copied), str(next((copied / "masters").glob("bias*.fits")))
    name = fits.getheader(path)["RAWFNAME"]
    moved = tmp_path / "moved.fits"
    raw = night / "raw" / f"{name}.fits"
    shutil.move(raw, moved)
    try:
        assert main(["verify", path, other]) == 1
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith(f"{path}: cannot be verified: ")
        assert f"{name}.fits, of which it was made, cannot be read" in lines[0]
        assert lines[1].startswith(f"{other}: made again")
        assert lines[2] == "2 products: 1 same, 1 cannot be verified"
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
