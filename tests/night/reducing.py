"""``reduce`` where defects are not what a test is about: finding them takes most of the time."""

from pathlib import Path
from typing import Any

from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr.night.summary import Summary

_WITH_TIMES = ("CHECKSUM", "HISTORY", "BIASSHA")


def reduce(*places: Any, defects: Any = "none", **options: Any) -> Summary:
    """Reduce a night without a mask of defects, unless one is named."""
    return aw.reduce(*places, defects=defects, **options)


def files(out: Path) -> dict[str, Any]:
    """Return planes and cards of all files, but for times and what is summed over them."""
    found = {}
    for path in (out / "calibrated" / "V_60s").iterdir():
        with fits.open(path) as hdus:
            planes = [hdu.data.tobytes() for hdu in hdus]
            cards = [
                {key: hdu.header[key] for key in hdu.header if key not in _WITH_TIMES}
                for hdu in hdus
            ]
        found[path.name] = cards, planes
    return found
