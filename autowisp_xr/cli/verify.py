"""``autowisp-xr verify``: products are made again of their records, and compared."""

from argparse import Namespace

from autowisp_xr.cli.loading import load


def run(options: Namespace) -> int:
    """Print whether each product is what its record makes; 3 where one is not."""
    load("dask.array", "autowisp_xr.night.verifying")
    from autowisp_xr import night

    status = 0
    for path in options.products:
        verified = night.verify(path)
        print(verified)
        status = 3 if verified.differences else status
    return status
