"""What a manifest knows of files is what a look into them would find, and no more."""

import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

from autowisp_xr import provenance
from autowisp_xr.frames import Manifest, manifest, open_records, scan
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.store.group import Group

NAMES = ["night/b.fits", "night/c.fits.fz", "night/d.fit.gz", "night/darks/e.fits"]


@pytest.fixture
def night(raw, product, tmp_path):
    """A folder with files of many kinds, all of them an hour old."""
    for number, name in enumerate(NAMES):
        raw(name, cards={"DATE-OBS": f"2024-03-01T0{number}:00:00", "CCD-TEMP": -number / 3})
    product("night/p.fits")
    product("night/counts.fits", planes=("image",), cards={"FILTER": "R"}, empty_primary=True)
    raw("night/two_types.fits", cards={"OBSTYPE": "bias"})
    (tmp_path / "night" / "short.fits").write_bytes((tmp_path / NAMES[0]).read_bytes()[:2900])
    return age(tmp_path / "night")


def age(folder):
    for path in folder.rglob("*.fi*"):
        os.utime(path, (time.time() - 3600,) * 2)
    return folder


@pytest.fixture
def opened(monkeypatch):
    """The names of the files that are opened from now on."""
    names = []

    def look(files, **options):
        names.extend(map(os.path.basename, files))
        return scan_files(files, **options)

    scan_files = manifest.scan_files
    monkeypatch.setattr(manifest, "scan_files", look)
    return names


def look(folder, tmp_path, **options):
    """Scan by the manifest beside a folder; return the records and the notes."""
    one = Manifest(tmp_path / "m.zarr")
    return one.scan(folder, deep=True, **options), one.notes


def assert_same(records, others):
    assert [one.path for one in records] == [one.path for one in others]
    for one, other in zip(records, others, strict=True):
        for name in ("layout", "facts", "place", "guesses", "doubts", "options", "error"):
            assert repr(getattr(one, name)) == repr(getattr(other, name))
        assert sorted(map(repr, one.coordinates.items())) == sorted(
            map(repr, other.coordinates.items())
        )


def test_the_second_look_opens_nothing_and_finds_the_same(night, tmp_path, opened):
    first, _ = look(night, tmp_path)
    assert len(opened) == 8
    again, notes = look(night, tmp_path)
    assert (len(opened), notes) == (8, [])
    assert_same(again, scan(night, deep=True))
    assert_same(first, again)
    with xr.open_zarr(tmp_path / "m.zarr", group="manifest", consolidated=False) as table:
        times = dict(zip(table["path"].values, table["time"].values, strict=True))
    assert times["darks/e.fits"] == np.datetime64("2024-03-01T03:00:15")
    assert np.isnat(times["p.fits"])


@pytest.mark.parametrize("what", ["size", "time"])
def test_what_has_changed_is_opened_again(night, raw, tmp_path, opened, what):
    look(night, tmp_path)
    opened.clear()
    if what == "size":
        (night / "b.fits").unlink()
        raw("night/b.fits", np.zeros((50, 70), np.uint16), {"FILTER": "V"})
        os.utime(night / "b.fits", (1e9, 1e9))
    else:
        fits.setval(night / "b.fits", "FILTER", value="V")
        os.utime(night / "b.fits", (time.time() - 60,) * 2)
    records, _ = look(night, tmp_path)
    assert opened == ["b.fits"]
    assert records[0].coordinates["filter"] == "V"
    assert look(night, tmp_path)[0][0].coordinates["filter"] == "V"
    assert opened == ["b.fits"]


def test_a_file_that_has_just_been_written_is_not_believed_yet(night, tmp_path, opened):
    os.utime(night / "b.fits")
    look(night, tmp_path)
    opened.clear()
    look(night, tmp_path)
    assert opened == ["b.fits"]


def test_what_is_removed_vanishes(night, tmp_path, opened):
    look(night, tmp_path)
    (night / "b.fits").unlink()
    assert_same(look(night, tmp_path)[0], scan(night, deep=True))
    assert len(opened) == 8
    assert len(Manifest(tmp_path / "m.zarr").records()) == 7


def test_a_part_of_the_files_leaves_the_others_known(night, tmp_path, opened):
    look(night, tmp_path)
    look([night / "b.fits", night / "p.fits"], tmp_path)
    assert len(opened) == 8
    look(night, tmp_path)
    assert len(opened) == 8


