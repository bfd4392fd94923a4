"""Pictures: of flats, why they were chosen or not.

They are drawn without pyplot, on figures that notebooks show. matplotlib is imported when a picture
is drawn, not before.
"""

from autowisp_xr.plot.selected_flats import MOST_THUMBNAILS, flats, rejected

__all__ = ["MOST_THUMBNAILS", "flats", "rejected"]
