import hashlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr import Camera, SigmaClip, provenance
from autowisp_xr.frames.named_masters import identity_in
from autowisp_xr.provenance import (
    file_digests,
    fingerprint,
    hashing,
    history,
    identities,
    identity,
    record,
    step_records,
    with_hashes,
)
from autowisp_xr.provenance.content_tokens import content_token
from tests.steps.frames import TWO_CHANNELS, frame_set, master


def frames(offset=0.0, kind="object", number=2):
    camera = Camera(gain=2.0, read_noise=4.0)
    values = np.arange(number * 6.0).reshape(number, 1, 2, 3) + offset
    return frame_set(values, camera=camera, kind=kind)


def ids(ds):
    return [step["id"] for step in history(ds)]


def test_a_dataset_begins_without_a_history():
    assert history(frames()) == []
    assert identities(frames()) == set()


def test_a_record_holds_verb_options_masters_frames_versions_and_time():
    ds = record(
        frames(),
        "verb",
        {"clip": SigmaClip(3), "n": np.int64(3), "x": np.arange(2), "t": (1, None), "o": object},
        masters={"bias": master([1.0]), "dark": None},
    )
    (step,) = history(ds)
    assert step["verb"] == "verb"
    assert step["options"]["clip"] == {"type": "SigmaClip", **asdict(SigmaClip(3))}
    assert (step["options"]["n"], step["options"]["x"]) == (3, [0, 1])
    assert step["options"]["t"] == [1, None]
    assert isinstance(step["options"]["o"], str)
    assert step["masters"] == {"bias": identity(master([1.0]))}
    assert list(step["contents"]) == ["object-0", "object-1"]
    assert set(step["versions"]) == {"autowisp-xr", "xarray", "numpy", "numba", "astropy"}
    assert step["time"].endswith("+00:00")


def test_the_history_is_json_text_and_grows():
    first = record(frames(), "one")
    before = first.attrs["history"]
    second = record(first, "two")
    assert [step["verb"] for step in json.loads(second.attrs["history"])] == ["one", "two"]
    assert first.attrs["history"] == before
    assert history(second)[0] == history(first)[0]


def test_a_history_of_somebody_else_is_kept():
    for other in ("cooked by hand, 1999", ["cooked by hand", "1999"]):
        records = history(record(frames().assign_attrs(history=other), "verb"))
        assert [step["verb"] for step in records] == ["before", "verb"]
        assert records[0]["options"] == {"text": str(other)}
    assert history(frames().assign_attrs(history=None)) == []


def reduced(**options):
    bias = aw.master_bias(frames(kind="bias"), **options)
    return aw.stack(aw.calibrate(frames(100.0), bias=bias)), bias


def test_the_same_steps_on_the_same_frames_have_the_same_identity_in_new_objects():
    (one, one_bias), (two, two_bias) = reduced(), reduced()
    assert ids(one) == ids(two)
    assert identity(one) == identity(two)
    assert identity(one_bias) == identity(two_bias)
    assert identity(one) != identity(one_bias)


def in_a_session():
    """Identity of a result, and its fingerprint in memory and as dask graphs."""
    lazy = aw.calibrate(frames().chunk(frame=1))
    made = reduced()[0]
    return [identity(made), fingerprint(made), fingerprint(lazy), fingerprint(aw.stack(lazy))]


def of_a_set():
    """Identity of a result with an option that is a set."""
    ds = record(frames(), "verb", {"allow_mismatch": {"gain", "filter", "exposure"}})
    return history(ds)[0]["id"]


@pytest.fixture(scope="module")
def sessions():
    """What other sessions give of both, each of which has sets in an order of its own."""
    code = (
        "from tests.test_provenance import in_a_session, of_a_set; "
        "print(*in_a_session(), of_a_set(), list({'gain', 'filter', 'exposure'})[0])"
    )
    return [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.split()
        for seed in ("1", "2", "3")
    ]


def test_identity_and_fingerprint_are_the_same_in_another_session(sessions):
    expected = in_a_session()
    for *found, _, _ in sessions:
        assert found == expected