def test_files_that_change_often_do_not_make_it_grow(night, tmp_path):
    for second in range(20):
        os.utime(night / "b.fits", (1e9 + second,) * 2)
        look(night, tmp_path)
    with xr.open_zarr(tmp_path / "m.zarr", group="manifest", consolidated=False) as table:
        assert table.sizes["file"] <= 16


@pytest.mark.parametrize(
    ("part", "how"),
    [
        ("known/c/0", "cut"),
        ("exposure/c/0", "gone"),
        ("header/zarr.json", "garbled"),
        ("zarr.json", "cut"),
        ("zarr.json", "gone"),
    ],
)
def test_damage_is_noticed_and_repaired(night, tmp_path, opened, part, how):
    look(night, tmp_path)
    opened.clear()
    path = tmp_path / "m.zarr" / "manifest" / part
    content = path.read_bytes()
    path.unlink()
    if how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "garbled":
        path.write_bytes(bytes(255 - byte for byte in content))
    records, notes = look(night, tmp_path)
    assert_same(records, scan(night, deep=True))
    # without its attributes, it is no manifest at all
    assert any("damaged" in note for note in notes) or (part, how) == ("zarr.json", "gone")
    assert len(opened) == 8
    assert look(night, tmp_path)[1] == []
    assert len(opened) == 8


@pytest.mark.parametrize(
    "options",
    [
        {"hdu": 1},
        {"types": {"b*": "flat"}},
        {"aliases": KeywordAliases().extended(filter="WHEEL")},
    ],
)
def test_other_options_find_everything_anew(night, tmp_path, opened, options):
    look(night, tmp_path)
    records, notes = look(night, tmp_path, **options)
    assert (len(opened), len(notes)) == (16, 1)
    assert_same(records, scan(night, deep=True, **options))
    assert_same(look(night, tmp_path, **options)[0], records)
    assert len(opened) == 16


def test_another_version_of_the_scanner_is_not_believed(night, tmp_path, opened, monkeypatch):
    look(night, tmp_path)
    monkeypatch.setattr(manifest, "VERSION", manifest.VERSION + 1)
    assert "of another version" in look(night, tmp_path)[1][0]
    assert len(opened) == 16


def test_a_folder_that_was_moved_is_known_by_its_name(night, tmp_path, opened):
    look(night, tmp_path)
    opened.clear()
    moved = shutil.move(night, tmp_path / "archive" / "night")
    assert_same(look(moved, tmp_path)[0], scan(moved, deep=True))
    assert sorted(opened) == ["short.fits", "two_types.fits"]
    opened.clear()
    other = shutil.move(moved, tmp_path / "darks")
    assert_same(look(other, tmp_path)[0], scan(other, deep=True))
    assert len(opened) == 8


def test_runs_that_write_at_once_all_find_the_same(night, tmp_path):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: look(night, tmp_path)[0], range(8)))
    for records in found:
        assert_same(records, scan(night, deep=True))
    records, notes = look(night, tmp_path)
    assert (len(records), notes) == (8, [])


def test_a_run_that_finds_another_writing_does_without(night, tmp_path):
    with Group.at(tmp_path / "m.zarr", "manifest").sole_writer():
        records, notes = look(night, tmp_path)
    assert "another run writes it" in notes[0]
    assert len(records) == 8


def test_a_folder_that_is_no_store_is_left_alone(night, tmp_path):
    (tmp_path / "m.zarr").mkdir()
    (tmp_path / "m.zarr" / "mine.txt").write_text("")
    assert "no Zarr store" in look(night, tmp_path)[1][0]
    assert os.listdir(tmp_path / "m.zarr") == ["mine.txt"]


def test_records_are_opened_without_a_look_at_their_files(night, tmp_path, opened):
    look(night, tmp_path)
    opened.clear()
    records = Manifest(tmp_path / "m.zarr").records()
    ds = open_records([one for one in records if one.path.endswith(("b.fits", "e.fits"))])
    expected = open_records(scan([night / "b.fits", night / "darks" / "e.fits"]))
    xr.testing.assert_identical(ds.drop_attrs(), expected.drop_attrs())
    # what was made of the one is not made again of the other
    assert provenance.fingerprint(ds) == provenance.fingerprint(expected)
    assert opened == []
