"""Cards that are read when they are asked for state what astropy makes of the whole header."""

import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autowisp_xr.headers.cards import comment_of, parse_header, value_of
from autowisp_xr.headers.lazy_header import LazyHeader

PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)
VALUES = st.one_of(
    st.text(PRINTABLE, max_size=30).map(lambda text: f"'{text}'"),
    st.integers().map(str),
    st.floats(allow_nan=False).map(repr),
    st.floats(allow_nan=False).map(lambda number: f"{number:.3E}".replace("E", "D")),
    st.sampled_from(["T", "F", "", "+007", "1.", "-.5", "( 1, 2)", "1 2", "'a: 3'", "'it''s'"]),
)
KEYWORDS = st.sampled_from(["OBJECT", "EXPTIME", "DATE-OBS", "A_1", "HISTORY", "COMMENT", ""])
CARDS = st.one_of(
    st.builds(
        lambda keyword, value, comment: f"{keyword:8}= {value:>20} / {comment}",
        KEYWORDS,
        VALUES,
        st.text(PRINTABLE, max_size=20),
    ),
    st.builds(lambda keyword, text: f"{keyword:8}{text}", KEYWORDS, st.text(PRINTABLE)),
    st.builds(lambda keyword, text: f"{keyword:8}= {text}", KEYWORDS, st.text(PRINTABLE)),
    st.sampled_from(["HIERARCH ESO DET GAIN = 2.1", "DP1     = 'EXTVER: 1'", "lower   = 3"]),
)


def text_of(cards):
    return "\n".join(card[:80].ljust(80) for card in cards)


@given(cards=st.lists(CARDS, min_size=1, max_size=5))
@example(cards=["OBJECT  = 'M31 long & ' / c", "CONTINUE  'and more' / d"])
@example(cards=["OBJECT  = 'a' / first", "OBJECT  = 'b'/second"])
@example(cards=["OBJECT  = 'a'b", "EXPTIME = 1.5E+2/s", "A_1     =                      T"])
@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyUserWarning")
def test_each_card_states_what_it_does_in_the_whole_header(cards):
    lazy, whole = LazyHeader(text_of(cards)), parse_header(text_of(cards))
    assert tuple(lazy) == tuple(whole)
    for keyword, number in ((k, n) for k in set(whole) for n in range(list(whole).count(k))):
        assert (keyword in lazy) == (keyword in whole)
        if keyword in ("HISTORY", "COMMENT"):
            assert lazy.lines_of(keyword) == list(whole[keyword])
        elif keyword:
            value, other = value_of(lazy, (keyword, number)), value_of(whole, (keyword, number))
            assert repr(value) == repr(other)
            if number == 0:
                assert comment_of(lazy, keyword) == comment_of(whole, keyword)


def test_what_is_not_there_states_nothing():
    lazy = LazyHeader(text_of(["OBJECT  = 'M1'"]))
    assert (value_of(lazy, "FILTER"), comment_of(lazy, "FILTER")) == (None, "")
    assert value_of(lazy, "object") == "M1"
    assert list(LazyHeader()) == []
    assert pickle.loads(pickle.dumps(lazy)) == lazy
