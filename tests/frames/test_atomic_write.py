"""Files have their names when they are whole and on the disk, many at a time."""

import os

import pytest

from autowisp_xr.frames import atomic_write
from autowisp_xr.frames.atomic_write import NamedTogether, stage, write_whole


def outputs(folder, *names):
    return [(str(folder / name), lambda file: file.write(b"whole")) for name in names]


def named(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.mark.parametrize("number", [3, 2 * atomic_write._MANY])
def test_files_are_synced_together_and_then_named(number, tmp_path, monkeypatch):
    synced, reported = [], []

    def sync(staged, real=atomic_write._sync):
        synced.append(len(staged))
        assert not named(tmp_path)
        real(staged)

    monkeypatch.setattr(atomic_write, "_sync", sync)
    monkeypatch.setattr(atomic_write, "_PAUSE", 60.0)
    names = [f"{i:02d}.fits" for i in range(number)]
    with NamedTogether() as naming:
        for name in names:
            naming.add(stage(outputs(tmp_path, name)), lambda name=name: reported.append(name))
        assert not named(tmp_path)
    assert synced == [number]
    assert reported == named(tmp_path) == names
    assert len(list(tmp_path.iterdir())) == number


def test_files_are_named_soon_and_after_an_error_of_another_too(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic_write, "_PAUSE", 0.0)
    with NamedTogether() as naming:
        naming.add(stage(outputs(tmp_path, "a.fits", "b.fits")), list)
        assert named(tmp_path) == ["a.fits", "b.fits"]
    monkeypatch.setattr(atomic_write, "_PAUSE", 60.0)
    naming = NamedTogether()
    naming.add(stage(outputs(tmp_path, "c.fits")), list)
    naming.__exit__(ZeroDivisionError)
    assert "c.fits" in named(tmp_path)


def test_what_does_not_reach_the_disk_gets_no_name(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"a\.fits could not be written: no room"):
        write_whole(outputs(tmp_path, "a.fits"), overwrite=True)
    with pytest.raises(OSError, match="could not be written"), NamedTogether() as naming:
        naming.add(stage(outputs(tmp_path, "b.fits")), list)
    assert not list(tmp_path.iterdir())
