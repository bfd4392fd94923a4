"""Assemble the frame that several images of one file make up: pixels, cards, amplifiers."""

import re
from collections.abc import Callable, Iterator, Sequence

from autowisp_xr.errors import BadImageError, HeaderError
from autowisp_xr.fits.hdu_choice import Meaning, companions_of, doubts_of_unread, frames_of
from autowisp_xr.fits.image_cards import cards_of
from autowisp_xr.fits.planes import FileLayout, Hdu, Mosaic, Tile
from autowisp_xr.fits.units import Unit, text_of_value
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.headers.assembly import GEOMETRY, Assembly, assemble
from autowisp_xr.headers.cards import STRUCTURAL
from autowisp_xr.headers.sections import Part, has_place, readouts_of, spelled_out
from autowisp_xr.regions import Region

_OF_ONE_IMAGE = re.compile(r"EXTNAME|EXTVER|EXTLEVEL|INHERIT")
_NUMBER = re.compile(r"[\d\W_]+$")
_CARD = 80


def assembled(
    path: str, units: Sequence[Unit], plane: Callable[[Unit, Meaning], Hdu], aliases: KeywordAliases
) -> FileLayout | None:
    """Assemble the frame of those images of a file that state where on a detector they lie.

    Parameters
    ----------
    path
        Of the file, for errors.
    units
        All of the file.
    plane
        Where the pixels of a unit are that have a meaning.
    aliases
        Which cards state what.

    Returns
    -------
    None where fewer than two images state it, and nothing states that they belong together; of one
    image, where it does not state the sections of several amplifiers that make it up.

    Raises
    ------
    BadImageError
        Where they do not fit together, or are several alike without a word of how they do; with
        the sections of all of them, and the remedy.
    """
    images = [unit for unit in frames_of(units) if len(unit.shape) == 2]
    placed = [unit for unit in images if has_place(spelled_out(unit.values))]
    if not placed and _alike(images):
        placed = images
    if not placed:
        return None
    common = {name: text for name, text in units[0].values.items() if not GEOMETRY.fullmatch(name)}
    parts = [
        Part(
            label=unit.label,
            values=spelled_out(
                unit.values if unit.values.get("INHERIT") == "F" else common | unit.values
            ),
            height=unit.shape[0],
            width=unit.shape[1],
        )
        for unit in placed
    ]
    if len(parts) == 1 and len(list(readouts_of(0, parts[0]))) < 2:
        return None
    try:
        frame = assemble(parts, aliases)
    except HeaderError as error:
        if len(parts) == 1:
            # sections that somebody left in the header of a trimmed image
            return None
        raise BadImageError(f"{path}: {error}") from error
    kinds, doubts = _kinds(units, placed, plane)
    mosaics = {}
    for kind, planes in kinds.items():
        tiles = (
            Tile(planes[one.part], one.source, one.into, one.flip_y, one.flip_x)
            for one in frame.pieces
        )
        mosaics[kind] = Mosaic(tiles=tuple(tiles), height=frame.height, width=frame.width)
    return FileLayout(
        header="\n".join(_cards(units, placed, frame)),
        planes=mosaics,
        readers=tuple(
            (reader, "\n".join(cards_of(units, placed[reader.part], inherit=False)))
            for reader in frame.readers
        ),
        doubts=(*doubts_of_unread(units, placed, None), *frame.doubts, *doubts),
    )


def _kinds(
    units: Sequence[Unit], placed: Sequence[Unit], plane: Callable[[Unit, Meaning], Hdu]
) -> tuple[dict[str, list[Hdu]], list[str]]:
    """Return planes of the images, of their errors and masks, and what is in doubt about these."""
    kinds = {"image": [plane(unit, "values") for unit in placed]}
    doubts: list[str] = []
    found = []
    for unit in placed:
        companions, of_unit = companions_of(units, unit)
        found.append(companions)
        doubts += [doubt for doubt in of_unit if doubt not in doubts]
    for kind in ("error", "mask"):
        own = [companions[kind] for companions in found if kind in companions]
        if len(own) == len(placed) and len({one.meaning for one in own}) == 1:
            kinds[kind] = [plane(one.unit, one.meaning) for one in own]
        elif own:
            doubts.append(
                f"{'; '.join(one.unit.label for one in own)} not read: not all of the "
                f"{len(placed)} images of the frame have such a plane of {kind}"
            )
    return kinds, doubts


def _alike(images: Sequence[Unit]) -> bool:
    """Return whether images are several of a kind, such as AMP1 and AMP2, not one among others.

    An image in the primary HDU is taken for the one that is meant.
    """
    if len(images) < 2 or images[0].index == 0:
        return False
    return len({(unit.shape, _NUMBER.sub("", unit.name)) for unit in images}) == 1


def _cards(units: Sequence[Unit], placed: Sequence[Unit], frame: Assembly) -> Iterator[str]:
    first, *others = (cards_of(units, unit) for unit in placed)
    stated = [{_stated(card) for card in cards} for cards in others]
    goes_on = False
    for card in first:
        name = card[:8].rstrip()
        if name in ("NAXIS1", "NAXIS2"):
            yield _card(name, str(frame.width if name == "NAXIS1" else frame.height))
            continue
        if name != "CONTINUE":  # which goes with the card before
            goes_on = not (GEOMETRY.fullmatch(name) or _OF_ONE_IMAGE.fullmatch(name)) and all(
                _stated(card) in other for other in stated
            )
        if goes_on:
            yield card
    yield _card(frame.system, f"'{frame.window}'")
    whole = Region(xmin=0, xmax=frame.width, ymin=0, ymax=frame.height)
    if frame.image_area != whole:
        area = frame.image_area
        yield _card("TRIMSEC", f"'[1:{area.xmax},1:{area.ymax}]'")


def _stated(card: str) -> tuple[str, str]:
    """Return keyword and value of a card, whatever its comment."""
    name = card[:8].rstrip()
    if card[8:9] != "=" or STRUCTURAL.fullmatch(name):
        return name, card[8:].rstrip()
    return name, text_of_value(card[9:])


def _card(name: str, value: str) -> str:
    return f"{name:<8}= {value:>{20 if value.isdigit() else 0}}".ljust(_CARD)
