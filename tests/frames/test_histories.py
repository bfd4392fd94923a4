"""What the HISTORY of a file holds: its own frame, and its masters by file and digest."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import provenance, schema
from autowisp_xr.camera import Camera
from autowisp_xr.fits.image_cards import split_history
from autowisp_xr.frames.write import with_files

CAMERA = {"gain": 2.0, "read_noise": 6.0}


def raws(folder, kind, number, **camera):
    """Raw frames of a kind, from files in a folder of their own."""
    folder.mkdir(exist_ok=True)
    for i in range(number):
        header = fits.Header([("IMAGETYP", kind), ("EXPTIME", 10.0)])
        image = np.full((6, 8), 1000 + i, "u2")
        fits.PrimaryHDU(image, header).writeto(folder / f"{kind}{i}.fits", overwrite=True)
    return aw.open_fits(folder / f"{kind}*.fits", camera=Camera(**CAMERA, **camera))


def own_lines(path):
    """HISTORY cards of ours in a file."""
    cards = [str(card) for card in fits.getheader(path).cards]
    return len(cards) - len(split_history(cards)[0])


def test_the_history_of_a_frame_does_not_grow_with_their_number(tmp_path):
    lines = {}
    for number in (2, 12):
        done = aw.calibrate(raws(tmp_path / str(number), "object", number))
        paths = aw.to_fits(done, tmp_path / f"{number}_{{frame}}.fits")
        lines[number] = {own_lines(path) for path in paths}
        steps = provenance.history(aw.open_fits(paths[1]))
        assert provenance.identity(aw.open_fits(paths)) == provenance.identity(done)
        assert [Path(file["path"]).name for file in steps[0]["inputs"]] == ["object1.fits"]
    assert max(lines[12]) <= max(lines[2]) + 1


@pytest.mark.parametrize("channels", [None, "RGGB"])
def test_frames_that_are_read_together_have_their_history_again(tmp_path, channels):
    done = aw.calibrate(raws(tmp_path / "raw", "object", 3, channels=channels))
    paths = aw.to_fits(done, tmp_path / "{frame}_{CLRCHNL}.fits", hashes=False)
    assert aw.open_fits(paths).attrs["history"] == done.attrs["history"]
    first = aw.open_fits([path for path in paths if "object2" not in path])
    assert provenance.frame_identities(first) == provenance.frame_identities(done)[:2]
    files = provenance.history(first)[0]["inputs"]
    assert [file["frame"] for file in files] == ["object0", "object1"]


def test_frames_of_several_files_each_name_their_own(tmp_path):
    split = aw.calibrate(raws(tmp_path / "raw", "object", 2, channels="RGGB"))
    paths = aw.to_fits(split, tmp_path / "a_{frame}_{CLRCHNL}.fits")
    # other steps, so that the history begins anew with the files
    more = aw.apply_masks(split.isel(frame=[1]), np.zeros((3, 4), "u1"))
    paths[4:] = aw.to_fits(more, tmp_path / "b_{frame}_{CLRCHNL}.fits")
    both = aw.open_fits(paths)
    (again, *_) = aw.to_fits(both, tmp_path / "c_{frame}_{CLRCHNL}.fits")
    (step,) = provenance.history(aw.open_fits(again))
    assert [file["path"] for file in step["inputs"]] == paths[:4]


def test_a_master_holds_what_it_was_made_of_and_a_frame_only_the_master(tmp_path):
    bias = aw.master_bias(raws(tmp_path / "raw", "bias", 5))
    (path,) = aw.to_fits(bias, tmp_path / "bias.fits")
    assert len(provenance.history(aw.open_fits(path))[0]["inputs"]) == 5
    read = schema.as_master(aw.open_fits(path))
    done = aw.calibrate(raws(tmp_path / "raw", "object", 2), bias=read)
    (first, _) = aw.to_fits(done, tmp_path / "{frame}.fits")
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    step = provenance.history(aw.open_fits(first))[-1]
    assert step["masters"] == {"bias": provenance.identity(bias)}
    assert step["files"]["bias"][""]["path"] == path
    assert step["files"]["bias"][""]["sha256"] == digest
    header = fits.getheader(first)
    assert (header["BIASFILE"], header["BIASSHA"]) == ("bias.fits", digest)
    assert "bias3" not in str(fits.getheader(first))


def test_each_channel_names_the_file_of_its_channel(tmp_path):
    bias = aw.master_bias(raws(tmp_path / "raw", "bias", 3, channels="RGGB"))
    files = aw.to_fits(bias, tmp_path / "bias_{CLRCHNL}.fits")
    raw = raws(tmp_path / "raw", "object", 1, channels="RGGB")
    for master in (schema.as_master(aw.open_fits(files)), with_files(bias, files)):
        paths = aw.to_fits(
            aw.calibrate(raw, bias=master), tmp_path / "o_{CLRCHNL}.fits", overwrite=True
        )
        names = [fits.getheader(path)["BIASFILE"] for path in paths]
        assert names == [f"bias_{channel}.fits" for channel in ("R", "G1", "G2", "B")]


def test_a_master_that_is_in_no_file_is_named_by_its_identity(tmp_path):
    bias = aw.master_bias(raws(tmp_path / "raw", "bias", 3)).drop_vars("path", errors="ignore")
    done = aw.calibrate(raws(tmp_path / "raw", "object", 1), bias=bias)
    (path,) = aw.to_fits(done, tmp_path / "o.fits")
    header = fits.getheader(path)
    assert header["SUBBIAS"] == provenance.identity(bias)
    assert "BIASFILE" not in header
    assert "BIASSHA" not in header


def test_frames_of_several_nights_name_no_master_of_another_night(tmp_path):
    nights = []
    for night in ("mon", "tue"):
        bias = aw.master_bias(raws(tmp_path / night, "bias", 3))
        aw.to_fits(bias, tmp_path / night / "master.fits")
        read = schema.as_master(aw.open_fits(tmp_path / night / "master.fits"))
        nights.append(aw.calibrate(raws(tmp_path / night, "object", 1), bias=read))
    joined = aw.concat(nights)
    for path in aw.to_fits(joined, tmp_path / "{frame}_out.fits".replace("/", "_")):
        assert "BIASFILE" not in fits.getheader(path)
        assert fits.getheader(path)["CALSTAT"] == "B"
