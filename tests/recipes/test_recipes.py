"""Nights in a store as raw integers and a recipe: the same frames as when pixels are stored."""

import hashlib
import json
import os
import shutil

import dask
import numpy as np
import pytest
import xarray as xr
import zarr

import autowisp_xr as aw
from autowisp_xr import provenance, recipes, schema, simulate
from autowisp_xr.errors import BadImageError, CalibrationError
from autowisp_xr.recipes import masters, stored_sets
from autowisp_xr.regions import ChannelSlice
from autowisp_xr.store import filling, variables
from autowisp_xr.testing import assert_frames_equal

GROUP = "calibrated/V_60s"
OF_FILES = ["path", "shared_variance_from", "shared_relative_variance_from"]
"""What is another where files lie elsewhere: masters are known by those that they are made of."""
SKY = {"shape": (40, 56), "seed": 5, "gain": 0.6, "full_well": 30_000, "overscan": 16}


def fringe(sky):
    """A pattern that the lights hardly have, so that none is subtracted from some."""
    y, x = np.indices(sky.shape)
    image = np.sin(x / 3 + y / 7)
    planes = {"image": image - np.median(image), "variance": np.full(sky.shape, 1e-4)}
    planes["mask"] = np.zeros(sky.shape, np.uint8)
    area = sky.camera.image_area
    place = schema.place({schema.MONO: ChannelSlice()}, *sky.shape, area.ymin, area.xmin)
    ds = xr.Dataset({name: (schema.DIMS[1:], plane[None]) for name, plane in planes.items()}, place)
    return schema.with_attributes(ds.assign_coords(filter="V", image_type="fringe"), "1")


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A night of which all is used, by its recipe and by its pixels; and the options."""
    top, sky = tmp_path_factory.mktemp("night"), simulate.Night(**SKY)
    for frames in (sky.bias(3), sky.flat(3), sky.objects(3)):
        aw.to_fits(frames, top / "raw" / "{RAWFNAME}.fits")
    # of another night
    bias = aw.master_bias(sky.bias(3))
    aw.to_fits(aw.master_dark(sky.dark(3), bias=bias), top / "library" / "dark.fits")
    aw.to_fits(fringe(sky), top / "library" / "fringe.fits")
    mask = np.zeros(sky.shape, np.uint8)
    mask[3, 4] = 1
    given = {
        "camera": sky.camera,
        "masters": top / "library",
        "defects": None,
        "cosmic_rays": aw.CosmicRays(objlim=2.0, sigclip=3.0),
    }
    for form in ("pixels", "recipe"):
        summary = aw.reduce(top / "raw", top / form, store=form, **given)
        assert not summary.failed, summary.failed
    return top, given


@pytest.fixture(scope="module")
def plain(night):
    """Results without FITS files of lights, masters of other nights and flags; and the options."""
    top, given = night
    given = given | {"masters": None, "defects": "none", "cosmic_rays": None, "fits": False}
    summary = aw.reduce(top / "raw", top / "plain", **given)
    assert "Failed" not in str(summary)
    return top / "plain", given


def test_frames_of_a_recipe_are_those_of_pixels_to_the_bit(night):
    top, _ = night
    pixels = aw.open_zarr(top / "pixels" / "night.zarr", group=GROUP)
    made = aw.open_zarr(top / "recipe" / "night.zarr", group=GROUP)
    used = {kind for step in provenance.history(made) for kind in step["masters"]}
    assert used == {"bias", "dark", "flat", "fringe"}
    assert (pixels["mask"].values & aw.Flag.COSMIC).any()
    assert_frames_equal(made, pixels)
    assert list(made.data_vars) == list(pixels.data_vars)
    for name in made.variables:
        assert made[name].attrs.keys() == pixels[name].attrs.keys(), name
    assert made.attrs["camera"] == pixels.attrs["camera"]
    ours, theirs = provenance.history(made), provenance.history(pixels)
    assert [step["id"] for step in ours] == [step["id"] for step in theirs]
    assert provenance.frame_identities(made) == provenance.frame_identities(pixels)
    assert [step.get("inputs") for step in ours] == [step.get("inputs") for step in theirs]


@pytest.mark.parametrize("chunks", [{"frame": 2, "y": 7, "x": 11}, {"frame": -1, "y": 13}])
def test_chunks_and_schedulers_change_no_bit(night, chunks):
    group = {"store": night[0] / "recipe" / "night.zarr", "group": GROUP}
    whole = aw.open_zarr(**group).compute()
    with dask.config.set(scheduler="sync"):
        assert_frames_equal(aw.open_zarr(**group).chunk(chunks).compute(), whole)
    part = {"frame": [1], "y": slice(3, 9)}
    assert_frames_equal(aw.open_zarr(**group).isel(part).compute(), whole.isel(part))


def test_frames_of_a_recipe_are_stacked_band_by_band(night):
    frames = aw.open_zarr(night[0] / "recipe" / "night.zarr", group=GROUP)
    with dask.config.set(num_workers=1):
        deep = frames.autowisp.stack("mean", memory_limit="50kB")
    bands = deep["image"].chunksizes["y"]
    assert len(bands) > 1
    graph = deep["image"].data.__dask_graph__()
    whole = [key for key in graph if isinstance(key, tuple) and key[0].startswith("rechunk-split")]
    assert not whole
    assert_frames_equal(deep.compute(), frames.compute().autowisp.stack("mean"))


def test_masters_are_read_once_not_once_a_frame(night, monkeypatch):
    read = []

    def noted(plane, key, real=variables.StoredPlane.read):
        read.append(plane.folder.parent.name)
        return real(plane, key)

    monkeypatch.setattr(variables.StoredPlane, "read", noted)
    frames = aw.open_zarr(night[0] / "recipe" / "night.zarr", group=GROUP)
    frames.isel(frame=0).compute()
    assert {"bias", "flat_V", "V_60s"} < set(read)
    read.clear()
    frames.isel(frame=[1, 2]).compute()
    frames.isel(frame=0).compute()
    assert set(read) == {"V_60s"}


def test_masters_are_at_hand_once_written_if_there_is_room(night, tmp_path, monkeypatch):
    read = []

    def noted(plane, key, real=variables.StoredPlane.read):
        read.append(plane.folder.name)
        return real(plane, key)

    monkeypatch.setattr(variables.StoredPlane, "read", noted)
    master = aw.open_zarr(night[0] / "recipe" / "night.zarr", group="masters/bias").compute()
    largest = max(plane.nbytes for plane in master.data_vars.values())
    for room in (10**9, largest, 0):
        place = tmp_path / f"{room}.zarr"
        with recipes.at_hand(room):
            made = recipes.store_product(master.chunk(), None, place, group="masters/bias")
        assert_frames_equal(made.compute(), master)
        # those that correct no frames are never at hand
        read.clear()
        made[["image", "variance", "mask"]].compute()
        assert bool(read) == (room <= largest)


def test_files_are_the_same_whatever_the_store_has(night):
    top, _ = night
    for path in (top / "pixels" / "calibrated").rglob("*.fits"):
        other = top / "recipe" / path.relative_to(top / "pixels")
        assert_frames_equal(aw.open_fits(path), aw.open_fits(other), ignore=["path", "header"])


def test_other_programs_see_raw_integers_and_that_they_are(night):
    store = night[0] / "recipe" / "night.zarr"
    plain = xr.open_zarr(store, group=GROUP, consolidated=False)
    raw = aw.open_fits(night[0] / "raw" / "object*.fits")
    assert plain["image"].dtype == raw["image"].dtype == np.uint16
    np.testing.assert_array_equal(plain["image"], raw["image"])
    assert "raw integers" in plain.attrs[stored_sets.RECIPE]
    assert set(plain.data_vars) == {"image", "flags"}


def test_what_was_moved_is_opened_by_every_door(night, tmp_path):
    shutil.copytree(night[0] / "recipe", tmp_path / "moved")
    store = tmp_path / "moved" / "night.zarr"
    expected = aw.open_zarr(night[0] / "recipe" / "night.zarr", group=GROUP).compute()
    assert_frames_equal(xr.open_dataset(store, engine="autowisp", group=GROUP), expected)
    tree = aw.open_night(tmp_path / "moved")
    assert_frames_equal(tree[GROUP].to_dataset(), expected)
    assert "inputs" not in tree.children
    assert aw.stack(tree[GROUP].to_dataset()).compute().sizes == expected.isel(frame=0).sizes


def attributes(store):
    return zarr.open_group(store, path=GROUP, mode="r+").attrs


def test_a_recipe_of_another_arithmetic_is_refused(night, tmp_path):
    store = tmp_path / "night.zarr"
    shutil.copytree(night[0] / "recipe" / "night.zarr", store)
    written = json.loads(attributes(store)[stored_sets.RECIPE])
    attributes(store)[stored_sets.RECIPE] = json.dumps(written | {"arithmetic": 99})
    with pytest.raises(CalibrationError, match="arithmetic number 99, and this version has 1"):
        aw.open_zarr(store, group=GROUP)


def test_masters_that_were_replaced_are_refused(night, tmp_path):
    store = tmp_path / "night.zarr"
    shutil.copytree(night[0] / "recipe" / "night.zarr", store)
    flat = aw.open_zarr(store, group="masters/flat_V").compute()
    aw.to_zarr(flat, store, group="masters/flat_V", overwrite=True)
    with pytest.raises(BadImageError, match="masters/flat_V is not what the frames were"):
        aw.open_zarr(store, group=GROUP)


def test_masters_and_masks_that_nothing_refers_to_are_removed(night, tmp_path):
    store = tmp_path / "night.zarr"
    shutil.copytree(night[0] / "recipe" / "night.zarr", store)
    used = aw.store.groups_of(store, recipes.INPUTS)
    assert used
    other = aw.open_zarr(store, group="masters/bias").compute()
    masters.reference(store, other)
    assert len(aw.store.groups_of(store, recipes.INPUTS)) == len(used) + 1
    recipes.remove_unused_inputs(store)
    assert aw.store.groups_of(store, recipes.INPUTS) == used


def test_a_set_that_is_there_in_either_form_stays(night):
    top, given = night
    state = attributes(top / "pixels" / "night.zarr").asdict()
    aw.reduce(top / "raw", top / "pixels", **given)
    assert attributes(top / "pixels" / "night.zarr").asdict() == state
    with pytest.raises(ValueError, match="store is one of recipe, pixels, not 'Pixels'"):
        aw.reduce(top / "raw", top / "none", store="Pixels")


def test_a_run_that_was_cut_off_is_taken_up_where_it_stopped(night, plain, tmp_path, monkeypatch):
    (top, _), (other, given) = night, plain
    written = []

    def cut(index, *planes, real=filling._write_frame, **how):
        if len(written) == 1 and allowed == 1:
            raise RuntimeError("power cut")
        done = real(index, *planes, **how)
        written.append(int(index.item()))
        return done

    monkeypatch.setattr(filling, "_write_frame", cut)
    allowed = 1
    with dask.config.set(scheduler="sync"), pytest.raises(RuntimeError, match="power cut"):
        aw.reduce(top / "raw", tmp_path / "out", **given)
    store = tmp_path / "out" / "night.zarr"
    with pytest.raises(BadImageError, match="1 of 3 frames are written"):
        aw.open_zarr(store, group=GROUP)
    part = aw.open_zarr(store, group=GROUP, unfinished=True).compute()
    allowed = 3
    summary = aw.reduce(top / "raw", tmp_path / "out", **given)
    assert not summary.failed
    assert sorted(written) == [0, 1, 2]
    whole = aw.open_zarr(store, group=GROUP)
    assert_frames_equal(part, whole.isel(frame=written[:1]))
    assert_frames_equal(aw.open_zarr(other / "night.zarr", group=GROUP), whole)


def test_without_files_there_is_the_store(plain):
    out, _ = plain
    assert not (out / "calibrated").exists()
    assert list((out / "masters").glob("*.fits"))
    assert aw.open_zarr(out / "night.zarr", group=GROUP).sizes["frame"] == 3


def test_linked_pixels_stay_in_their_files_which_have_to_be_the_same(night, plain, tmp_path):
    (top, _), (stored, given) = night, plain
    shutil.copytree(top / "raw", tmp_path / "raw")
    aw.reduce(tmp_path / "raw", tmp_path / "linked", raw="link", **given)
    store = tmp_path / "linked" / "night.zarr"
    assert not (store / GROUP / "image").exists()
    expected = aw.open_zarr(stored / "night.zarr", group=GROUP)
    assert_frames_equal(aw.open_zarr(store, group=GROUP), expected, ignore=OF_FILES)
    path = tmp_path / "raw" / "object-0002.fits"
    os.utime(path, (1, 1))
    assert_frames_equal(aw.open_zarr(store, group=GROUP), expected, ignore=OF_FILES)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(BadImageError, match=r"object-0002\.fits was changed since"):
        aw.open_zarr(store, group=GROUP)
    path.unlink()
    with pytest.raises(BadImageError, match=r"object-0002\.fits.*cannot be read .* put it back"):
        aw.open_zarr(store, group=GROUP)


def golden():
    """Frames and masters of whole numbers, by arithmetic that is the same everywhere."""
    y, x = np.indices((60, 10))

    def planes(n, level, step):
        number = np.arange(n)[:, None, None]
        return (level + (y * 7919 + x * 104729 + number * 1299709) % step).astype(np.uint16)

    def frames(kind, n, level, step, exposure):
        ds = xr.Dataset({"image": (schema.DIMS, planes(n, level, step)[:, None])})
        ds = ds.assign_coords(schema.place({schema.MONO: ChannelSlice()}, 60, 10)).assign_coords(
            frame=[f"{kind}-{number}" for number in range(n)],
            exposure=("frame", np.full(n, float(exposure))),
        )
        return schema.with_attributes(ds, "adu").assign_attrs(camera=camera.to_json())

    camera = aw.Camera(
        gain=1.7, read_noise=6.5, saturation=1600, image_area="[3:10,1:60]", overscan="[1:2,1:60]"
    )
    bias = aw.master_bias(frames("bias", 5, 100, 13, 0))
    dark = aw.master_dark(frames("dark", 5, 120, 31, 60), bias=bias)
    flat = aw.master_flat(frames("flat", 5, 900, 97, 60), bias=bias, dark=dark).high
    return frames("object", 3, 200, 1500, 60), {"bias": bias, "dark": dark, "flat": flat}


def test_whoever_changes_a_bit_of_the_arithmetic_raises_its_number():
    raw, applied = golden()
    made = recipes.Recipe(options={"scale_dark": "down"}).apply(raw, applied)
    digest = hashlib.sha256()
    for name in sorted(map(str, made.data_vars)):
        digest.update(made[name].values.astype(made[name].dtype.newbyteorder("<")).tobytes())
    assert (recipes.ARITHMETIC, digest.hexdigest()[:16]) == (1, "180576bb3873dec1")
