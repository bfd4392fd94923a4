"""A corpus of FITS files, good and bad: each is read right, or refused in words that stand here.

All are made of one frame, its header and its pixels, by functions that yield rows of a table.
"""

import bz2
import gzip
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from astropy.io import fits

BLOCK, CARD = 2880, 80

Pixels = np.ndarray[Any, Any]


class Entry(NamedTuple):
    """A file of the corpus."""

    name: str | bytes
    """Of the file, in a directory; as bytes where it is no text."""
    content: bytes
    refused: str = ""
    """A regular expression of the error; "" where it is read, as astropy reads it."""
    hdu: int | None = None
    """Which HDU is the image; None for the first with pixels."""
    cards: Mapping[str, Any] = {}
    """Coordinates that come of its cards."""
    pixels: Pixels | None = None
    """Its pixels (of the first channel), where astropy does not read them."""

    def write(self, folder: Path) -> Path:
        """Write the file into a directory."""
        path = Path(os.fsdecode(os.path.join(os.fsencode(folder), os.fsencode(self.name))))
        path.write_bytes(self.content)
        return path


class Light:
    """A frame, of which there are copies a second apart."""

    def __init__(self, header: fits.Header, pixels: Pixels) -> None:
        self._header = header
        self._start = np.datetime64(header["DATE-OBS"], "ms")
        self.pixels = pixels

    def header(self) -> fits.Header:
        """Return its header a second later than before."""
        self._start += np.timedelta64(1, "s")
        self._header["DATE-OBS"] = str(self._start)
        return self._header.copy()

    def plain(self, values: Any = None) -> bytes:
        """Return the bytes of a plain file with these or its own pixels."""
        return content_of(fits.PrimaryHDU(self.pixels if values is None else values, self.header()))


def content_of(*hdus: Any, **options: Any) -> bytes:
    """Return the bytes of a file of some HDUs."""
    file = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(file, **options)
    return file.getvalue()


def with_card(content: bytes, card: str | bytes, *, more: bool = False) -> bytes:
    """Put a card in place of the last of its keyword, or (``more``) before the first END."""
    new = (card.encode("latin-1") if isinstance(card, str) else card)[:CARD].ljust(CARD)
    cards = [content[at : at + CARD] for at in range(0, len(content), CARD)]
    places = [at for at, one in enumerate(cards) if one[:9] == new[:9] and one[8:9] == b"="]
    if places and not more:
        cards[places[-1]] = new
        return b"".join(cards)
    end = cards.index(b"END".ljust(CARD))
    head = b"".join([*cards[:end], new, cards[end]])
    return head.ljust(_whole(len(head))) + content[_whole((end + 1) * CARD) :]


