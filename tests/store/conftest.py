"""Raw files and products of a few pixels, as in all rooms that read."""

from tests.raw_files import product, ramp, raw

__all__ = ["product", "ramp", "raw"]
