"""What very many frames take, on paper."""

from dataclasses import replace

import pytest

from autowisp_xr.bridge.archive import Archive, Prices, page, projected

MILLION = Archive(frames=10**6, height=6388, width=9576)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("raw_bytes", 122_342_976_000_000),  # two bytes of each of 61,171,488 pixels
        ("tasks", 31_250),
        ("sets", 3_334),
        # four shards of image and of flags, and 150 for each set
        ("objects", 8 * 10**6 + 150 * 3_334),
        ("headers", 6 * 10**9),
        ("graph_tasks", 3 * 10**6),
        ("row", 10**6 * 9576 * (2 + 2 * 9)),
    ],
)
def test_a_million_frames_of_61_megapixels(name, expected):
    assert getattr(projected(MILLION), name) == expected


def test_twice_the_frames_take_twice_the_room_and_no_more_memory_of_a_worker():
    one, two = projected(MILLION), projected(replace(MILLION, frames=2 * 10**6))
    assert two.stored_bytes == 2 * one.stored_bytes
    assert two.worker_bytes == one.worker_bytes <= MILLION.limit


def test_prices_are_arguments():
    free = Prices(gigabyte_month=0, thousand_writes=0, thousand_reads=0, processor_hour=0)
    assert (projected(MILLION, free).month, projected(MILLION, free).once) == (0, 0)
    dear = Prices(gigabyte_month=1, thousand_writes=0, thousand_reads=0, processor_hour=0)
    assert projected(MILLION, dear).month == pytest.approx(projected(MILLION).stored_bytes / 1e9)
    assert "What breaks first" in page(MILLION)
