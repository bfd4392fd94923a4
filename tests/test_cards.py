import numpy as np
import pytest
from astropy.io import fits

from autowisp_xr.errors import HeaderError
from autowisp_xr.headers.cards import (
    comment_of,
    common_header,
    first_value,
    parse_header,
    render_header,
    set_cards,
    value_of,
)


@pytest.fixture
def header():
    header = fits.Header()
    header["OBJECT"] = ("M42", "what was seen")
    header["EXPTIME"] = 60.0
    header["LONG"] = "x" * 150
    header["HIERARCH ESO DET GAIN"] = 2.1
    header["EMPTY"] = None
    header["BLANKS"] = "   "
    header["QUOTE"] = "it's"
    header["FLAG"] = True
    header.add_comment("one")
    header.add_comment("two")
    header.add_history("cooked")
    header.append(("", "a blank card"))
    return header


def test_a_header_comes_back_card_for_card(header):
    text = render_header(header)
    back = parse_header(text)
    assert render_header(back) == text
    assert [card.image for card in back.cards] == [card.image for card in header.cards]
    assert back["LONG"] == "x" * 150
    assert back["HIERARCH ESO DET GAIN"] == 2.1
    assert list(back["COMMENT"]) == ["one", "two"]
    assert all(len(line) == 80 for line in text.splitlines())


def test_repeated_keywords_survive():
    header = fits.Header()
    header.append(("KEY", 1))
    header.append(("KEY", 2))
    assert [card.value for card in parse_header(render_header(header)).cards] == [1, 2]


def test_values_are_read_and_absent_ones_are_none(header):
    assert value_of(header, "OBJECT") == "M42"
    assert value_of(header, "EXPTIME") == 60.0
    assert value_of(header, "FLAG") is True
    for keyword in ("EMPTY", "BLANKS", "NONE"):
        assert value_of(header, keyword) is None
    assert first_value(header, ["NONE", "BLANKS", "EXPTIME", "OBJECT"]) == 60.0
    assert first_value(header, ["NONE"]) is None


def test_a_card_that_cannot_be_read_is_none():
    header = fits.Header.fromstring("KEY     = '''''broken".ljust(80) + "OK      = 1".ljust(80))
    assert value_of(header, "OK") == 1
    assert value_of(header, "KEY") is None or isinstance(value_of(header, "KEY"), str)


def test_common_cards_are_those_of_all_with_the_same_value(header):
    other = header.copy()
    other["OBJECT"] = "M43"
    other["NEW"] = 1
    del other["QUOTE"]
    merged = common_header([header, other])
    assert "OBJECT" not in merged
    assert "QUOTE" not in merged
    assert "NEW" not in merged
    assert merged["EXPTIME"] == 60.0
    assert merged["HIERARCH ESO DET GAIN"] == 2.1
    assert list(merged["COMMENT"]) == ["one", "two"]
    assert list(merged["HISTORY"]) == ["cooked"]
    assert "" not in merged
    assert "OBJECT" in header  # the first is not changed


def test_comments_are_compared_as_a_block(header):
    other = header.copy()
    other.add_comment("three")
    merged = common_header([header, other])
    assert "COMMENT" not in merged
    assert "HISTORY" in merged


def test_the_wording_and_order_are_those_of_the_first():
    one = fits.Header([("B", 1, "first"), ("A", 2)])
    two = fits.Header([("A", 2.0), ("B", 1, "second")])
    merged = common_header([one, two])
    assert list(merged) == ["B", "A"]
    assert merged.comments["B"] == "first"


def test_one_header_is_common_to_itself(header):
    merged = common_header([header])
    assert [card.image for card in merged.cards] == [
        card.image for card in header.cards if card.keyword
    ]


def test_what_is_repeated_goes_with_all_its_repetitions():
    one = fits.Header([("KEY", 1), ("KEY", 2), ("A", 1)])
    two = fits.Header([("KEY", 3), ("A", 1)])
    assert list(common_header([one, two])) == ["A"]


def test_text_that_looks_like_a_field_and_its_number_is_text(tmp_path):
    cards = "FILTER  = 'WHEEL: 3'           / slot\nEXPTIME =                 60.0 / [s]"
    found = parse_header(cards)
    assert list(found) == ["FILTER", "EXPTIME"]
    assert (value_of(found, "FILTER"), comment_of(found, "FILTER")) == ("WHEEL: 3", "slot")
    assert value_of(parse_header(render_header(found)), "FILTER") == "WHEEL: 3"
    assert value_of(common_header([found, found.copy()]), "FILTER") == "WHEEL: 3"
    set_cards(found, {"FILTER": "WHEEL: 2", "EXPTIME": 5.0})
    assert value_of(parse_header(render_header(found)), "FILTER") == "WHEEL: 2"
    fits.PrimaryHDU(header=found).writeto(tmp_path / "a.fits")
    assert b"FILTER  = 'WHEEL: 2'" in (tmp_path / "a.fits").read_bytes()


@pytest.mark.parametrize("entry", [[1, 2], np.nan, b"me", (1, "one", "two")])
def test_what_no_card_can_hold_is_refused_by_name(entry):
    with pytest.raises(HeaderError, match=r"OBSERVER = .* is no card of a header"):
        set_cards(fits.Header(), {"OBSERVER": entry})


def test_the_records_of_distortions_stay_records():
    found = parse_header("DP1     = 'EXTVER: 1'\nDP1     = 'NAXES: 2'\nSLOT    = 'A: 1'")
    assert (found["DP1.NAXES"], value_of(found, "SLOT")) == (2.0, "A: 1")