def test_other_options_frames_or_values_are_another_identity():
    _, bias = reduced()
    others = [
        aw.master_bias(frames(kind="bias"), average="median"),
        aw.master_bias(frames(1.0, kind="bias")),
        aw.master_bias(frames(kind="bias", number=3)),
        aw.master_bias(frames(kind="bias").isel(x=slice(2))),
        aw.master_bias(frames(kind="bias").assign_coords(frame=["a", "b"])),
    ]
    assert len({identity(ds) for ds in [bias, *others]}) == 6


def test_versions_and_times_are_no_part_of_the_identity(monkeypatch):
    one = reduced()[0]
    monkeypatch.setattr(step_records, "versions", lambda: {"numpy": "99"})
    other = reduced()[0]
    assert history(other)[-1]["versions"] == {"numpy": "99"}
    assert ids(one) == ids(other)


def parts(ds):
    """Selections of a set of two frames, two channels, two rows and three columns."""
    return [
        ds,
        ds.isel(frame=[0]),
        ds.isel(frame=[1]),
        ds.isel(frame=0),
        ds.isel(frame=1),
        ds.isel(channel=[0]),
        ds.isel(channel=[1]),
        ds.isel(y=[0]),
        ds.isel(y=[1]),
        ds.isel(x=slice(2)),
        ds.isel(x=slice(1, 3)),
    ]


@pytest.fixture
def calibrated():
    camera = Camera(channels=TWO_CHANNELS, gain=2.0, read_noise=4.0)
    return aw.calibrate(frame_set(np.arange(24.0).reshape(2, 2, 2, 3), camera=camera))


def test_an_area_or_channel_has_the_identity_of_the_whole_and_a_frame_its_own(calibrated):
    whole, *of_frames = map(identity, parts(calibrated)[:5])
    assert of_frames[:2] == of_frames[2:] == provenance.frame_identities(calibrated)
    assert len({whole, *of_frames}) == 3
    assert {*map(identity, parts(calibrated)[5:])} == {whole}


def test_a_part_has_a_fingerprint_of_its_own(calibrated):
    assert len({fingerprint(part) for part in parts(calibrated)}) == len(parts(calibrated))
    assert fingerprint(calibrated.copy(deep=True)) == fingerprint(calibrated)


def test_fingerprints_of_the_same_part_of_other_results_differ(calibrated):
    other = aw.apply_masks(calibrated, np.zeros(calibrated["mask"].shape[1:], np.uint8))
    assert identity(other) != identity(calibrated)
    assert fingerprint(other) != fingerprint(calibrated)


def test_what_was_done_without_a_verb_is_in_the_fingerprint_alone(calibrated):
    for changed in (
        calibrated.assign(image=calibrated["image"] + 1),
        calibrated.assign_coords(exposure=calibrated["exposure"] * 2),
        calibrated.drop_vars("variance"),
        calibrated.isel(x=[0, 2, 1]),
    ):
        assert identity(changed) == identity(calibrated)
        assert fingerprint(changed) != fingerprint(calibrated)


def test_masters_have_fingerprints_too():
    (one, _), (two, _) = reduced(), reduced()
    assert fingerprint(one) == fingerprint(two)
    assert len({fingerprint(ds) for ds in (one, one.isel(x=[0]), one.isel(y=[0]))}) == 3
    assert identity(one.isel(x=[0])) == identity(one)


def test_without_a_history_the_content_counts():
    assert identity(frames()) == identity(frames())
    assert identity(frames()) != identity(frames(1.0))


@pytest.mark.parametrize("dtype", ["uint16", "float32", "complex128", "bool"])
def test_each_value_of_a_large_array_counts_and_not_how_it_lies_in_memory(dtype):
    values = np.random.default_rng(1).integers(0, 2, (5, 2**16)).astype(dtype)
    token = content_token(values)
    assert content_token(np.asfortranarray(values)) == token
    assert content_token(np.repeat(values, 2, axis=0)[::2]) == token
    others = [values[:4], values.T, values[::-1], values.reshape(-1), values.view(np.uint8)]
    for place in ((0, 0), (2, 1000), (4, -1)):
        others.append(values.copy())
        others[-1][place] = not values[place]
    assert len({token, *map(content_token, others)}) == 1 + len(others)


def test_lazy_and_eager_ways_have_the_same_identity():
    ds = aw.calibrate(frames())
    assert identity(aw.stack(ds.chunk(y=1))) == identity(aw.stack(ds))


