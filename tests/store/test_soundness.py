"""What is lost of a store, or damaged in it, is noticed, named, and written again."""

import json
import os

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

import autowisp_xr as aw
from autowisp_xr import simulate, store
from autowisp_xr.errors import AutowispError, DamagedStoreError
from autowisp_xr.store.soundness import bare_by, ranges_of
from autowisp_xr.testing import assert_frames_equal


@pytest.fixture(scope="module")
def sets():
    sky = simulate.Night(shape=(20, 24), seed=7, overscan=8)
    raw = sky.objects(3)
    return {
        "raw": raw,
        "calibrated": aw.calibrate(raw, camera=sky.camera),
        "master": aw.master_bias(sky.bias(3)),
    }


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def lose(path):
    path.unlink()


def empty(path):
    path.write_bytes(b"")


HARMS = {harm.__name__: harm for harm in (flip, cut, lose, empty)}
CHUNKS = {
    "raw": ["image/c/1/0/0/0", "header/c/0"],
    "calibrated": ["variance/c/1/0/0/0", "mask/c/0/0/0/0", "exposure/c/0"],
    "master": ["image/c/0/0/0", "x/c/0"],
}
EACH = [(name, path) for name, paths in CHUNKS.items() for path in paths]
OF_CHUNKS = [(*EACH[0], harm) for harm in HARMS] + [(*one, "flip") for one in EACH[1:]]
OF_CHUNKS += [(*one, "lose") for one in EACH[2:5]]


@pytest.mark.parametrize(("name", "path", "harm"), OF_CHUNKS)
def test_a_chunk_that_is_lost_or_changed_is_named_and_written_again(
    sets, name, path, harm, tmp_path
):
    ds = sets[name]
    ds.autowisp.to_zarr(tmp_path / "s.zarr", group="a")
    HARMS[harm](tmp_path / "s.zarr" / "a" / path)
    with pytest.raises(DamagedStoreError, match=path.split("/")[0]) as caught:
        aw.open_zarr(tmp_path / "s.zarr", group="a").load()
    assert f"{tmp_path}/s.zarr/a: the " in str(caught.value)
    assert "to_zarr with overwrite=True, or reduce" in str(caught.value)
    if "/c/1/" in path:
        assert f"{path} of frame {str(ds.frame[1].item())!r} is" in str(caught.value)
        # nothing is wrong with the others
        part = aw.open_zarr(tmp_path / "s.zarr", group="a").isel(frame=[0, 2])
        np.testing.assert_array_equal(part.image, ds.image[[0, 2]])
    assert_frames_equal(ds.autowisp.to_zarr(tmp_path / "s.zarr", group="a").load(), ds)


@pytest.mark.parametrize("harm", ["cut", "lose", "empty"])
@pytest.mark.parametrize("path", ["a", "a/mask"])
def test_metadata_that_are_lost_or_cut_are_named(sets, path, harm, tmp_path):
    ds, place = sets["calibrated"], tmp_path / "s.zarr"
    ds.autowisp.to_zarr(place, group="a")
    HARMS[harm](place / path / "zarr.json")
    with pytest.raises(DamagedStoreError, match=rf"^{place}/a: .*(zarr.json|lost)"):
        aw.open_zarr(place, group="a")
    if path == "a":
        with pytest.raises(DamagedStoreError, match="known to nobody: overwrite=True"):
            ds.autowisp.to_zarr(place, group="a")
    back = ds.autowisp.to_zarr(place, group="a", overwrite=path == "a")
    assert_frames_equal(back.load(), ds)
    assert {entry.name for entry in os.scandir(place / "a")} == {
        *map(str, ds.variables),
        "zarr.json",
    }


def test_a_variable_that_is_lost_is_named(sets, tmp_path):
    sets["calibrated"].autowisp.to_zarr(tmp_path / "s.zarr")
    for name in ("exposure", "variance"):
        (tmp_path / "s.zarr" / name).rename(tmp_path / name)
    with pytest.raises(DamagedStoreError, match="it has lost variance, exposure"):
        aw.open_zarr(tmp_path / "s.zarr")


