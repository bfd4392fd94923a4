"""Damaged results of a night are noticed, named, and made again to the same bits."""

import os
import shutil

import pytest

import autowisp_xr as aw
from autowisp_xr.errors import DamagedStoreError
from tests.night import kills
from tests.night.reducing import reduce


@pytest.fixture(scope="module")
def whole(sky, tmp_path_factory):
    """A night, its results, and what they are."""
    folder = tmp_path_factory.mktemp("night")
    for frames in (sky.bias(2), sky.dark(2), sky.objects(2)):
        frames.autowisp.to_fits(folder / "raw" / "{RAWFNAME}.fits")
    reduce(folder / "raw", folder / "out", camera=sky.camera)
    return folder, products(folder / "out")


@pytest.fixture
def raw(whole):
    return whole[0] / "raw"


@pytest.fixture
def one_more(raw, sky):
    """A light that comes later."""
    (path,) = sky.objects(3).isel(frame=[2]).autowisp.to_fits(raw / "{RAWFNAME}.fits")
    yield path
    os.unlink(path)


@pytest.fixture
def out(whole, tmp_path):
    """The results, which are put back afterwards."""
    place = whole[0] / "out"
    shutil.copytree(place, tmp_path / "saved")
    yield place
    shutil.rmtree(place)
    shutil.copytree(tmp_path / "saved", place)


def products(out):
    """All that a run has made, but for what it states of itself."""
    own = ("summary", "night.zarr/summary", "night.zarr/manifest", "night.zarr/products")
    return {name: one for name, one in kills.products(out).items() if not name.startswith(own)}


def flip(path, *, in_silence=False):
    content, status = bytearray(path.read_bytes()), path.stat()
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)
    if in_silence:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_whatever_is_damaged_is_made_again_in_one_run(whole, raw, out, sky):
    store, frames = out / "night.zarr", sorted((out / "calibrated" / "V_60s").glob("*.fits"))
    flip(out / "masters" / "bias.fits")
    frames[0].write_bytes(frames[0].read_bytes()[:-2880])
    frames[1].write_bytes(b"")
    flip(store / "masters" / "bias" / "variance" / "c" / "0" / "0" / "0")
    (store / "masters" / "dark_60s" / "count" / "zarr.json").write_bytes(b"")
    shutil.rmtree(store / "calibrated" / "V_60s" / "image" / "c" / "1")
    summary = reduce(raw, out, camera=sky.camera)
    assert not summary.failed
    assert products(out) == whole[1] | {
        "masters/bias.fits.damaged": products(out)["masters/bias.fits.damaged"]
    }
    again = {one.group: one.again for one in summary.made}
    assert "the chunk variance/c/0/0/0 is damaged" in again["masters/bias"]
    assert "count/zarr.json is damaged" in again["masters/dark_60s"]
    assert "the chunk image/c/1/0/0/0 is lost" in again["calibrated/V_60s"]
    text = str(summary)
    assert "masters/bias.fits: the pixels of HDU" in text
    assert "bias.fits.damaged now" in text
    after = reduce(raw, out, camera=sky.camera)
    assert all(one.there and not one.again for one in after.made)


@pytest.mark.parametrize("harm", ["cut", "lose"])
def test_metadata_of_the_night_are_made_again(harm, whole, raw, out, sky):
    for path in (out / "night.zarr", out / "night.zarr" / "products"):
        metadata = path / "zarr.json"
        content = metadata.read_bytes()
        metadata.write_bytes(content[: len(content) // 2])
        if harm == "lose":
            metadata.unlink()
    summary = reduce(raw, out, camera=sky.camera)
    assert products(out) == whole[1]
    assert [note.partition(" ")[0] for note in summary.notes[:2]] == [
        "the",
        f"{out}/night.zarr/zarr.json",
    ]
    assert all(one.there for one in summary.made)


def test_what_shows_its_damage_only_when_it_is_read_is_made_again_for_what_needs_it(
    raw, out, sky, request
):
    dark = out / "night.zarr" / "masters" / "dark_60s"
    chunk = dark / "image" / "c" / "0" / "0" / "0"
    before = chunk.read_bytes()
    flip(chunk, in_silence=True)
    with pytest.raises(DamagedStoreError, match=f"{dark}: the chunk image/c/0/0/0 is damaged"):
        aw.open_zarr(out / "night.zarr", group="masters/dark_60s").load()
    request.getfixturevalue("one_more")
    summary = reduce(raw, out, camera=sky.camera)
    assert not summary.failed
    made = {one.group: one for one in summary.made}
    assert "the chunk image/c/0/0/0 is damaged" in made["masters/dark_60s"].again
    assert sorted(made) == ["calibrated/V_60s", "masters/bias", "masters/dark_60s"]
    assert chunk.read_bytes() == before


def test_a_file_that_somebody_has_changed_is_not_taken_for_a_damaged_one(raw, out, sky):
    from astropy.io import fits

    path = sorted((out / "calibrated" / "V_60s").glob("*.fits"))[0]
    with fits.open(path, mode="update") as hdus:
        hdus[0].data[...] *= 2
        hdus[0].header["SCALED"] = 2
    content = path.read_bytes()
    summary = reduce(raw, out, camera=sky.camera)
    assert path.read_bytes() == content
    assert "it was changed since reduce wrote it" in str(summary)


def test_moved_results_are_still_themselves(raw, out, sky, tmp_path):
    shutil.copytree(out, tmp_path / "moved", copy_function=shutil.copyfile)
    summary = reduce(raw, tmp_path / "moved", camera=sky.camera)
    assert all(one.there and not one.again for one in summary.made)