def _whole(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _of_types(light: Light, pixels: Pixels) -> Iterator[Entry]:
    for kind in ("u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"):
        values = (pixels % 251).astype(kind) if kind in ("u1", "i1") else pixels.astype(kind)
        yield Entry(f"type-{kind}.fits", light.plain(values))
        yield Entry(f"type-{kind}.fits.gz", gzip.compress(light.plain(values), 1))
        if values.dtype.kind == "f":
            values[3, 4], values[5, 6], values[7, 8], values[9, 9] = np.nan, np.inf, -np.inf, -0.0
            yield Entry(f"odd-{kind}.fits", light.plain(values))
        elif kind in ("u1", "i2", "i4", "i8"):
            scaled = with_card(light.plain(values), "BSCALE  =                  0.5", more=True)
            scaled = with_card(scaled, "BZERO   =               1.0D+1", more=True)
            yield Entry(f"scaled-{kind}.fits", scaled)
            blank = with_card(light.plain(values), f"BLANK   = {int(values[2, 3]):20}", more=True)
            yield Entry(f"blank-{kind}.fits", blank)
    for shape in ((1, 48), (40, 1), (1, 1)):
        cut = light.plain(pixels[: shape[0], : shape[1]])
        yield Entry(f"shape-{shape[0]}x{shape[1]}.fits", cut)
    odd = with_card(light.plain(pixels[:39, :47]), "BAYERPAT= 'RGGB'")
    yield Entry("bayer-odd.fits", odd, pixels=pixels[:38:2, :46:2])
    yield Entry("axes-of-one.fits", light.plain(pixels[None, None]))
    yield Entry("cube.fits", light.plain(np.stack([pixels, pixels])), "has 3 dimensions")
    yield Entry("line.fits", light.plain(pixels[0]), "has 1 dimensions")


def _compressed(light: Light, pixels: Pixels) -> Iterator[Entry]:
    whole = {"tile_shape": pixels.shape}
    settings: list[tuple[str, str, dict[str, Any]]] = [
        *(("u2", method, {}) for method in ("RICE_1", "GZIP_1", "GZIP_2")),
        *(("i4", method, {}) for method in ("RICE_1", "GZIP_1", "GZIP_2")),
        *(("u1", method, {}) for method in ("RICE_1", "GZIP_1", "PLIO_1")),
        ("i2", "PLIO_1", {}),
        ("i2", "HCOMPRESS_1", whole),
        ("i2", "HCOMPRESS_1", whole | {"hcomp_scale": 2.0}),
        ("i2", "RICE_1", {"tile_shape": (7, 11)}),
        ("i2", "NOCOMPRESS", {}),
        *(("f4", method, {"quantize_level": 0.0}) for method in ("GZIP_1", "GZIP_2")),
        *(("f4", "RICE_1", {"quantize_level": 16.0, "quantize_method": n}) for n in (-1, 1, 2)),
        ("f8", "GZIP_2", {"quantize_level": 16.0, "quantize_method": 1, "dither_seed": 77}),
        ("f4", "HCOMPRESS_1", whole | {"quantize_level": 16.0}),
    ]
    for number, (kind, method, options) in enumerate(settings):
        values = (pixels % 251 if kind == "u1" else pixels).astype(kind)
        if kind[0] == "f":
            values += np.random.default_rng(1).random(pixels.shape).astype(kind)
            values[3, 4], values[5:7, 6] = np.nan, 0
        image = fits.CompImageHDU(values, light.header(), compression_type=method, **options)
        content = content_of(fits.PrimaryHDU(), image)
        yield Entry(f"tiles-{number}-{method}-{kind}.fits.fz", content)
        if number in (0, 11, 14):
            image.header["OBJECT"] = "packed twice"
            content = content_of(fits.PrimaryHDU(), image)
            yield Entry(f"tiles-{number}-{method}-{kind}.fits.fz.gz", gzip.compress(content, 1))
    yield Entry("a.fits.bz2", bz2.compress(light.plain()))
    plain = light.plain()
    yield Entry("members.fits.gz", gzip.compress(plain[:3000]) + gzip.compress(plain[3000:]))
    yield Entry("gz-under-another-name.fits", gzip.compress(light.plain()))
    yield Entry("zeros-behind.fits.gz", gzip.compress(light.plain()) + bytes(500))
    packed = gzip.compress(light.plain())
    for name, content in (
        ("sum", packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]),
        ("junk-behind", packed + b"junk" * 100),
        ("head", packed[:3] + b"\xff" + packed[4:]),
    ):
        yield Entry(f"gz-{name}.fits.gz", content, "cannot be decompressed")


