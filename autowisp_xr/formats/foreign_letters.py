"""Letters that no FITS card can hold, though programs write them, in those that one can."""

import unicodedata

_SIGNS = {"µ": "u", "μ": "u", "°": "deg", "−": "-", "–": "-", "×": "x"}  # noqa: RUF001
"""Signs that are written otherwise where there are no others: of units, numbers and binnings."""


def spelled_out(text: str) -> str:
    """Return a text in ASCII, in which texts that differ still do: other letters by their number.

    Examples
    --------
    >>> spelled_out("Hα"), spelled_out("-10 °C"), spelled_out("Lumière")
    ('Halpha', '-10 degC', 'Lumiere')
    """
    return text if text.isascii() else "".join(map(_spelled, text))


def _spelled(letter: str) -> str:
    if letter.isascii() or letter in _SIGNS:
        return _SIGNS.get(letter, letter)
    name = unicodedata.name(letter, "")
    if name.startswith("GREEK"):
        return name.split(" WITH ")[0].rpartition(" ")[2].lower()
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode("ascii")
    return plain if plain.isalnum() else letter.encode("ascii", "backslashreplace").decode("ascii")
