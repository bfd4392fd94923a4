"""``reduce`` where defects are not what a test is about: finding them takes most of the time."""

from typing import Any

import autowisp_xr as aw
from autowisp_xr.night.summary import Summary


def reduce(*places: Any, defects: Any = "none", **options: Any) -> Summary:
    """Reduce a night without a mask of defects, unless one is named."""
    return aw.reduce(*places, defects=defects, **options)
