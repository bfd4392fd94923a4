"""``autowisp-xr``: the command line."""

from autowisp_xr.cli.program import main

__all__ = ["main"]