def test_masters_of_masters_are_found():
    bias = aw.master_bias(frames(kind="bias"))
    dark = aw.master_dark(frames(5.0, kind="dark"), bias=bias)
    science = aw.calibrate(frames(100.0), bias=bias, dark=dark)
    assert identities(dark) == {identity(bias)}
    assert identities(science) == {identity(bias), identity(dark)}


def test_an_option_that_is_a_set_has_the_same_identity_in_another_session(sessions):
    assert {found for *_, found, _ in sessions} == {of_a_set()}
    assert len({first for *_, first in sessions}) > 1


# ---------------------------------------------------------------------- files


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.fits"
    path.write_bytes(b"stars")
    return path


def test_files_are_named_with_size_and_change_and_hashed_later(file):
    ds = record(frames(), "open_fits", files=[str(file)])
    (entry,) = history(ds)[0]["inputs"]
    assert (entry["path"], entry["size"]) == (str(file), 5)
    assert entry["changed"] == file.stat().st_mtime_ns
    assert "sha256" not in entry
    hashed = with_hashes(ds)
    (entry,) = history(hashed)[0]["inputs"]
    assert entry["sha256"] == hashlib.sha256(b"stars").hexdigest()
    assert identity(hashed) == identity(ds)
    assert history(ds)[0]["inputs"] != history(hashed)[0]["inputs"]
    assert with_hashes(hashed).attrs == hashed.attrs


def test_a_stack_names_no_files_but_those_of_its_frames(tmp_path):
    for number, kind in enumerate(["bias", "object", "bias", "object"]):
        header = fits.Header({"IMAGETYP": kind, "EGAIN": 1.5, "RDNOISE": 6.0})
        fits.PrimaryHDU(np.ones((5, 7), np.int16), header).writeto(tmp_path / f"f{number}.fits")
    raw = aw.open_fits(str(tmp_path / "*.fits"))
    bias = aw.master_bias(raw.autowisp.where_type("bias"))
    assert list(history(bias)[-1]["frames"]) == ["f0", "f2"]
    paths = [str(tmp_path / name) for name in ("f0.fits", "f2.fits")]
    assert [file["path"] for file in history(bias)[0]["inputs"]] == paths
    assert history(bias)[0]["id"] == history(raw)[0]["id"]


def test_a_file_that_changed_or_is_gone_gets_no_hash(file, tmp_path):
    ds = record(frames(), "open_fits", files=[str(file)])
    file.write_bytes(b"other stars")
    assert "sha256" not in history(with_hashes(ds))[0]["inputs"][0]
    gone = tmp_path / "b.fits"
    gone.write_bytes(b"stars")
    ds = record(frames(), "open_fits", files=[str(gone)])
    gone.unlink()
    assert "sha256" not in history(with_hashes(ds))[0]["inputs"][0]


def test_a_dataset_without_history_gets_no_hashes():
    assert "history" not in with_hashes(frames()).attrs


def test_files_digested_ahead_are_not_read_again(file, tmp_path, monkeypatch):
    ds = record(frames(), "open_fits", files=[str(file)])
    with hashing([str(file), str(tmp_path / "gone.fits")]):
        first = with_hashes(ds)
        monkeypatch.setattr(file_digests.hashlib, "new", None)
        assert with_hashes(ds).attrs == first.attrs
    (entry,) = history(first)[0]["inputs"]
    assert entry["sha256"] == hashlib.sha256(b"stars").hexdigest()
    assert file_digests._BEGUN == {}


def test_a_file_that_changes_after_it_was_digested_ahead_gets_no_wrong_hash(file):
    with hashing([str(file)]):
        file.write_bytes(b"other stars")
        ds = record(frames(), "open_fits", files=[str(file)])
        (entry,) = history(with_hashes(ds))[0]["inputs"]
    assert entry["sha256"] == hashlib.sha256(b"other stars").hexdigest()


def test_after_an_error_no_more_files_are_digested_ahead(tmp_path, monkeypatch):
    begun, may_end = [], threading.Event()

    def slow(path, *_):
        begun.append(path)
        may_end.wait(10)

    monkeypatch.setattr(file_digests, "_file_digest", slow)
    paths = [tmp_path / f"{number}.fits" for number in range(40)]
    for path in paths:
        path.touch()
    with pytest.raises(KeyError), hashing(map(str, paths)):
        raise KeyError
    may_end.set()
    assert len(begun) <= file_digests._READERS
    assert file_digests._BEGUN == {}


