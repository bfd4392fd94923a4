"""How images make up a frame, by cards alone."""

import pytest

from autowisp_xr.errors import HeaderError
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.assembly import GEOMETRY, assemble
from autowisp_xr.headers.sections import Part, has_place, spelled_out
from autowisp_xr.regions import Region


def part(number, height=4, width=6, **cards):
    values = spelled_out({name: str(value) for name, value in cards.items()})
    return Part(label=f"HDU {number}", values=values, height=height, width=width)


def made(*parts):
    return assemble(parts, KeywordAliases())


def area(xmin, xmax, ymin, ymax):
    return Region(xmin=xmin, xmax=xmax, ymin=ymin, ymax=ymax)


def test_two_halves_without_overscan_are_the_detector():
    both = made(part(1, DETSEC="[1:6,1:4]"), part(2, DETSEC="[7:12,1:4]"))
    assert (both.height, both.width, both.window) == (4, 12, "[1:12,1:4]")
    assert [piece.into for piece in both.pieces] == [area(0, 6, 0, 4), area(6, 12, 0, 4)]
    assert [reader.overscan for reader in both.readers] == [(), ()]


def test_strips_lie_beyond_the_pixels_in_the_rows_of_their_amplifier():
    lower = part(1, DATASEC="[1:4,1:4]", BIASSEC="[5:6,1:4]", DETSEC="[1:4,1:4]")
    upper = part(2, DATASEC="[3:6,1:4]", BIASSEC="[1:2,1:4]", DETSEC="[1:4,8:5]")
    frame = made(lower, upper)
    assert (frame.height, frame.width) == (8, 6)
    # their rows differ, so they may have the same columns
    assert [reader.overscan for reader in frame.readers] == [
        (area(4, 6, 0, 4),),
        (area(4, 6, 4, 8),),
    ]
    assert [piece.flip_y for piece in frame.pieces] == [False, False, True, True]
    assert frame.pieces[3].source == area(0, 2, 0, 4)


def test_overscan_above_lies_in_the_columns_of_its_amplifier():
    cards = {"DATASEC": "[1:6,1:3]", "BIASSEC": "[1:6,4:4]"}
    frame = made(part(1, DETSEC="[1:6,1:3]", **cards), part(2, DETSEC="[12:7,1:3]", **cards))
    assert (frame.height, frame.width) == (4, 12)
    assert [r.overscan[0] for r in frame.readers] == [area(0, 6, 3, 4), area(6, 12, 3, 4)]


def test_a_strip_that_overlaps_the_rows_in_part_keeps_its_place_when_rows_are_turned():
    frame = made(part(1, width=8, DATASEC="[1:6,1:4]", BIASSEC="[7:8,1:3]", DETSEC="[1:6,4:1]"))
    assert frame.readers[0].overscan == (area(6, 8, 1, 4),)


@pytest.mark.parametrize("data", ["DATASEC", "TRIMSEC"])
def test_sections_of_the_detector_may_count_unbinned_pixels(data):
    cards = {data: "[1:4,1:4]", "CCDSUM": "2 2"}
    frame = made(part(1, DETSEC="[9:16,5:12]", **cards), part(2, DETSEC="[1:8,5:12]", **cards))
    assert (frame.height, frame.width) == (4, 8)
    assert [piece.into.xmin for piece in frame.pieces] == [4, 0]
    assert frame.window == "[1:16,5:12]"


def test_sections_of_an_image_may_count_unbinned_pixels_too():
    cards = {"DATASEC": "[1:8,1:8]", "BIASSEC": "[9:12,1:8]", "CCDSUM": "2 2"}
    frame = made(part(1, DETSEC="[1:8,1:8]", **cards), part(2, DETSEC="[9:16,1:8]", **cards))
    assert (frame.height, frame.width, frame.image_area.xmax) == (4, 12, 8)
    assert frame.pieces[1].source == area(4, 6, 0, 4)


def test_of_a_data_section_and_a_trim_section_that_counts_which_fits_the_detector():
    cards = {"DATASEC": "[1:6,1:4]", "TRIMSEC": "[2:5,1:4]"}
    frame = made(part(1, DETSEC="[1:4,1:4]", **cards), part(2, DETSEC="[5:8,1:4]", **cards))
    assert [piece.source for piece in frame.pieces] == [area(1, 5, 0, 4)] * 2


def test_several_amplifiers_of_one_image_have_letters():
    frame = made(
        part(
            1, width=10, DETSEC="[1:6,1:4]",
            DATASECA="[3:5,1:4]", BIASSECA="[1:2,1:4]", DETSECA="[1:3,1:4]",
            DATASECB="[6:8,1:4]", BIASSECB="[9:10,1:4]", DETSECB="[4:6,1:4]",
        )
    )  # fmt: skip
    assert [(r.suffix, r.region, r.overscan[0].xmin) for r in frame.readers] == [
        ("A", area(0, 3, 0, 4), 6),
        ("B", area(3, 6, 0, 4), 8),
    ]


