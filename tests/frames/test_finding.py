import os
from pathlib import Path

import pytest

from autowisp_xr.errors import AutowispError
from autowisp_xr.frames import find_files, scan
from autowisp_xr.frames.finding import found_in


def touch(directory: Path, *names: str) -> list[str]:
    paths = [directory / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return [str(path) for path in paths]


def below(top, **options):
    return [os.path.relpath(path, top) for path in find_files(top, **options)]


def test_a_directory_gives_its_fits_files_in_natural_order(tmp_path):
    touch(tmp_path, "f10.fits", "f9.FIT", "f9b.fts.gz", "f1.fits.fz", "notes.txt", "deep/f0.fits")
    touch(tmp_path, ".f2.fits", "f3.fits.part")
    assert below(tmp_path) == ["f1.fits.fz", "f9.FIT", "f9b.fts.gz", "f10.fits"]


def test_a_list_keeps_its_order_and_gives_each_file_once(tmp_path):
    b, a = touch(tmp_path, "b.fits", "a.fits")
    assert find_files([b, str(tmp_path / "*.fits"), Path(a)]) == [b, a]


def test_a_file_with_brackets_in_its_name_is_no_pattern(tmp_path):
    (path,) = touch(tmp_path, "m[31].fits")
    assert find_files(path) == [path]


@pytest.mark.parametrize("name", ["none*.fits", "none.fits"])
def test_what_is_not_there_is_named(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="none") as caught:
        find_files(tmp_path / name)
    assert isinstance(caught.value, AutowispError)


def test_an_empty_list_and_an_empty_directory_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file was named"):
        find_files([])
    touch(tmp_path, "inner/notes.txt")
    with pytest.raises(FileNotFoundError, match=r"holds no FITS file .*not searched"):
        find_files(tmp_path)
    with pytest.raises(FileNotFoundError, match="holds no FITS file") as caught:
        find_files(tmp_path, deep=True)
    assert "deeper" not in str(caught.value)


def test_deep_goes_into_subdirectories_in_natural_order_of_the_whole_path(tmp_path):
    touch(tmp_path, "n10/a.fits", "n9/b.fits", "n9/deeper/c2.fits", "n9/deeper/c10.fits", "z.fits")
    touch(tmp_path, "n9/readme.txt", "empty/notes.txt")
    expected = ["n9/b.fits", "n9/deeper/c2.fits", "n9/deeper/c10.fits", "n10/a.fits", "z.fits"]
    assert below(tmp_path, deep=True) == expected
    assert below(tmp_path) == ["z.fits"]


def test_deep_passes_over_hidden_directories_and_stores(tmp_path):
    touch(tmp_path, "a.fits", ".trash/b.fits", "night.zarr/c.fits", "Old.ZARR/d.fits")
    touch(tmp_path, "in/.git/e.fits", "in/f.fits", "in/.f.fits")
    (tmp_path / "in" / "directory.fits").mkdir()
    assert below(tmp_path, deep=True) == ["a.fits", "in/f.fits"]
    # named by the user, even a hidden one is meant
    assert below(tmp_path / ".trash", deep=True) == ["b.fits"]


def test_frames_that_are_hidden_are_counted_and_named(tmp_path):
    touch(tmp_path, "a.fits", ".trash/b.fits", ".trash/.x/c.FIT", ".trash/IMG_1.CR2", ".b.fits.fz")
    # no frames, copies of what macOS keeps, stores, and what is left alone by name
    touch(tmp_path, ".git/index", "._a.fits", ".t/._b.fits", ".n.zarr/d.fits", ".out/e.fits", ".x")
    found = found_in(tmp_path, deep=True, skip=[tmp_path / ".out"])
    numbers = {Path(path).name: number for path, number in found.hidden.items()}
    assert numbers == {".trash": 3, ".b.fits.fz": 1}
    (line,) = found.passed_over
    assert line.startswith("passed over 4 files with a dot before its name or that of a folder (")
    assert line.endswith(" and 1 more): they take no part; rename what is meant")
    flat = found_in(tmp_path, deep=False)
    assert list(flat.hidden) == [str(tmp_path / ".b.fits.fz")]
    both = found_in([tmp_path, tmp_path / ".trash"], deep=True)
    assert str(tmp_path / ".trash") not in both.hidden
    (tmp_path / "a.fits").unlink()
    with pytest.raises(FileNotFoundError, match="passed over 5 files with a dot"):
        find_files(tmp_path, deep=True)


def test_deep_walks_no_circles_and_finds_no_file_twice(tmp_path):
    touch(tmp_path, "z/one.fits", "elsewhere/two.fits")
    night = tmp_path / "night"
    touch(night, "z/one.fits")
    (night / "z" / "up").symlink_to(night)
    (night / "a_link_to_z").symlink_to(night / "z")
    (night / "disk2").symlink_to(tmp_path / "elsewhere")
    (night / "broken").symlink_to(tmp_path / "nowhere")
    assert below(night, deep=True) == ["disk2/two.fits", "z/one.fits"]


def test_skipped_directories_are_not_searched(tmp_path, monkeypatch):
    touch(tmp_path, "raw/a.fits", "out/b.fits", "raw/out/c.fits")
    assert below(tmp_path, deep=True, skip=[tmp_path / "out"]) == ["raw/a.fits", "raw/out/c.fits"]
    assert below(tmp_path, deep=True, skip=str(tmp_path / "raw")) == ["out/b.fits"]
    monkeypatch.chdir(tmp_path)
    assert find_files("raw", deep=True, skip=["raw/./out", "not there"]) == ["raw/a.fits"]
    # what is named itself is meant
    assert below(tmp_path / "out", deep=True, skip=[tmp_path / "out"]) == ["b.fits"]


def test_a_directory_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    touch(tmp_path, "a.fits", "locked/b.fits")
    real = os.scandir

    def guarded(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(PermissionError, match="locked"):
        find_files(tmp_path, deep=True)
    assert below(tmp_path, deep=True, skip=[tmp_path / "locked"]) == ["a.fits"]


def test_scan_searches_as_deep(raw, tmp_path):
    raw("a.fits")
    raw("darks/b.fits")
    raw("out/c.fits")
    assert [record.name for record in scan(tmp_path)] == ["a"]
    found = scan(tmp_path, deep=True, skip=[tmp_path / "out"])
    assert [record.name for record in found] == ["a", "b"]


def test_a_link_that_leads_to_itself_is_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "a.fits").write_bytes(b"")
    for name in ("itself.fits", "itself"):
        (tmp_path / name).symlink_to(name)
    found = find_files(tmp_path)
    assert found == [str(tmp_path / name) for name in ("a.fits", "itself.fits")]
    assert "itself.fits" in str(scan(tmp_path)[1].error)


def test_a_file_and_a_link_to_it_are_one_file(tmp_path):
    (tmp_path / "a.fits").write_bytes(b"")
    (tmp_path / "latest.fits").symlink_to(tmp_path / "a.fits")
    assert find_files(tmp_path) == [str(tmp_path / "a.fits")]
    assert find_files(tmp_path / "latest.fits") == [str(tmp_path / "latest.fits")]
