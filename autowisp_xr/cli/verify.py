"""``autowisp-xr verify``: products are made again of their records, and compared."""

from argparse import Namespace
from collections import Counter

from autowisp_xr.cli.loading import load
from autowisp_xr.cli.log import described
from autowisp_xr.errors import AutowispError

_STATUS = {"differs": 3, "cannot be verified": 1, "same": 0}
"""The exit status of each outcome, the worst first."""


def run(options: Namespace) -> int:
    """Print whether each product is what its record makes, and return the worst status."""
    load("dask.array", "autowisp_xr.night.verifying")
    from autowisp_xr import night

    found: Counter[str] = Counter()
    for path in options.products:
        try:
            verified = night.verify(path)
        except (AutowispError, OSError) as error:
            if options.debug:
                raise
            print(_refusal(path, described(error)), flush=True)
            found["cannot be verified"] += 1
        else:
            print(verified, flush=True)
            found["differs" if verified.differences else "same"] += 1
    if len(options.products) > 1:
        counts = ", ".join(f"{found[one]} {one}" for one in reversed(_STATUS) if found[one])
        print(f"{len(options.products)} products: {counts}")
    return next(status for outcome, status in _STATUS.items() if found[outcome])


def _refusal(path: str, error: str) -> str:
    return error if error.startswith(f"{path}: cannot") else f"{path}: cannot be verified: {error}"
