import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import autowisp_xr as aw
from autowisp_xr import SchemaError
from autowisp_xr.plot.gallery import binned, thumbnails
from tests.plot.tables import NAMES, planes


def test_small_frames_stay_as_they_are():
    image = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(binned(image), image)


def test_large_frames_become_means_of_blocks():
    image = np.zeros((401, 603))
    image[:3, :3] = 9.0
    small = binned(image)
    assert small.shape == (133, 201)
    assert small[0, 0] == 9.0
    assert small.sum() == 9.0


def test_pixels_that_are_no_number_take_no_part():
    image = np.ones((400, 400))
    image[0, 0] = np.nan
    image[2:4, :2] = np.nan
    small = binned(image)
    assert small[0, 0] == 1.0
    assert np.isnan(small[1, 0])
    assert np.isnan(small).sum() == 1


@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(1, 5), st.integers(1, 900))
        | st.tuples(st.integers(1, 900), st.just(2)),
        elements=st.floats(-1e3, 1e3),
        fill=st.just(7.0),
    )
)
def test_blocks_lie_within_what_they_are_made_of(image):
    small = binned(image)
    assert 1 <= min(small.shape) <= max(small.shape) < 400
    assert small.min() >= image.min() - 1e-9
    assert small.max() <= image.max() + 1e-9


def test_frames_come_in_the_order_asked_for_with_their_maps():
    images, maps = planes(np.arange(8.0)), planes(0.1 * np.arange(8), NAMES)[2:5]
    found = list(thumbnails(images, maps, ["e", "b", "not there"], "mono"))
    assert [one.name for one in found] == ["e", "b"]
    assert found[0].image[3, 3] == 4.0
    assert found[0].clouds[3, 3] == pytest.approx(0.4)
    assert found[1].clouds is None


def test_maps_that_are_not_wanted_are_not_read():
    images = planes(np.arange(8.0))
    found = list(thumbnails(images, images, ["e", "b"], "mono", mapped=["b"]))
    assert [one.clouds is None for one in found] == [True, False]


def test_only_the_channel_asked_for_is_shown():
    images = planes(np.zeros(8), channels=("R", "G"))
    images[:, 1] = 5.0
    (one,) = thumbnails(images, None, ["a"], "G")
    assert (one.image == 5.0).all()


def test_each_frame_is_computed_once_and_alone():
    images = planes(np.arange(8.0))
    read = []

    def opened(block, block_info=None):
        read.append(block_info[0]["array-location"][0][0])
        return block

    frames = da.from_array(images.values, chunks=(1, 1, 6, 8)).map_blocks(opened, dtype=float)
    lazy = images.copy(data=frames)
    computed = []

    def scheduler(graph, keys, **options):
        before = len(read)
        result = dask.get(graph, keys, **options)
        computed.append(read[before:])
        return result

    with dask.config.set(scheduler=scheduler):
        # the map is made of the frame: what they have in common is read once
        found = list(thumbnails(lazy, 0.01 * lazy, ["c", "h"], "mono"))
    assert computed == [[2], [7]]
    np.testing.assert_allclose(found[1].clouds, 0.01 * found[1].image)


def test_frames_in_files_are_shown_as_those_in_memory(tmp_path):
    raw = aw.simulate.Night(shape=(12, 16), seed=1).flat(3)
    aw.to_fits(raw, tmp_path / "{RAWFNAME}.fits")
    opened = aw.open_fits(tmp_path)
    assert opened["image"].chunks is None
    names = ["flat-0003", "flat-0001"]
    for one, other in zip(
        thumbnails(opened["image"], None, names, "mono"),
        thumbnails(raw["image"], None, names, "mono"),
        strict=True,
    ):
        np.testing.assert_array_equal(one.image, other.image)


def test_planes_of_other_dims_are_refused():
    with pytest.raises(SchemaError, match=r"images has the dims \('channel', 'y', 'x'\), expected"):
        list(thumbnails(planes(np.zeros(8))[0], None, ["a"], "mono"))


def test_maps_without_the_channel_are_refused():
    with pytest.raises(SchemaError, match="no channel 'mono' in maps, only R"):
        list(thumbnails(planes(np.zeros(8)), planes(np.zeros(8), channels=("R",)), ["a"], "mono"))
