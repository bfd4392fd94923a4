import tomllib
from dataclasses import fields
from importlib import resources

from autowisp_xr.headers.spellings import Spellings


def listed():
    text = resources.files("autowisp_xr.headers").joinpath("spellings.toml").read_text("utf-8")
    return tomllib.loads(text)


def test_the_table_is_what_the_file_lists():
    table = Spellings()
    assert {name: sorted(cards) for name, cards in listed().items()} == {
        entry.name: sorted(getattr(table, entry.name))
        for entry in fields(table)
        if entry.name not in ("image_types", "preferred")
    }


def test_the_cards_that_are_best_come_first():
    table = Spellings()
    assert table.exposure == tuple(listed()["exposure"])
    assert "none" in table.unsaid


def test_words_can_be_added():
    mine = Spellings().extended(empty_slots="Leer")
    assert {"leer", "open"} < mine.empty_slots
    assert mine.preferred == ()


def test_no_list_names_a_card_twice():
    for name, cards in listed().items():
        assert cards, name
        assert len(set(cards)) == len(cards), name
