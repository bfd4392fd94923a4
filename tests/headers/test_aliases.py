import tomllib
from importlib import resources

import pytest

from autowisp_xr.frames import scan
from autowisp_xr.headers.aliases import KeywordAliases


def listed():
    text = resources.files("autowisp_xr.headers").joinpath("aliases.toml").read_text("utf-8")
    return tomllib.loads(text)


def test_the_table_is_what_the_file_lists():
    table, (words, cards) = KeywordAliases(), (listed().pop("words"), listed())
    del cards["words"]
    assert table.cards == {name: tuple(names) for name, names in cards.items()}
    assert table.words == {name: frozenset(values) for name, values in words.items()}
    assert "none" in table.words["unstated"]


def test_words_can_be_added():
    mine = KeywordAliases().extended(empty_slots="Leer")
    assert {"leer", "open"} < mine.words["empty_slots"]
    assert mine.preferred == ()


def test_no_list_names_a_card_twice():
    for name, cards in (listed() | listed()["words"]).items():
        assert cards, name
        assert name == "words" or len(set(cards)) == len(cards), name


def test_aliases_that_are_a_dictionary_are_refused_with_the_remedy(tmp_path):
    with pytest.raises(TypeError, match=r"KeywordAliases\(\)\.extended\(.*not \{'exposure'"):
        scan(tmp_path, aliases={"exposure": "EXPO_S"})
