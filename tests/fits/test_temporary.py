import errno
import gc
import gzip
import os
import pickle
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from autowisp_xr.camera import Camera
from autowisp_xr.errors import BadImageError
from autowisp_xr.fits import temporary as module
from autowisp_xr.fits.layout import read_layout
from autowisp_xr.fits.pixels import read_rows
from autowisp_xr.fits.temporary import TemporaryFile, inflated
from autowisp_xr.opening import open_fits

DATA = np.arange(3 * 35, dtype="uint16").reshape(3, 5, 7)


@pytest.fixture
def room(tmp_path, monkeypatch):
    """The directory for temporary files."""
    directory = tmp_path / "room"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


@pytest.fixture
def paths(raw):
    return [raw(f"a{i}.fits.gz", DATA[i]) for i in range(3)]


@pytest.fixture
def inflations(monkeypatch):
    """The files that were inflated."""
    names, real = [], module.Inflated._inflate

    def note(self):
        names.append(os.path.basename(self._packed.path))
        return real(self)

    monkeypatch.setattr(module.Inflated, "_inflate", note)
    return names


def spooled():
    """Bytes of all that is inflated in this process."""
    gc.collect()
    file = module._SPOOL._file
    return 0 if file is None else file.status().st_size


def test_bands_inflate_each_file_once(paths, room, inflations):
    ds = open_fits(paths)
    for y in range(5):
        np.testing.assert_array_equal(ds.image[:, 0, y], DATA[:, y])
    assert inflations == ["a0.fits.gz", "a1.fits.gz", "a2.fits.gz"]
    assert spooled() == DATA.nbytes


def test_what_is_inflated_has_no_name_that_a_killed_process_could_leave(paths, room):
    ds = open_fits(paths)
    ds.image[:, 0, 1].load()
    assert list(room.iterdir()) == []
    assert module._SPOOL._file.status().st_nlink == 0


def test_room_that_is_given_back_is_taken_again(paths, room):
    one, two, three = (inflated(read_layout(str(path)).planes["image"]) for path in paths)
    offsets = [each.plane().offset for each in (one, two, three)]
    assert offsets == [0, DATA[0].nbytes, 2 * DATA[0].nbytes]
    del two
    four = inflated(replace(read_layout(str(paths[1])).planes["image"], index=9))
    gc.collect()
    assert four.plane().offset == DATA[0].nbytes
    np.testing.assert_array_equal(read_rows(four.plane(), 0, 5), DATA[1])
    np.testing.assert_array_equal(read_rows(three.plane(), 0, 5), DATA[2])
    del three
    assert spooled() == 2 * DATA[0].nbytes