@pytest.mark.parametrize("size", [0, 1, 2500])
def test_a_digest_is_that_of_all_bytes_of_a_file(size, tmp_path):
    content = bytes(range(256)) * 10
    path = tmp_path / "a.fits"
    path.write_bytes(content[:size])
    assert provenance.sha1_of(str(path)) == hashlib.sha1(content[:size]).hexdigest()


def test_a_digest_that_failed_is_tried_again(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    path.write_bytes(b"some bytes")

    def away(*_, **__):
        raise OSError("the disk is away")

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", away)
        with pytest.raises(OSError, match="cannot be read"):
            provenance.sha1_of(str(path))
    assert provenance.sha1_of(str(path)) == hashlib.sha1(b"some bytes").hexdigest()


# ---------------------------------------------------------------------- frames


@pytest.fixture(scope="module")
def raws(tmp_path_factory):
    """Files of frames: two have one name, two bear histories of their own."""
    folder = tmp_path_factory.mktemp("raw")
    names = ["a/x.fits", "b/x.fits", "a/y.fits", "a/z.fits"]
    for number, name in enumerate(names):
        header = fits.Header({"IMAGETYP": "Light", "GAIN": 1.5, "RDNOISE": 6.0})
        (folder / name).parent.mkdir(exist_ok=True)
        fits.PrimaryHDU(np.full((5, 7), 90 + number, np.int16), header).writeto(folder / name)
    written = [
        aw.to_fits(aw.open_fits(folder / name), folder / "c" / "{frame}.fits") for name in names[2:]
    ]
    return [*(str(folder / name) for name in names[:2]), *(path for (path,) in written)]


def through_steps(paths):
    ds = aw.calibrate(aw.open_fits(paths, camera=Camera(gain=2.0, read_noise=4.0)))
    return aw.flag_cold_pixels(ds)


@given(st.permutations(range(4)), st.integers(1, 3))
def test_a_frame_has_the_same_identity_in_whatever_set_it_is(raws, order, cut):
    expected = dict(zip(raws, provenance.frame_identities(through_steps(raws)), strict=True))
    assert len(set(expected.values())) == 4
    for some in (order[:cut], order[cut:]):
        ds = through_steps([raws[i] for i in some])
        own = [expected[path] for path in ds["path"].values.tolist()]
        assert provenance.frame_identities(ds) == own
        assert [identity(ds.isel(frame=i)) for i in range(len(own))] == own
        joined = aw.concat([ds, through_steps([path for path in raws if path not in ds["path"]])])
        assert {*history(joined)[-1]["contents"].values()} == set(expected.values())


def test_a_master_is_another_with_one_frame_more_and_so_is_what_it_corrects(raws):
    ds = aw.open_fits(raws, camera=Camera(gain=2.0, read_noise=4.0))
    ds = ds.assign_coords(image_type=ds["image_type"].copy(data=["bias"] * 4))
    one, other = (aw.master_bias(ds.isel(frame=slice(number))) for number in (2, 3))
    assert identity(one) != identity(other)
    last = ds.isel(frame=[3])
    assert identity(aw.subtract_bias(last, one)) != identity(aw.subtract_bias(last, other))


@pytest.mark.parametrize("way", ["fits", "zarr", "concat"])
def test_what_is_written_of_a_frame_lists_no_other(way, raws, tmp_path):
    ds = through_steps(raws)
    if way == "concat":
        ds = aw.concat([through_steps(raws[:2]), through_steps(raws[2:])])
    if way == "zarr":
        ds = aw.to_zarr(ds, tmp_path / "a.zarr")
    paths = aw.to_fits(ds, tmp_path / "out" / "{frame}.fits")
    for number, path in enumerate(paths):
        own = ds["path"].values[number]
        text = fits.getheader(path).tostring()
        text = json.dumps(aw.open_fits(path).autowisp.history()) + text
        assert own in text
        assert not any(other in text for other in raws if other != own)
        assert identity_in(path) == provenance.frame_identities(ds)[number]
