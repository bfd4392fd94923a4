"""What a night says, in one table of sentences: ``sentences.toml``."""

import tomllib
from pathlib import Path

DOUBT = "DOUBT: "
"""How a sentence begins that says what may be wrong."""

_SENTENCES = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def sentence(name: str, /, **values: object) -> str:
    """A sentence of the table, with its values put in.

    Examples
    --------
    >>> sentence("no_good_pixel", frames="a.fits")
    'DOUBT: no pixel is good in a.fits'
    """
    return str(_SENTENCES[name]).format(**values)