def _of_several_hdus(light: Light, pixels: Pixels) -> Iterator[Entry]:
    def image() -> fits.ImageHDU:
        return fits.ImageHDU(pixels, light.header())

    named = fits.ImageHDU(pixels[::4, ::4], name="THUMBNAIL")
    other = fits.ImageHDU(pixels[::-1], name="OTHER")
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])])
    empty = fits.PrimaryHDU()
    yield Entry("empty-primary.fits", content_of(empty, image()))
    yield Entry("thumbnail-behind.fits", light.plain() + content_of(empty, named)[BLOCK:])
    yield Entry("thumbnail-before.fits", content_of(empty, named, image()), hdu=2)
    yield Entry("table-before.fits", content_of(empty, table, image()), hdu=2)
    yield Entry("table-alone.fits", content_of(empty, table), "holds no image")
    yield Entry("primary-alone.fits", content_of(empty), "holds no image")
    yield Entry("two-images.fits", light.plain() + content_of(empty, other)[BLOCK:])


def _with_cards(light: Light, _: Pixels) -> Iterator[Entry]:
    for name, cards, coordinates in (
        ("twice", ["EXPTIME =                  5.0"], {"exposure": 60.0}),
        ("continue", ["LONG    = 'one &'", "CONTINUE  'two &'", "CONTINUE  'three'"], {}),
        ("continue-of-nothing", ["CONTINUE  'lost'", "CONTINUE= F"], {}),
        ("hierarch", ["HIERARCH ESO DET DIT = 2.5 / [s]"], {}),
        ("hierarch-odd", ["HIERARCH", "HIERARCH = 3", "HIERARCH  =", "HIERARCH ESO no value"], {}),
        ("blank", ["", "        = 3", "        text"], {}),
        ("lower-case", ["iso     =                  800", "exptime =                  7.0"], {}),
        ("non-ascii", [b"OBSERVER= 'J\xf6rg \xe9\xff\x80'", b"COMMENT \xb0C \x00\x07\x1b[31m"], {}),
        ("non-ascii-keyword", [b"T\xc9MP    = 3", b"\xff\xfe\xfd"], {}),
        ("unterminated", ["OBSERVER= 'never ends"], {}),
        ("unterminated-extname", ["EXTNAME = 'unterminated"], {}),
        ("no-value", ["GAIN    =", "OFFSET  = / nothing", "FOCALLEN"], {}),
        ("no-number", ["GAIN    = many", "EGAIN   = 1,5", "XPIXSZ  = 0x10", "AIRMASS = --"], {}),
        ("braces", ["OBSERVER= '{0.__class__} %s %(x)s {} {{'", "TELESCOP= '{X!r:>99999}'"], {}),
        ("equal-signs", ["=       = =", "A=B     = 'x=y'", "OBSERVER='no blank'"], {}),
        ("long-number", ["SERIAL  = " + "9" * 70, "RADIUS  = 1." + "0" * 60 + "E9"], {}),
        ("record", ["FILTERS = 'WHEEL: 3'", "DP1     = 'AXIS.1: 2'", "D2IMDIS1= 'x.y: z'"], {}),
        ("world", ["CTYPE1  = 'RA---TAN'", "CRVAL1  = NAN", "CD1_1   = 1E400", "WCSAXES = 99"], {}),
        ("world-odd", ["CTYPE1  = 3", "CUNIT1  = '10**9999999 deg'", "A_ORDER = 999999999"], {}),
        ("history", ['HISTORY AWXR [{"verb": |', "HISTORY AWXR nothing|", "HISTORY AWXR {}|"], {}),
        ("complex", ["GAIN    = (1.0, 2.0)", "DATE    = T"], {}),
        *(
            (f"exposure-{number}", [f"EXPTIME = {value:>20}"], {"exposure": np.nan})
            for number, value in enumerate(("1E400", "-1E400", "NAN", "T", "'sixty'", "1E-400"))
            if value != "1E-400"
        ),
        *(
            (f"date-{number}", [f"DATE-OBS= '{value}'"], {"time": np.datetime64("NaT", "ns")})
            for number, value in enumerate(
                ("0001-01-01T00:00:00", "9999-12-31T23:59:59", "2024-02-30T00:00:00", "not set",
                 "2024-13-01", "-4712-01-01", "1677-09-21T00:12:43", "2262-04-12T00:00:00",
                 "2024-03-01T99:00:00", "99999999-01-01", "", "nan", "2024-03-01T24:00:01")
            )
        ),
    ):  # fmt: skip
        content = light.plain()
        for card in cards:
            content = with_card(content, card, more=name == "twice")
        yield Entry(f"cards-{name}.fits", content, cards=coordinates)
    plain = light.plain()
    head = plain[: plain.index(b"END".ljust(CARD))]
    head += b"".join(b"HISTORY %070d".ljust(CARD) % number for number in range(2000))
    head += b"END".ljust(CARD)
    yield Entry("cards-many.fits", head.ljust(_whole(len(head))) + plain[-_data(plain) :])
    behind = with_card(light.plain(), b"END     = 3", more=True)
    yield Entry("cards-end-with-value.fits", behind)
    yield Entry("padded-nul.fits", _padded(light.plain(), b"\0"))
    yield Entry("padded-junk.fits", _padded(light.plain(), b"x"))


