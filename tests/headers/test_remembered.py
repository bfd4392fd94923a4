"""What is remembered of headers is what would be read in each of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.cards import comment_of, value_of
from autowisp_xr.headers.lazy_header import LazyHeader
from autowisp_xr.headers.remembered import Remembered
from autowisp_xr.headers.values import Cards


def cards_of(remembered, **values):
    lines = [f"{name:8}= {value:>20}".ljust(80) for name, value in values.items()]
    return Cards(LazyHeader("\n".join(lines)), KeywordAliases(), remembered)


@pytest.fixture
def calls():
    return []


@pytest.fixture
def chain(calls):
    """Read A, then what that names."""

    def work(cards, *others):
        calls.append(others)
        name = value_of(cards.header, "A")
        return name, value_of(cards.header, str(name)), comment_of(cards.header, "D")

    return work


def test_cards_that_are_not_asked_for_do_not_count(chain, calls):
    remembered = Remembered()
    for number in range(3):
        cards = cards_of(remembered, A="'B'", B=1, C=number, D=7)
        assert cards.known(chain) == ("B", 1, "")
    assert len(calls) == 1


def test_what_is_asked_for_may_depend_on_what_is_stated(chain, calls):
    remembered = Remembered()
    for name, b, c, found in (("B", 1, 2, 1), ("C", 1, 2, 2), ("B", 3, 2, 3), ("C", 3, 4, 4)):
        cards = cards_of(remembered, A=repr(name), B=b, C=c)
        assert cards.known(chain)[1] == found
    assert len(calls) == 4
    assert cards_of(remembered, A="'C'", B=9, C=4).known(chain)[1] == 4
    assert len(calls) == 4


def test_another_thread_may_learn_more_meanwhile(chain):
    remembered = Remembered()
    cards_of(remembered, A="'B'", B=1, C=2).known(chain)

    class Text(str):
        """Whoever looks at it is interrupted."""

        def __getitem__(self, part):
            cards_of(remembered, A="'C'", B=1, C=2).known(chain)
            return super().__getitem__(part)

    cards = cards_of(remembered, A="'B'", B=3, C=2)
    assert cards.header.is_plain
    cards.header.text = Text(cards.header.text)
    assert cards.known(chain)[1] == 3


def test_what_else_is_given_counts(chain, calls):
    remembered = Remembered()
    for other in (1, 2, 1):
        cards_of(remembered, A="'B'").known(chain, other)
    assert calls == [(1,), (2,)]


def test_an_error_is_raised_each_time():
    def work(cards):
        raise ValueError(value_of(cards.header, "A"))

    remembered = Remembered()
    for _ in range(2):
        with pytest.raises(ValueError, match="7"):
            cards_of(remembered, A=7).known(work)


def test_what_a_function_remembers_inside_of_another_counts_for_that(calls):
    def inner(cards):
        return value_of(cards.header, "B")

    def outer(cards):
        return cards.known(inner), value_of(cards.header, "A")

    remembered = Remembered()
    for b in (1, 2):
        assert cards_of(remembered, A=0, B=b).known(inner) == b
        assert cards_of(remembered, A=0, B=b).known(outer) == (b, 0)


@given(st.lists(st.tuples(*[st.sampled_from(["'A'", "'B'", "'C'", "1"])] * 3), max_size=20))
def test_more_than_is_kept_is_read_anew(rows):
    def work(cards):
        found = [value_of(cards.header, "A")]
        while isinstance(found[-1], str) and len(found) < 5:
            found.append(value_of(cards.header, found[-1]))
        return found

    remembered = Remembered()
    for a, b, c in rows:
        own = dict(zip("ABC", (a, b, c), strict=True))
        assert cards_of(remembered, **own).known(work) == cards_of(None, **own).known(work)
