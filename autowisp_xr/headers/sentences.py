"""The sentences about headers that cannot be taken as they stand, from ``sentences.toml``."""

from autowisp_xr.own_tables import table_beside

_SENTENCES = table_beside(__file__)


def doubt(sentence: str, /, **values: object) -> str:
    """Return a sentence of the table, with its values filled in.

    Examples
    --------
    >>> doubt("ut1", card=named("TIMESYS", "UT1"))
    "TIMESYS = 'UT1' is taken for UTC, which is up to 0.9 s off"
    """
    return str(_SENTENCES[sentence]).format(**values)


def named(card: str, value: object) -> str:
    """Return a card with its value, as sentences name it."""
    return f"{card} = {value!r}"