def _with_scales(light: Light, _: Pixels) -> Iterator[Entry]:
    for keyword, value in (
        *(("BZERO", value) for value in ("T", "327x8", "'32768 adu'", "NAN", "1E400", "(1,2)", "")),
        *(("BSCALE", value) for value in ("T", "0", "0.0", "-INF", "''")),
    ):
        content = with_card(light.plain(), f"{keyword:8}= {value:>20}")
        name = "".join(letter if letter.isalnum() else "_" for letter in value)
        yield Entry(f"scale-{keyword}-{name}.fits", content, f"{keyword} of HDU 0 is")


def _data(plain: bytes) -> int:
    return len(plain) - _whole((plain.index(b"END".ljust(CARD))) + CARD)


def _padded(plain: bytes, filling: bytes) -> bytes:
    size = plain.index(b"END".ljust(CARD)) + CARD
    return plain[:size] + filling * (_whole(size) - size) + plain[_whole(size) :]


def _with_counts(light: Light, _: Pixels) -> Iterator[Entry]:
    for keyword, value, refused in (
        ("BITPIX", 24, "BITPIX of HDU 0 is 24|truncated"),
        ("BITPIX", 0, "BITPIX of HDU 0 is 0"),
        ("BITPIX", -(2**63), "truncated"),
        ("NAXIS", 0, "holds no image"),
        ("NAXIS", 1, "has 1 dimensions"),
        ("NAXIS", 3, "holds no image"),
        ("NAXIS", 1000, "FITS ends at 999"),
        ("NAXIS", -2, "holds no image"),
        ("NAXIS", 10**30, "FITS ends at 999"),
        ("NAXIS1", 0, "holds no image"),
        ("NAXIS1", -48, "holds no image"),
        ("NAXIS2", 2**63, "truncated"),
        ("NAXIS2", "'40'", ""),
        ("NAXIS2", "40.0", ""),
        ("NAXIS2", "T", "holds no image"),
        ("PCOUNT", -(10**12), "leave 0 bytes for"),
        ("PCOUNT", 10**12, "truncated"),
        ("GCOUNT", 0, "leave 0 bytes for"),
        ("GCOUNT", -1, "leave 0 bytes for"),
        ("GCOUNT", 2, "truncated"),
        ("SIMPLE", "F", ""),
    ):
        content = with_card(light.plain(), f"{keyword:8}= {value:>20}")
        name = f"count-{keyword}-{value}.fits".replace("'", "_")
        yield Entry(name, content, refused, pixels=None if refused else light.pixels)
    huge = light.plain()
    for card in ("NAXIS1  = 1000000", "NAXIS2  = 1000000", "PCOUNT  = -1000000000000"):
        huge = with_card(huge, card)
    yield Entry("count-huge-of-nothing.fits", huge, "leave 0 bytes for")
    yield Entry("count-huge-of-nothing.fits.gz", gzip.compress(huge), "leave 0 bytes for")


