"""TIFF files of cameras: a frame a page, read by tifffile."""

from typing import Any

import numpy as np

from autowisp_xr.arrays import Image
from autowisp_xr.errors import BadImageError
from autowisp_xr.formats.exif import cards_of, read_tags
from autowisp_xr.formats.pictures import (
    TOP_DOWN,
    Picture,
    bayer_cards,
    checked_type,
    library,
    refuse_colors,
)

_MINISBLACK, _CFA = 1, 32803
_PATTERN = 33422
_COLORS = "RGB"


def look(path: str) -> list[Picture]:
    """Look into a file: at each of its pages that is no thumbnail."""
    with _opened(path) as file:
        pages = _pages(file)
        # Exif is that of the first page
        cards, guesses = cards_of(read_tags(path)) if len(pages) == 1 else ([], ())
        found = []
        for page in pages:
            if page.samplesperpixel != 1 or page.photometric not in (_MINISBLACK, _CFA):
                refuse_colors(path)
            kind = checked_type(path, np.dtype(page.dtype)).newbyteorder(file.byteorder)
            # bits that do not fill bytes are unpacked
            plain = page.is_contiguous and page.bitspersample == 8 * kind.itemsize
            height, width = page.shape[-2:]
            found.append(
                Picture(
                    height=height,
                    width=width,
                    stored=kind if plain else kind.newbyteorder("="),
                    cards=[*cards, *_pattern(page), TOP_DOWN],
                    offset=page.dataoffsets[0] if plain else None,
                    guesses=guesses,
                )
            )
        return found


def decode(path: str, number: int) -> Image:
    """Return the pixels of a page."""
    with _opened(path) as file:
        try:
            page = _pages(file)[number]
            return np.ascontiguousarray(page.asarray()).reshape(page.shape[-2:])
        except ImportError as error:
            raise BadImageError(f"{path} is compressed: pip install imagecodecs") from error
        except Exception as error:  # a damaged strip surfaces as whatever the decoder stumbles over
            raise BadImageError(f"{path} cannot be decoded ({error}); copy it again") from error


def _opened(path: str) -> Any:
    tifffile = library("tifffile", path, "tiff")
    try:
        return tifffile.TiffFile(path)
    except OSError:
        raise
    except Exception as error:  # a damaged file surfaces as whatever the reader stumbles over
        raise BadImageError(f"{path} is no TIFF file, or is damaged: {error}") from error


def _pages(file: Any) -> list[Any]:
    return [page for page in file.pages if not page.is_reduced]


def _pattern(page: Any) -> list[Any]:
    if page.photometric != _CFA:
        return []
    colors = page.tags[_PATTERN].value
    return bayer_cards("".join(_COLORS[color] for color in colors)) if len(colors) == 4 else []