def test_quadrants_of_one_image_have_their_row_and_column():
    cards = {}
    for row, y in ((1, "1:2"), (2, "3:4")):
        cards |= {f"DSEC{row}1": f"[1:3,{y}]", f"BSEC{row}1": f"[4:5,{y}]"}
        cards |= {f"DSEC{row}2": f"[8:10,{y}]", f"BSEC{row}2": f"[6:7,{y}]"}
        cards |= {f"CSEC{row}1": f"[1:3,{y}]", f"CSEC{row}2": f"[4:6,{y}]"}
    frame = made(part(1, width=10, **cards))
    assert (frame.height, frame.width, frame.window) == (4, 10, "[1:6,1:4]")
    assert [(r.suffix, r.region, r.overscan) for r in frame.readers] == [
        ("11", area(0, 3, 0, 2), (area(6, 8, 0, 2),)),
        ("12", area(3, 6, 0, 2), (area(8, 10, 0, 2),)),
        ("21", area(0, 3, 2, 4), (area(6, 8, 2, 4),)),
        ("22", area(3, 6, 2, 4), (area(8, 10, 2, 4),)),
    ]
    assert all(GEOMETRY.fullmatch(name.replace("CSEC", "CCDSEC")) for name in cards)


def test_ccdsec_serves_amplifiers_of_one_chip_only():
    halves = [part(1, CCDSEC="[1:6,1:4]", CCDNAME="a"), part(2, CCDSEC="[7:12,1:4]", CCDNAME="a")]
    assert made(*halves).width == 12
    with pytest.raises(HeaderError, match="CCDSEC counts from the corner of each of 2 chips"):
        made(halves[0], part(2, CCDSEC="[7:12,1:4]", CCDNAME="b"))


def test_linear_coordinates_serve_where_there_are_no_sections():
    left = part(1, LTV1=0, LTV2=0)
    right = part(2, LTV1=13, LTM1_1=-1, LTV2=0)
    frame = made(left, right)
    assert [(p.into.xmin, p.flip_x) for p in frame.pieces] == [(0, False), (6, True)]
    # of chips, DTV states where each begins
    frame = made(
        part(1, LTV1=0, LTV2=0, DTV1=0, DTV2=0, CCDNAME="a"),
        part(2, LTV1=0, LTV2=0, DTV1=0, DTV2=4, CCDNAME="b"),
    )
    assert (frame.height, frame.width) == (8, 6)


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ({}, "not all of them have DETSEC"),
        ({"DETSEC": "UNKNOWN"}, "not all of them have DETSEC"),
        ({"DETSEC": "[6:11,1:4]"}, "HDU 1 and HDU 2 lie on the same pixels by their DETSEC"),
        ({"DETSEC": "[8:13,1:4]"}, "leave 4 of 4 x 13 pixels of the detector without data"),
        ({"DETSEC": "[7:14,1:4]"}, "DETSEC has another size than the pixels"),
        ({"DETSEC": "[7:18,1:4]"}, "DETSEC has another size than the pixels"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_all_sections(second, reason):
    with pytest.raises(HeaderError, match=reason) as caught:
        made(part(1, DETSEC="[1:6,1:4]"), part(2, **second))
    message = str(caught.value)
    assert "HDU 1: DETSEC = '[1:6,1:4]'" in message
    described = f"DETSEC = {second['DETSEC']!r}" if second else "no section"
    assert f"HDU 2: {described}" in message
    assert "hdu={'a': 1, 'b': 2}" in message


@pytest.mark.parametrize("wrong", ["[3:6,1:4]", "[1:2,1:2]", "[7:9,1:4]", "[5:6,9:9]"])
def test_an_overscan_in_the_light_or_outside_is_not_used_and_reported(wrong):
    cards = {"DATASEC": "[1:4,1:4]", "DETSEC": "[1:4,1:4]", "BIASSEC": wrong}
    frame = made(part(1, **cards))
    assert frame.readers[0].overscan == ()
    assert [doubt for doubt in frame.doubts if f"BIASSEC = '{wrong}'" in doubt]


def test_an_overscan_of_zeros_is_none():
    cards = {"DETSEC": "[1:6,1:4]", "BIASSEC": "[0:0,0:0]"}
    frame = made(part(1, **cards))
    assert (frame.readers[0].overscan, frame.doubts) == ((), ())


def test_which_images_state_a_place():
    assert has_place({"DETSEC": "[1:2,1:2]"})
    assert has_place({"DETSECA": "[1:2,1:2]"})
    assert not has_place({"DETSEC": "none", "DATASEC": "[1:2,1:2]"})
