"""Damage to bytes, FITS headers, texts and JSON, drawn by a seeded generator."""

import contextlib
import json
import random
from collections.abc import Sequence
from typing import Any

CARD, BLOCK = 80, 2880

NUMBERS: Sequence[str] = (
    *("0", "-1", "1", "2", "3", "7", "999", "1000", "65536", "1000000", "-32768", "1E400", "NAN"),
    *("2147483647", "2147483648", "4294967296", "9223372036854775807", "9223372036854775808"),
    *("-9223372036854775809", "1" * 60, "1E30", "-1E-400", "0.5", "T", "F", "''", "'a'", "(1,2)"),
    *("", "+", "1_000", "0x10", "1D5", "INF", "--1", "1.5.2"),
)
"""Values of cards that somebody might not have thought of."""

_KEYWORDS: Sequence[str] = (
    *("BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "BZERO", "BSCALE", "BLANK"),
    *("EXPTIME", "GAIN", "XBINNING", "CCD-TEMP", "DATE-OBS", "IMAGETYP", "FILTER", "BAYERPAT"),
    *("XBAYROFF", "DATASEC", "BIASSEC", "CCDSEC", "DETSEC", "EXTNAME", "EXTVER", "INHERIT"),
    *("TFIELDS", "THEAP", "TFORM1", "TTYPE1", "ZIMAGE", "ZBITPIX", "ZNAXIS", "ZNAXIS1", "ZNAXIS2"),
    *("ZTILE1", "ZTILE2", "ZCMPTYPE", "ZNAME1", "ZVAL1", "ZVAL2", "ZQUANTIZ", "ZDITHER0"),
    *("ZBLANK", "ZSCALE", "ZZERO", "IMAGAREA", "CLRCHNL", "CHNLXOFF", "CHNLXSTP", "LTM1_1"),
    *("RAWFNAME", "BUNIT", "NUMFCOMB", "CALSTAT", "HISTORY", "COMMENT", "CONTINUE", "HIERARCH"),
    *(
        "XPIXSZ",
        "EGAIN",
        "RDNOISE",
        "SATURATE",
        "OBJCTRA",
        "RA",
        "CRPIX1",
        "CD1_1",
        "JD",
        "MJD-OBS",
    ),
    *("XORGSUBF", "INSTRUME", "READOUTM", "NEXTEND", "SIMPLE", "XTENSION", "EXTEND", "END"),
)

TEXTS: Sequence[str] = (
    *("'[1:5,1:5]'", "'[0:-1,9:2]'", "'[1:99999999999,1:1]'", "'[,]'", "'0 < x < 9, 0 < y < 9'"),
    *("'9 < x < 0'", "'RGGB'", "'XYZ'", "'0001-01-01T00:00:00'", "'9999-12-31'", "'24:61:61'"),
    *("'RICE_1'", "'GZIP_1'", "'PLIO_1'", "'HCOMPRESS_1'", "'NONE'", "'1PB(9999999)'", "'1QB'"),
    *(
        "'SUBTRACTIVE_DITHER_2'",
        "'10**9999999 adu'",
        "'adu/adu/adu'",
        "'electron'",
        "'{x!r:>9999}'",
    ),
    *("'../../../etc/passwd'", "'a/b'", "'%s%n'", "'it''s'", "'MASTER BIAS'", "'mask'", "'error'"),
)


def damaged(content: bytes, rng: random.Random, times: int | None = None) -> bytes:
    """Flip, set, cut, insert, repeat or move some bytes."""
    data = bytearray(content)
    for _ in range(times or rng.choice((1, 1, 1, 2, 4, 16))):
        at = rng.randrange(len(data) + 1)
        length = min(rng.choice((1, 1, 2, 8, CARD, 500, BLOCK)), len(data) - at)
        match rng.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at : at + length] = rng.randbytes(length)
            case 2:
                del data[at : at + length]
            case 3:
                data[at:at] = rng.randbytes(length)
            case 4:
                data[at:at] = data[at : at + length]
            case 5:
                data[at : at + length] = rng.choice((b"\0", b"\xff", b" ", b"9")) * length
    return bytes(data)


def with_other_cards(content: bytes, rng: random.Random) -> bytes:
    """Give cards of any header of a file other values, or put others in their place."""
    cards = [content[at : at + CARD] for at in range(0, len(content), CARD)]
    ends = [at for at, card in enumerate(cards) if card == b"END".ljust(CARD)]
    for _ in range(rng.choice((1, 1, 2, 3))):
        end = rng.choice(ends) if ends else len(cards)
        start = max((one + 1 for one in ends if one < end), default=0)
        known = [at for at in range(start, end) if cards[at][8:9] == b"="]
        keyword = rng.choice(_KEYWORDS)
        same = [at for at in known if cards[at][:8].decode("latin-1").strip() == keyword]
        at = rng.choice(same or known or [0]) if rng.random() < 0.8 else rng.randrange(len(cards))
        own = cards[at][:8].decode("latin-1") if rng.random() < 0.5 else f"{keyword:8}"
        value = rng.choice(NUMBERS if rng.random() < 0.6 else TEXTS)
        cards[at] = f"{own}= {value:>20}".ljust(CARD)[:CARD].encode("latin-1")
    return b"".join(cards)


def garbled(text: str, rng: random.Random, words: Sequence[str]) -> str:
    """Cut, repeat and exchange parts of a text, and put words into it."""
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        at = rng.randrange(len(text) + 1)
        length = rng.choice((0, 1, 1, 3, 10))
        middle = rng.choice(
            ("", text[at : at + length] * 2, rng.choice(words), chr(rng.randrange(1, 300)))
        )
        text = text[:at] + middle + text[at + length :]
    return text


def in_words(text: str, rng: random.Random, words: Sequence[str]) -> str:
    """Put a word in place of one that a line of a text ends with."""
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    name, equals, _ = lines[at].partition("=")
    lines[at] = f"{name}{equals} {rng.choice(words)}" if equals else rng.choice(words)
    return "\n".join(lines)


def otherwise(value: Any, rng: random.Random) -> Any:
    """Return a value of JSON of which one part is another."""
    odd = [None, True, -1, 0, 10**30, 1e308, "", "a", "[1:5]", [], {}, [[]], {"a": 1}, "9" * 400]
    if isinstance(value, str) and value[:1] in ("{", "[") and rng.random() < 0.9:
        with contextlib.suppress(ValueError):
            return json.dumps(otherwise(json.loads(value), rng))
    if not value or not isinstance(value, dict | list) or rng.random() < 0.1:
        return rng.choice(odd)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = rng.choice(keys)
    changed = value.copy()
    if rng.random() < 0.1:
        del changed[key]
    else:
        changed[key] = otherwise(value[key], rng)
    return changed
