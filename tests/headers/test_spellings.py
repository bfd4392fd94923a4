import tomllib
from dataclasses import fields
from importlib import resources

from autowisp_xr.headers.spellings import Spellings


def listed():
    text = resources.files("autowisp_xr.headers").joinpath("spellings.toml").read_text("utf-8")
    return tomllib.loads(text)


def test_the_table_is_what_the_file_lists():
    table = Spellings()
    assert {name: tuple(cards) for name, cards in listed().items()} == {
        entry.name: getattr(table, entry.name)
        for entry in fields(table)
        if entry.name not in ("image_types", "preferred")
    }


def test_no_list_names_a_card_twice():
    for name, cards in listed().items():
        assert cards, name
        assert len(set(cards)) == len(cards), name