def test_a_descriptor_that_another_file_takes_at_once_is_left_alone(room, tmp_path):
    one = TemporaryFile("values wait")
    _, discard, (file, *rest), _ = one.discard.detach()
    taken = []

    class Closed:
        """Another thread opens a file as soon as this one is closed."""

        def close(self):
            number = file.fileno()
            file.close()
            taken.append(os.open(tmp_path / "other", os.O_WRONLY | os.O_CREAT))
            assert taken == [number]

    discard(Closed(), *rest)
    os.write(taken[0], b"kept")
    os.close(taken[0])
    assert (tmp_path / "other").read_bytes() == b"kept"
    assert list(room.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked here")
def test_a_forked_process_inflates_for_itself_and_leaves_its_parent_alone(paths, room):
    ds = open_fits(paths)
    ds.image[:, 0, 1].load()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        good = spooled() == 0 and bool((ds.image[:, 0, 2].values == DATA[:, 2]).all())
        del ds
        gc.collect()
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_array_equal(ds.image[:, 0, 3], DATA[:, 3])
    assert spooled() == DATA.nbytes


def test_many_threads_inflate_each_file_once(paths, room, inflations):
    ds = open_fits(paths)
    with ThreadPoolExecutor(8) as pool:
        bands = list(pool.map(lambda y: ds.image[:, 0, y % 5].values, range(40)))
    for y, band in enumerate(bands):
        np.testing.assert_array_equal(band, DATA[:, y % 5])
    assert sorted(inflations) == ["a0.fits.gz", "a1.fits.gz", "a2.fits.gz"]


def test_the_files_are_gone_when_nothing_refers_to_them(paths, room):
    ds = open_fits(paths)
    part = ds.image[:, 0, :2]
    part.load()
    assert spooled() == DATA.nbytes
    del ds, part
    assert spooled() == 0
    assert module._SPOOL._file is None


def test_whole_frames_are_not_written_anywhere(paths, room):
    ds = open_fits(paths)
    np.testing.assert_array_equal(ds.image[:, 0], DATA)
    assert spooled() == 0


def test_parts_of_a_mosaic_are_those_of_the_whole(paths, room):
    whole = open_fits(paths, camera=Camera(channels="RGGB")).load()
    part = open_fits(paths, camera=Camera(channels="RGGB")).isel(y=[1], channel=[3, 0], x=[2, 0])
    np.testing.assert_array_equal(part.image, whole.image.isel(y=[1], channel=[3, 0], x=[2, 0]))
    assert spooled() == DATA.nbytes


def test_a_pickled_array_inflates_for_itself(paths, room, inflations):
    ds = open_fits(paths[:1])
    np.testing.assert_array_equal(ds.image[0, 0, 1], DATA[0, 1])
    content = pickle.dumps(ds)
    del ds
    assert spooled() == 0
    again = pickle.loads(content)
    np.testing.assert_array_equal(again.image[0, 0, 2], DATA[0, 2])
    assert inflations == ["a0.fits.gz"] * 2


def test_arrays_of_the_same_files_share_them(paths, room, inflations):
    first, second = open_fits(paths[:1]), open_fits(paths[:1])
    np.testing.assert_array_equal(first.image[0, 0, 1], second.image[0, 0, 1])
    assert inflations == ["a0.fits.gz"]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32", "float32", "float64"])
def test_every_type_stays_as_it_is(raw, ramp, room, dtype):
    plane = read_layout(str(raw("a.fits.gz", ramp(dtype)))).planes["image"]
    kept = inflated(plane)
    assert kept.plane() == replace(
        plane,
        path=kept.plane().path,
        storage="spooled",
        offset=0,
    )
    np.testing.assert_array_equal(read_rows(kept.plane(), 1, 3), ramp(dtype)[1:3])


def test_a_file_that_changed_is_not_read(paths, room):
    ds = open_fits(paths[:1])
    ds.image[0, 0, 1].load()
    paths[0].write_bytes(gzip.compress(b"something else"))
    with pytest.raises(BadImageError, match=r"a0\.fits\.gz has changed since it was opened"):
        ds.image[0, 0, 2].load()
    paths[0].unlink()
    with pytest.raises(BadImageError, match=r"a0\.fits\.gz was removed or renamed since"):
        ds.image[0, 0, 2].load()


def test_a_damaged_file_is_named_each_time_and_leaves_nothing(raw, room):
    data = np.random.default_rng(1).integers(0, 65535, (70, 90), dtype="uint16")
    path = raw("a.fits.gz", data)
    plane = read_layout(str(path)).planes["image"]
    path.write_bytes(path.read_bytes()[: plane.size // 2])
    status = path.stat()
    kept = inflated(replace(plane, size=status.st_size, changed=status.st_mtime_ns))
    for _ in range(2):
        with pytest.raises(BadImageError, match="cannot be decompressed") as caught:
            kept.plane()
        assert str(path) in str(caught.value)
        assert spooled() == 0


def test_a_full_disk_is_reported_with_its_directory(paths, room, monkeypatch):
    class Full:
        def seek(self, *place):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    real = TemporaryFile.write

    def fail(file, *given):
        whole, file._file = file._file, Full()
        try:
            real(file, *given)
        finally:
            file._file = whole

    monkeypatch.setattr(TemporaryFile, "write", fail)
    with pytest.raises(OSError, match=r"No space left on device in .*room.*TMPDIR"):
        open_fits(paths).image[:, 0, 1].load()
    assert spooled() == 0
