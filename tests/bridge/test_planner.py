"""Bands, blocks and whole frames by arithmetic alone, and the limit that they keep."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowisp_xr.bridge import memory_limit, planner
from autowisp_xr.bridge.planner import Frames
from autowisp_xr.errors import MemoryLimitError

GB = 10**9
RAW = {"read": 2, "made": 9}
LARGE = {"height": 6388, "width": 9576}


@pytest.mark.parametrize(
    ("frames", "limit", "workers", "rows"),
    [
        # raw frames, one after the other as large as is fast
        (Frames(number=30, height=2048, width=2048, read=2), 8 * GB, 2, 136),
        (Frames(number=300, height=2048, width=2048, **RAW), 8 * GB, 2, 4),
        # in whole chunks of a store where these fit, else in parts of them
        (Frames(number=300, height=2048, width=2048, read=9, unit=64), 8 * GB, 2, 64),
        (Frames(number=2000, height=512, width=512, read=9, unit=256), 2 * GB, 2, 108),
        (Frames(number=300, **LARGE, **RAW), 2 * GB, 2, 1),
        (Frames(number=3, height=5, width=7, read=2), 8 * GB, 2, 5),
    ],
)
def test_rows_of_a_band(frames, limit, workers, rows):
    plan = planner.bands(frames, limit, workers)
    assert plan.rows == rows
    assert plan.peak <= limit


@pytest.mark.parametrize(
    ("threads", "limit", "rows"),
    # four times as many, as few as give each thread two, never fewer, and within the limit
    [(2, 8 * GB, 96), (16, 8 * GB, 32), (1000, 8 * GB, 24), (2, 10**8, 81)],
)
def test_a_band_that_goes_to_a_cluster_has_more_rows(threads, limit, rows):
    frames = Frames(number=60, height=1024, width=1024, **RAW)
    plan = planner.bands(frames, limit, 1, threads)
    assert plan.rows == rows
    assert plan.peak <= limit


@pytest.mark.parametrize(
    ("limit", "workers", "rows"),
    [(8 * GB, 2, 6388), (2 * GB, 2, 3194), (GB, 1, 3194), (10**8, 1, 495)],
)
def test_rows_of_a_frame_of_61_megapixels(limit, workers, rows):
    frames = Frames(number=100, **LARGE, **RAW)
    plan = planner.blocks(frames, limit, workers)
    assert plan.peak <= limit
    assert plan.rows == pytest.approx(rows, rel=0.07)


@pytest.mark.parametrize(
    ("limit", "unit", "rows", "at_once"),
    [
        # with the same rows of masters, 27 bytes a pixel, for all of them: 833 kB a row
        (2 * GB, 4, 320, 3),
        (10**8, 4, 120, 3),
        (2 * GB, 876, 876, 3),
        # fewer frames before fewer rows than go into one object of a store
        (1.2 * GB, 876, 876, 2),
        (10**8, 876, 876, 1),
    ],
)
def test_parts_of_frames_of_61_megapixels(limit, unit, rows, at_once):
    frames = Frames(number=100, **LARGE, **RAW, common=27, unit=unit)
    plan = planner.parts(frames, limit, 3)
    assert (plan.rows, plan.at_once) == (rows, at_once)
    assert plan.peak <= limit or plan.least > limit


def test_parts_have_whole_chunks_of_what_frames_share():
    frames = Frames(number=100, **LARGE, **RAW, common=27, unit=4, common_unit=52)
    assert planner.parts(frames, 2 * GB, 3).rows == 6 * 52
    assert planner.parts(frames, 10**7, 3).rows == 12


def test_what_is_gathered_until_it_is_written_counts():
    frames = Frames(number=100, **LARGE, **RAW, common=27, unit=4)
    plan = planner.parts(frames, 2 * GB, 3, gathered=4 * 10**8)
    assert (plan.rows, plan.at_once) == (416, 2)
    assert plan.peak <= 2 * GB
    assert planner.parts(frames, 10**8, 3, gathered=4 * 10**8).least > 4 * 10**8


@pytest.mark.parametrize(
    ("height", "width", "itemsize", "rows"),
    [(2048, 2048, 4, 2048), (512, 512, 4, 512), (6388, 9576, 4, 806), (6388, 9576, 2, 1612)],
)
def test_objects_of_a_store_are_whole_frames_or_some_tens_of_megabytes(
    height, width, itemsize, rows
):
    chunk = planner.chunk_rows(height, width, itemsize)
    found = planner.shard_rows(height, width, itemsize, chunk)
    assert found == pytest.approx(rows, rel=0.03)
    assert found % chunk == 0


@pytest.mark.parametrize(("limit", "at_once"), [(8 * GB, 3), (3 * GB, 2), (GB, 1)])
def test_whole_frames_at_once(limit, at_once):
    frames = Frames(number=100, **LARGE, **RAW)
    assert planner.whole_frames(frames, limit, 3).at_once == at_once


SIZES = st.builds(
    Frames,
    number=st.integers(1, 3000),
    channels=st.integers(1, 4),
    height=st.integers(1, 7000),
    width=st.integers(1, 10000),
    read=st.integers(1, 9),
    made=st.integers(0, 17),
    common=st.integers(0, 20),
    unit=st.integers(1, 300),
)
PLANNED = st.sampled_from([planner.bands, planner.blocks, planner.parts, planner.whole_frames])


@given(SIZES, st.integers(10**6, 10**11), st.integers(1, 64), PLANNED)
def test_a_plan_keeps_the_limit_or_states_what_it_takes(frames, limit, workers, planned):
    plan = planned(frames, limit, workers)
    assert 1 <= plan.rows <= frames.height
    assert 1 <= plan.at_once <= workers
    if plan.least <= limit and frames.unit == 1:
        assert plan.peak <= limit
    larger = planned(frames, 2 * limit, workers)
    assert (larger.rows, larger.at_once) >= (plan.rows, plan.at_once)


def test_a_limit_is_read_as_people_write_it(monkeypatch):
    for text, number in [("2GB", 2 * GB), ("1.5 GiB", 3 * 2**29), ("500m", 5 * 10**8), (7, 7)]:
        assert memory_limit.parsed(text) == number
    for text in ("", "much", "-1GB", "1.2.3", 0):
        with pytest.raises(ValueError, match="positive number of bytes"):
            memory_limit.parsed(text)
    monkeypatch.delenv(memory_limit.VARIABLE, raising=False)
    assert not memory_limit.in_force().is_stated
    monkeypatch.setenv(memory_limit.VARIABLE, "3GB")
    assert memory_limit.in_force() == (3 * GB, True)
    with memory_limit.limited("1GB"):
        assert memory_limit.in_force().bytes == GB
        with memory_limit.limited(None):
            assert memory_limit.in_force().bytes == GB


def test_a_limit_that_is_too_small_states_what_it_takes():
    plan = planner.whole_frames(Frames(number=2, **LARGE, **RAW), GB, 2)
    with pytest.raises(MemoryLimitError, match=r"takes 1\.5GB at least, .* 1GB; give a limit"):
        memory_limit.kept(plan, "a whole frame", memory_limit.Limit(GB, True))
    # buffers have their share, of a small limit half
    assert memory_limit.Limit(GB, True).for_work == 8 * 10**8
    assert memory_limit.Limit(10**8, True).for_work == 5 * 10**7
    # nobody asked for it
    assert memory_limit.kept(plan, "", memory_limit.Limit(GB, False)) is plan
