"""Read the header-data units of a FITS file, whose cards are walked as bytes.

astropy needs 8 ms to open a tile-compressed file with 250 cards, and warns on the way about much
that nobody can act upon. Here the 80-byte cards are walked directly (0.2 ms), so that a night of
files opens in a moment, and a row band of a plain file is later a seek and a read.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import BinaryIO

from autowisp_xr.errors import BadImageError
from autowisp_xr.fits.unpacking import Unpacked
from autowisp_xr.formats.foreign_letters import spelled_out

_BLOCK = 2880
_CARD = 80
_KEYWORD = 8

_END = "END".ljust(_CARD)

_LONGEST_HEADER = 2**24
"""Bytes, which are two hundred thousand cards: what has more lacks its END."""

_MOST = 999
"""Axes, and columns, at which the standard ends."""

# NUL bytes pad the headers of some cameras; in keywords, what is no printable ASCII is a "?"
_CLEAN = bytes(32 if code < 32 else 63 if code > 126 else code for code in range(256))

MAGIC = b"SIMPLE  ="
"""How a FITS file begins."""

UNNAMED_TILES = "COMPRESSED_IMAGE"
"""What compressed images are called that had no name before."""


@dataclass(frozen=True)
class Unit:
    """A header-data unit, its cards read."""

    index: int
    cards: list[str]
    values: dict[str, str]
    start: int
    """Place of the header, in bytes of the (unpacked) file."""
    offset: int
    """Place of the data, in bytes of the (unpacked) file."""

    @cached_property
    def length(self) -> int:
        """The length of the data, in bytes."""
        axes = [self.whole(f"NAXIS{axis}") for axis in range(1, self.whole("NAXIS") + 1)]
        pixels = math.prod(axes) if axes else 0
        content = self.whole("GCOUNT", 1) * (self.whole("PCOUNT") + pixels)
        return max(abs(self.whole("BITPIX")) // 8 * content, 0)

    def whole(self, keyword: str, default: int = 0) -> int:
        """Return the value of a card as a whole number, however it is written."""
        text = self.values.get(keyword, "")
        try:
            return int(text) if text.lstrip("+-").isdigit() else int(float(text))
        except (ValueError, OverflowError):
            return default

    def real(self, keyword: str, default: float) -> float:
        """Return the value of a card as a number, also with FORTRAN's exponent D."""
        try:
            return float(self.values[keyword].upper().replace("D", "E"))
        except (KeyError, ValueError):
            return default

    @property
    def is_tiles(self) -> bool:
        """True of a table that holds an image, compressed tile by tile."""
        return self.values.get("ZIMAGE") == "T"

    @property
    def prefix(self) -> str:
        """The prefix of the keywords that describe the image."""
        return "Z" if self.is_tiles else ""

    @property
    def name(self) -> str:
        """The value of EXTNAME in capitals; PRIMARY of the first unit, "" of one without a name."""
        name = self.values.get("EXTNAME", "").upper()
        if self.is_tiles and name == UNNAMED_TILES:
            return ""
        return name or ("" if self.index else "PRIMARY")

    @property
    def version(self) -> int:
        """The value of EXTVER, by which units of one name differ."""
        return self.whole("EXTVER", 1)

    @cached_property
    def axes(self) -> list[int]:
        """The numbers of the axes that count, fastest first: of more than two, none of length one.

        The last go first, so that one row of pixels in a cube is an image of one row.
        """
        prefix = self.prefix + "NAXIS"
        axes = list(range(1, self.whole(prefix) + 1))
        for axis in reversed(axes[:]):
            if len(axes) > 2 and self.whole(f"{prefix}{axis}") == 1:
                axes.remove(axis)
        return axes

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes that count, slowest first: (height, width) of an image."""
        return tuple(self.whole(f"{self.prefix}NAXIS{axis}") for axis in reversed(self.axes))

    @property
    def label(self) -> str:
        """The name of the unit in messages, such as "HDU 2 (AMP2, 64 x 36)": rows x columns."""
        sizes = " x ".join(map(str, self.shape))
        version = f",{self.version}" if "EXTVER" in self.values else ""
        name = f"{self.name}{version}" if self.index and self.name else ""
        return f"HDU {self.index} ({', '.join(filter(None, (name, sizes)))})"

    @cached_property
    def is_image(self) -> bool:
        """True if there are pixels, of any number of dimensions."""
        if not self.is_tiles and self.values.get("XTENSION", "IMAGE") not in ("IMAGE", "IUEIMAGE"):
            return False
        axes = self.whole(self.prefix + "NAXIS")
        return axes > 0 and all(
            self.whole(f"{self.prefix}NAXIS{axis}") > 0 for axis in range(1, axes + 1)
        )


def read_units(
    path: str, file: BinaryIO | Unpacked, size: int | None, likely_end: int | None = None
) -> list[Unit]:
    """Read all units of a FITS file.

    Parameters
    ----------
    path
        What to call the file in errors.
    file
        Its content, decompressed.
    size
        Length of the content in bytes; None where it is not known (inside gzip or bzip2).
    likely_end
        Length that a gzip file claims: a unit that fills it is the last.

    Raises
    ------
    BadImageError
        If it is no FITS file, or ends before its units do.
    """
    units: list[Unit] = []
    position = 0
    while size is None or position < size:
        file.seek(position)
        start = file.read(_BLOCK)
        if not units and not start.startswith(MAGIC):
            raise BadImageError(f'{path} is not a FITS file: it does not start with "SIMPLE  ="')
        if units and not start.startswith(b"XTENSION"):
            break  # the end, or the records that the standard allows after it
        cards = _read_cards(path, file, start)
        values: dict[str, str] = {}
        for card in cards:
            if card[8] == "=":
                values.setdefault(*_stated(card))
        unit = Unit(len(units), cards, values, position, file.tell())
        _check_counts(path, unit)
        units.append(unit)
        if size is not None and unit.offset + unit.length > size:
            raise BadImageError(
                f"{path} is truncated: HDU {unit.index} needs {unit.offset + unit.length} bytes, "
                f"the file has {size}; copy it again, or leave it out"
            )
        position = unit.offset + -(-unit.length // _BLOCK) * _BLOCK
        if likely_end is not None and unit.offset + unit.length <= likely_end <= position:
            break
        if size is None and unit.length:
            # a seek beyond the end of what is unpacked is silent; the last byte must be there
            file.seek(unit.offset + unit.length - 1)
            if not file.read(1):
                raise BadImageError(f"{path} is truncated inside its compression; copy it again")
    return units


def _check_counts(path: str, unit: Unit) -> None:
    """Refuse counts beyond those of the standard: others would go through as many cards."""
    for keyword in ("NAXIS", "ZNAXIS", "TFIELDS"):
        if unit.whole(keyword) > _MOST:
            raise BadImageError(
                f"{path}: {keyword} of HDU {unit.index} is {unit.values[keyword]}, and FITS ends "
                f"at {_MOST}; copy the file again, or leave it out"
            )


# most cards of a night are the same in all of its files
@lru_cache(maxsize=4096)
def _stated(card: str) -> tuple[str, str]:
    """Return the keyword of a card with a value, and the text of that."""
    return card[:8].rstrip(), text_of_value(card[9:])


def _read_cards(path: str, file: BinaryIO | Unpacked, block: bytes) -> list[str]:
    found: list[str] = []
    for _ in range(_LONGEST_HEADER // _BLOCK):
        if len(block) < _BLOCK:
            raise BadImageError(f"{path} is truncated inside a header; copy it again")
        text = block.translate(_CLEAN).decode("ascii")
        cards = [text[start : start + _CARD] for start in range(0, _BLOCK, _CARD)]
        if not block.isascii():
            cards = [_spelled_out(card, block, i * _CARD) for i, card in enumerate(cards)]
        # with anything behind it, it is no END, and what follows is of the header as well
        if _END in cards:
            return found + cards[: cards.index(_END)]
        found += cards
        block = file.read(_BLOCK)
    raise BadImageError(
        f"{path} has no END card within {_LONGEST_HEADER >> 20} MB of a header; copy it again, or "
        "leave it out"
    )


def _spelled_out(card: str, block: bytes, start: int) -> str:
    """Return a card whose value and comment have no letters but those of ASCII.

    They are not all the same sign: two filters may differ in nothing else.
    """
    stated = block[start + _KEYWORD : start + _CARD]
    if stated.isascii():
        return card
    try:
        text = stated.decode("utf-8")
    except UnicodeDecodeError:
        text = stated.decode("latin-1")
    text = spelled_out(text).encode("ascii").translate(_CLEAN).decode("ascii")
    return f"{card[:_KEYWORD]}{text}"[:_CARD].ljust(_CARD)


def text_of_value(text: str) -> str:
    """Return what a card states behind its "=", without quotes and comment."""
    text = text.lstrip()
    if text.startswith("'"):
        return text[1:].split("'", 1)[0].strip()
    return text.split("/", 1)[0].strip()