@pytest.mark.parametrize("harm", ["cut", "lose", "empty"])
def test_the_metadata_of_a_store_are_not_needed_for_its_groups(sets, harm, tmp_path):
    ds, place = sets["calibrated"], tmp_path / "s.zarr"
    ds.autowisp.to_zarr(place, group="a/b")
    zarr.open_group(place, mode="a")
    HARMS[harm](place / "zarr.json")
    assert_frames_equal(aw.open_zarr(place, group="a/b").load(), ds)
    if harm != "lose":
        assert store.groups_of(place) == ["a/b"]
        with pytest.raises(AutowispError, match=rf"^{place}: zarr.json is damaged"):
            aw.open_zarr(place)


def test_one_damaged_group_does_not_hide_the_others(sets, tmp_path):
    for name, ds in sets.items():
        ds.autowisp.to_zarr(tmp_path / "s.zarr", group=name)
    cut(tmp_path / "s.zarr" / "raw" / "image" / "zarr.json")
    empty(tmp_path / "s.zarr" / "master" / "zarr.json")
    assert store.groups_of(tmp_path / "s.zarr") == ["calibrated", "raw"]


def test_what_is_in_no_directory_is_noticed_when_it_is_read(sets):
    place = MemoryStore()
    ds = sets["calibrated"]
    ds.autowisp.to_zarr(place, group="a")
    place._store_dict.pop("a/image/c/1/0/0/0")
    with pytest.raises(DamagedStoreError, match="image/c/1/0/0/0 of frame"):
        aw.open_zarr(place, group="a").load()
    place._store_dict.pop("a/time/c/0")
    with pytest.raises(DamagedStoreError, match="the coordinate time is lost"):
        aw.open_zarr(place, group="a")


def test_flags_that_a_frame_does_not_have_are_no_loss(sets, tmp_path):
    ds = sets["calibrated"].copy(deep=True)
    ds.mask[1] = aw.Flag.FAULT
    ds.autowisp.to_zarr(tmp_path / "s.zarr")
    assert not (tmp_path / "s.zarr" / "mask" / "c" / "1").exists()
    assert_frames_equal(aw.open_zarr(tmp_path / "s.zarr").load(), ds)
    state = json.loads((tmp_path / "s.zarr" / "zarr.json").read_text())["attributes"]
    assert state["autowisp_xr_store"]["bare"] == {"mask": [[1, 2]]}
    lose(tmp_path / "s.zarr" / "mask" / "c" / "2" / "0" / "0" / "0")
    with pytest.raises(DamagedStoreError, match="mask/c/2/0/0/0"):
        aw.open_zarr(tmp_path / "s.zarr").mask.load()


def test_a_pixel_that_is_nan_is_flagged_when_it_is_stored(sets, tmp_path):
    for name in ("calibrated", "master"):
        ds = sets[name].copy(deep=True)
        first = (0,) * ds.image.ndim
        ds.image.values[first], ds.mask.values[first] = np.nan, 0
        back = ds.autowisp.to_zarr(tmp_path / name).load()
        assert back.mask.values[first] == aw.Flag.FAULT
        assert ds.mask.values[first] == 0
        back.mask.values[first] = 0
        assert_frames_equal(back, ds)


def test_a_store_of_an_earlier_version_is_read(sets, tmp_path):
    ds, path = sets["calibrated"], tmp_path / "s.zarr" / "zarr.json"
    ds.autowisp.to_zarr(tmp_path / "s.zarr")
    content = json.loads(path.read_text())
    del content["attributes"]["autowisp_xr_store"]["bare"]
    path.write_text(json.dumps(content))
    lose(tmp_path / "s.zarr" / "mask" / "c" / "2" / "0" / "0" / "0")
    back = aw.open_zarr(tmp_path / "s.zarr").load()
    assert (back.mask[2] == aw.Flag.FAULT).all()
    np.testing.assert_array_equal(back.image, ds.image)


def test_every_array_has_a_checksum_behind_its_other_codecs(sets, tmp_path):
    for name, ds in sets.items():
        ds.autowisp.to_zarr(tmp_path / "s.zarr", group=name)
        for array in zarr.open_group(tmp_path / "s.zarr", path=name).array_values():
            assert array.compressors[-1].to_dict() == {"name": "crc32c"}, array.name


def test_ranges_and_marks_name_the_same_frames():
    assert ranges_of(np.array([], int)) == []
    assert bare_by(np.array([1, 3, 3, 5, 7, 0], "u1")) == {
        "mask": [[1, 3], [4, 5]],
        "flags": [[3, 5]],
    }