def _cut(light: Light, pixels: Pixels) -> Iterator[Entry]:
    plain = light.plain()
    data = len(plain) - _data(plain)
    end = data + pixels.nbytes
    for size in sorted({*range(0, end, BLOCK), *range(700, end, BLOCK), end - 1, 1, 9, data}):
        words = "is empty|not a FITS file|truncated" if size < BLOCK else "truncated"
        yield Entry(f"cut-{size}.fits", plain[:size], words)
    yield Entry("cut-padding.fits", light.plain()[:end])
    packed, burnt = gzip.compress(plain), bz2.compress(plain)
    tiles = content_of(fits.PrimaryHDU(), fits.CompImageHDU(pixels, light.header()))
    for share in (0.1, 0.5, 0.9, 0.999):
        for name, whole in (("gz", packed), ("bz2", burnt), ("fz", tiles)):
            if (name, share) != ("fz", 0.999):
                content = whole[: int(len(whole.rstrip(b"\0")) * share)]
                yield Entry(f"cut-{share}.fits.{name}", content, "truncated|cannot be decompressed")
    for name, junk in (
        ("zeros", bytes(2880)),
        ("text", b"junk"),
        ("fits", plain),
        ("ff", b"\xff" * 9999),
    ):
        yield Entry(f"behind-{name}.fits", light.plain() + junk)
    yield Entry("behind-extension.fits", light.plain() + b"XTENSION= 'IMAGE   '", "truncated")
    for name, total in (("wrong", "12345"), ("odd", "9" * 40), ("none", "")):
        summed = content_of(fits.PrimaryHDU(pixels, light.header()), checksum=True)
        yield Entry(f"sum-{name}.fits", with_card(summed, f"DATASUM = '{total}'"))


def _no_fits(_light: Light, _: Pixels) -> Iterator[Entry]:
    for name, content in (
        ("text", b"hello\n" * 1000),
        ("html", b"<!DOCTYPE html><html>404 Not Found</html>"),
        ("no-simple", b"BITPIX  =".ljust(BLOCK)),
        ("nuls", bytes(BLOCK * 3)),
    ):
        yield Entry(f"no-fits-{name}.fits", content, "not a FITS file")


def _with_names(light: Light, _: Pixels) -> Iterator[Entry]:
    for name in (
        *("with space.fits", " .fits", "{x}.fits", "{.fits", "100%s%.fits", "'quoted'.fits"),
        *('"quoted".fits', "new\nline.fits", "tab\t.fits", "a[1].fits", "a*.fits", "a?.fits"),
        *("-o.fits", "~.fits", "~root.fits", "$HOME.fits", "back\\slash.fits", "#hash.fits"),
        *("a;b&c|d.fits", "a=b.fits", "@list.fits", "\x1b[31mred.fits", "\u202egnp.fits"),
        *("é.fits", "e\u0301.fits", "星.fits", "s3:.fits", "file:.fits", "A.FITS", "a.b.c.fit"),
        ("x" * 250 + ".fits"),
    ):
        yield Entry(name, light.plain())
    yield Entry(
        b"no-\xff\xfe-text.fits", light.plain(), "the name of the file is no text; rename it"
    )


FACTORIES: Sequence[Callable[[Light, Pixels], Iterator[Entry]]] = (
    *(_of_types, _compressed, _of_several_hdus, _with_cards, _with_scales),
    *(_with_counts, _cut, _no_fits, _with_names),
)
"""Each yields a family of files."""


def entries(
    header: fits.Header,
    pixels: Pixels,
    factories: Iterable[Callable[[Light, Pixels], Iterator[Entry]]] = FACTORIES,
) -> Iterator[Entry]:
    """Yield files, made of the header of a raw light and its pixels: (y, x), uint16."""
    own = header.copy(strip=True)
    own.remove("RAWFNAME", ignore_missing=True)
    light = Light(own, np.minimum(pixels, 32767))
    for factory in factories:
        yield from factory(light, light.pixels)
