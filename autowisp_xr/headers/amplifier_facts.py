"""What the headers of the images of one frame state about its amplifiers."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from astropy.io import fits

from autowisp_xr.amplifiers import Amplifier
from autowisp_xr.cards import parse_header
from autowisp_xr.headers.assembly import Reader
from autowisp_xr.headers.spellings import Spellings
from autowisp_xr.headers.values import first_number

__all__ = ["amplifier_facts"]

_NUMBERS = ("gain", "read_noise")
_ELECTRONS = re.compile(r"electron|\be-?\s*/|\be-", re.IGNORECASE)
_MOST_ELECTRONS = 50.0
"""Per ADU; what is more is the setting of a camera."""


def amplifier_facts(
    readers: Sequence[tuple[Reader, str]], spellings: Spellings
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Facts about the amplifiers of a frame.

    Parameters
    ----------
    readers
        Amplifiers, each with the cards of its image, one a line.
    spellings
        Which cards say what.

    Returns
    -------
    ``gain``, ``read_noise`` where all amplifiers have the same, ``saturation`` (the lowest), and
    ``amplifiers`` where they differ or have overscan, as :meth:`Camera.completed_by` takes them;
    None for what is not said. And what was assumed, in words: observatories write e/ADU into the
    GAIN of an amplifier, which is taken for that beside its read noise, and nowhere else. It is
    an assumption where all amplifiers have the same, which no comment calls electrons.
    """
    headers: dict[str, fits.Header] = {}
    said, saturations, assumed = [], [], set()
    for reader, text in readers:
        header = headers.setdefault(text, parse_header(text))

        def number(
            names: Iterable[str],
            above: float,
            header: fits.Header = header,
            reader: Reader = reader,
        ) -> float:
            return first_number(header, [f"{name}{reader.suffix}" for name in names], above)

        noise = number(spellings.read_noise, -1e-300)
        gain = number(spellings.electrons_per_adu, 0.0)
        if math.isnan(gain) and not math.isnan(noise):
            card = f"GAIN{reader.suffix}"
            setting = first_number(header, (card,), 0.0)
            if setting < _MOST_ELECTRONS:
                gain = setting
                assumed.add(math.nan if _ELECTRONS.search(header.comments[card]) else setting)
        said.append({"gain": _known(gain), "read_noise": _known(noise)})
        saturations.append(_known(number(spellings.saturation, 0.0)))
    facts: dict[str, Any] = {}
    apart = []
    for name in _NUMBERS:
        values = {numbers[name] for numbers in said}
        if len(values) > 1:
            apart.append(name)
        else:
            facts[name] = values.pop()
    facts["saturation"] = min((level for level in saturations if level), default=None)
    if apart or any(reader.overscan for reader, _ in readers):
        facts["amplifiers"] = tuple(
            Amplifier(
                region=reader.region,
                overscan=reader.overscan,
                name=reader.name,
                **{name: numbers[name] for name in apart},
            )
            for (reader, _), numbers in zip(readers, said, strict=True)
        )
    guess = "GAIN of its amplifiers, beside their read noise, is taken for electrons per ADU"
    return facts, (guess,) if len(assumed) == 1 and not math.isnan(min(assumed)) else ()


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number
