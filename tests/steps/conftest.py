"""Frame sets of a few pixels, as in all rooms that calibrate."""

from tests.frame_sets import camera, frames, masters, raw, rng

__all__ = ["camera", "frames", "masters", "raw", "rng"]
