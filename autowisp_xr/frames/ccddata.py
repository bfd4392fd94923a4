"""Let CCDData of astropy read our files, errors and all, where a program uses both.

Decision: AutoWISP's files, whose layout ours is, call their errors ERROR, and CCDData looks for
UNCERT alone; a file has one name for them, and its readers know the former. Masks and units
CCDData finds by itself. So this package registers with astropy how its files are read,
once ``astropy.nddata`` is there (it takes a fifth of a second to import, which no other work
needs). A program without this package calls ``CCDData.read(path, hdu_uncertainty="ERROR")``.
"""

import sys
from functools import cache
from typing import Any

from astropy.io import fits

_FORMAT = "autowisp"


def register() -> None:
    """Let ``CCDData.read`` take the errors of our files, if it is imported already."""
    if "astropy.nddata" in sys.modules:
        _register()


@cache
def _register() -> None:
    from astropy.io import registry
    from astropy.nddata import CCDData

    # above the priority of FITS, which these files are, too
    registry.register_reader(_FORMAT, CCDData, _read, force=True, priority=1)
    registry.register_identifier(_FORMAT, CCDData, _is_ours, force=True)


def _read(file: Any, *args: Any, **options: Any) -> Any:
    from astropy.nddata.ccddata import fits_ccddata_reader

    return fits_ccddata_reader(file, *args, **{"hdu_uncertainty": "ERROR", **options})


def _is_ours(origin: str, path: Any, file: Any, *args: Any, **options: Any) -> bool:
    """Return whether something that is read is a file with errors as we write them."""
    if origin != "read" or path is None:
        return False
    try:
        header = fits.getheader(path, "ERROR")
    except (KeyError, OSError, ValueError):
        return False
    return header.get("IMAGETYP") == "error" and "UTYPE" in header
