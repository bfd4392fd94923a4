"""Pieces of what notebooks show of our objects, escaped, and in the colours of the page.

They are small and have no style sheet and no script: what is dark in a light page is light in a
dark one.
"""

import struct
import zlib
from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from autowisp_xr.arrays import Floats

_LEFT = "text-align:left;vertical-align:top"
_STRETCH = (1.0, 99.0)
"""Per cent of the pixels of a thumbnail that are darker than black and than white."""

_PIXELS = 160
"""The longer side of a thumbnail, at most."""


def text(words: object) -> str:
    """Return words as HTML.

    Examples
    --------
    >>> text("a < b")
    'a &lt; b'
    """
    return escape(str(words))


def table(rows: Iterable[Sequence[object]], head: Sequence[object] = ()) -> str:
    """Return a table of words; with a head, its first row."""
    lines = [_row(head, "th")] if head else []
    lines += [_row(row, "td") for row in rows]
    return f"<table>{''.join(lines)}</table>" if lines else ""


def folded(title: object, body: str, *, unfolded: bool = False) -> str:
    """Return HTML that is seen at a click on its title; "" where there is none."""
    state = " open" if unfolded else ""
    return f"<details{state}><summary>{text(title)}</summary>{body}</details>" if body else ""


def paragraph(words: object, *, bold: bool = False) -> str:
    """Return a line of words; "" of none."""
    inside = f"<b>{text(words)}</b>" if bold else text(words)
    return f"<div>{inside}</div>" if words else ""


def thumbnail(plane: Floats, title: str) -> str:
    """Return a small picture (y, x) with its title below; NaN is black, and y runs upwards."""
    step = -(-max(plane.shape) // _PIXELS)
    small = np.asarray(plane, np.float64)[::step, ::step][::-1]
    seen = small[np.isfinite(small)]
    low, high = np.percentile(seen, _STRETCH) if seen.size else (0.0, 1.0)
    shades = np.nan_to_num((small - low) / ((high - low) or 1.0), nan=0.0, posinf=1.0, neginf=0.0)
    encoded = b64encode(png((255 * shades.clip(0, 1)).astype(np.uint8))).decode()
    return (
        "<figure style='display:inline-block;margin:4px'>"
        f"<img alt='{text(title)}' src='data:image/png;base64,{encoded}'>"
        f"<figcaption>{text(title)}</figcaption></figure>"
    )


def png(shades: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    """Return a picture of shades of grey (y, x) as a PNG file (ISO/IEC 15948)."""
    height, width = shades.shape
    # each row begins with its filter: none
    rows = np.pad(shades, ((0, 0), (1, 0))).tobytes()
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    ]
    parts = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _row(cells: Sequence[object], tag: str) -> str:
    inside = "".join(f"<{tag} style='{_LEFT}'>{text(cell)}</{tag}>" for cell in cells)
    return f"<tr>{inside}</tr>"
