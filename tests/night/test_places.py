"""Results that go among raw frames, and raw frames that lie among results.

Raw files are never taken for results, nor results for raw files: a run is right, or refused.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from tests.faults.jobs import settle

PRODUCTS = {"bias.fits", "flat_V.fits", "object-0001.fits", "object-0002.fits"}

# the directory of the raw frames, and that of the results
INSIDE = [
    ("raw", "raw/2024/03/out"),
    ("raw", "raw/night.zarr"),
    ("raw", "raw/masters"),
]
# and some that are refused
REFUSED = [("raw", "raw"), ("raw", "link"), ("out/night.zarr/raw", "out")]
# whether there were results before, and the place of the raw frames
AMONG = [(False, "raw"), (True, "masters"), (True, "calibrated/V_60s")]


@pytest.fixture(scope="module")
def night(sky, tmp_path_factory):
    """Raw frames and their results, beside each other."""
    top = tmp_path_factory.mktemp("night")
    for frames in (sky.bias(3), sky.flat(3), sky.objects(2)):
        aw.to_fits(frames, top / "raw" / "{RAWFNAME}.fits")
    settle(top / "raw")
    _reduced(top / "raw", top / "out", sky)
    return top


@pytest.fixture
def put(night, tmp_path, monkeypatch):
    """A function that copies the raw frames to a place."""
    monkeypatch.chdir(tmp_path)

    def copy(place):
        shutil.copytree(night / "raw", place, dirs_exist_ok=True)
        settle(Path(place))
        return Path(place)

    return copy


def _reduced(raw, out, sky, **options):
    return aw.reduce(raw, out, camera=sky.camera, defects="none", **options)


def pixels(out):
    """Planes of all products in a directory, by name."""
    found = {}
    for path in [*out.glob("masters/*.fits"), *out.glob("calibrated/*/*.fits")]:
        with fits.open(path, memmap=False) as hdus:
            found[path.name] = [np.array(hdu.data).tobytes() for hdu in hdus]
    return found


def content(folder, names):
    return {name: (folder / name).read_bytes() for name in names}


@pytest.mark.parametrize(("place", "out"), INSIDE)
def test_results_among_raw_frames_are_no_raw_frames_of_the_next_run(place, out, put, night, sky):
    raw = put(place)
    before = content(raw, os.listdir(raw))
    for _ in range(2):
        summary = _reduced(raw, out, sky)
        assert summary.exit_status == 0
        assert summary.left_out == {}
        assert pixels(Path(out)) == pixels(night / "out")
    assert content(raw, before) == before


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(("place", "out"), REFUSED)
def test_where_results_would_lie_among_raw_frames_nothing_is_written(
    place, out, overwrite, put, sky
):
    raw = put(place)
    Path("link").symlink_to("raw")
    before = sorted(Path().rglob("*")), content(raw, os.listdir(raw))
    with pytest.raises(FileExistsError, match="choose another directory"):
        _reduced(raw, out, sky, overwrite=overwrite)
    assert (sorted(Path().rglob("*")), content(raw, before[1])) == before


@pytest.mark.parametrize(("earlier", "place"), AMONG)
def test_raw_frames_among_results_are_never_replaced(earlier, place, put, night, sky):
    if earlier:
        shutil.copytree(night / "out", "out")
    raw = put(f"out/{place}")
    before = content(raw, os.listdir(night / "raw"))
    there = {path: path.read_bytes() for path in Path("out").rglob("*.fits")}
    if earlier:
        summary = _reduced(raw, "out", sky)
        assert not summary.made
        assert all("choose another directory" in why for why in summary.failed.values())
    else:
        with pytest.raises(FileExistsError, match="choose another directory"):
            _reduced(raw, "out", sky)
    assert {path: path.read_bytes() for path in Path("out").rglob("*.fits")} == there

    summary = _reduced(raw, "out", sky, overwrite=True)
    assert content(raw, before) == before
    assert {os.path.basename(path) for one in summary.made for path in one.inputs} == before.keys()
    kept = {note for one in summary.made for note in one.notes if note.startswith("kept")}
    # the raw lights have the names of calibrated ones
    assert len(kept) >= (place == "calibrated/V_60s")
    assert all("this run reads it" in note for note in kept)
    written = pixels(Path("out"))
    wanted = pixels(night / "out")
    assert {name for name in wanted if written[name] != wanted[name]} <= before.keys()


def test_each_of_two_places_of_results_names_those_of_the_other(put, night, sky):
    raw = put("raw")
    _reduced(raw, "raw/one", sky)
    for out, other in (("two", "one"), ("one", "two")) * 2:
        summary = _reduced(raw, f"raw/{out}", sky)
        assert {os.path.basename(path) for path in summary.left_out} == PRODUCTS
        for path, reason in summary.left_out.items():
            assert f"raw/{other}/" in path
            assert "calibrated already" in reason or "master" in reason
        assert pixels(raw / out) == pixels(night / "out")
