"""Pictures: of a frame and its flags, of flats and why they were chosen or not.

They are drawn without pyplot, on figures that notebooks show. matplotlib is imported when a picture
is drawn, not before.
"""

from typing import TYPE_CHECKING

from autowisp_xr._lazy import attach

if TYPE_CHECKING:
    from autowisp_xr.plot.frames import frame
    from autowisp_xr.plot.photon_transfer import photon_transfer_curve
    from autowisp_xr.plot.selected_flats import MOST_THUMBNAILS, flats, rejected

__all__ = ["MOST_THUMBNAILS", "flats", "frame", "photon_transfer_curve", "rejected"]

__getattr__, __dir__ = attach(
    __name__,
    {
        "frame": f"{__name__}.frames",
        "photon_transfer_curve": f"{__name__}.photon_transfer",
    }
    | dict.fromkeys(("MOST_THUMBNAILS", "flats", "rejected"), f"{__name__}.selected_flats"),
)
