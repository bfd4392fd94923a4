"""The place of the image of a calibrated file in the raw frame, read from its header."""

from dataclasses import dataclass
from itertools import product

from astropy.io import fits

from autowisp_xr import schema
from autowisp_xr.headers.cards import AnyHeader, render_header, value_of, write_card
from autowisp_xr.headers.coordinates import is_master
from autowisp_xr.headers.fates import ROWS
from autowisp_xr.headers.lazy_header import LazyHeader
from autowisp_xr.headers.sensor_grid import PixelGrid, area_of, grid_of
from autowisp_xr.headers.values import to_number
from autowisp_xr.regions import LARGEST, ChannelSlice, Region

PRODUCT_CARDS = ROWS["place"].cards
"""Cards by which calibrated files give their place."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """The place of the image of a calibrated file in the raw frame."""

    channel: str
    cut: ChannelSlice
    y: int = 0
    x: int = 0
    height: int | None = None
    """Height of the raw frame, as far as it is known to reach; None where it is unknown."""
    width: int | None = None
    split: bool = True
    """Whether channels are split already, which is unknown of a master of another program."""


def place_of(header: AnyHeader) -> Place | None:
    """Return the place that IMAGAREA, CLRCHNL and CHNL* give; None where none of them is there.

    A master of another program gives it by LTV1 and LTV2. Those of a raw frame are not read: its
    sections and areas count the pixels that are stored.
    """
    if all(value_of(header, card) is None for card in PRODUCT_CARDS):
        return _place_of_foreign_master(header) if is_master(header) else None
    grid, area = grid_of(header), area_of(header)
    y, x = (0, 0) if area is None else (area.ymin, area.xmin)
    cut = ChannelSlice(
        y_offset=(grid.y - y) % grid.y_step,
        y_step=grid.y_step,
        x_offset=(grid.x - x) % grid.x_step,
        x_step=grid.x_step,
    )
    return Place(
        channel=str(value_of(header, "CLRCHNL") or schema.MONO),
        cut=cut,
        y=grid.y - cut.y_offset,
        x=grid.x - cut.x_offset,
        height=None if area is None else area.ymax,
        width=None if area is None else area.xmax,
    )


def name_place(header: fits.Header, cut: ChannelSlice, area: Region) -> None:
    """Set the cards that name the pixels that a plane holds of an area of the raw frame."""
    write_card(header, "CHNLXOFF", cut.x_offset)
    write_card(header, "CHNLXSTP", cut.x_step)
    write_card(header, "CHNLYOFF", cut.y_offset)
    write_card(header, "CHNLYSTP", cut.y_step)
    write_card(header, "IMAGAREA", str(area))


def with_place(header: LazyHeader, cut: ChannelSlice, area: Region) -> LazyHeader:
    """Return the header if its cards name this place, else a copy that does.

    A place that is known from elsewhere (one HDU a channel, LTV of a master) has to stand in the
    header, which would be taken for that of the raw frame.
    """
    if grid_of(header) == PixelGrid.of(cut, area):
        return header
    named = header.parsed()
    name_place(named, cut, area)
    return LazyHeader(render_header(named))


def _place_of_foreign_master(header: AnyHeader) -> Place | None:
    """Return the place by LTV1 and LTV2, where they count whole pixels that were cut away."""
    for row, column in product("12", repeat=2):
        if value_of(header, f"LTM{row}_{column}") not in (None, float(row == column)):
            return None
    starts = [value_of(header, f"LTV{axis}") for axis in "21"]
    # a raw pixel before the first stored one moves it by one
    y, x = (0.0 if start is None else -to_number(start) for start in starts)
    if starts == [None, None] or not all(
        0 <= start < LARGEST and start.is_integer() for start in (y, x)
    ):
        return None
    height, width = (value_of(header, f"NAXIS{axis}") for axis in "21")
    return Place(
        channel=schema.MONO,
        cut=ChannelSlice(),
        y=int(y),
        x=int(x),
        height=int(y) + height if isinstance(height, int) else None,
        width=int(x) + width if isinstance(width, int) else None,
        split=False,
    )
