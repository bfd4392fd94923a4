"""Nights with a known truth: raw frames of a made-up camera, for tests, demonstrations, benchmarks.

A :class:`Night` has a sensor (pedestal, bias structure, dark current, hot pixels, response), a
scene (sky, nebula, stars) and the accidents of real frames (leaks, cosmic rays, clouds). All of it
follows from ``seed``, and all of it can be asked for, so that a calibrated frame can be held
against what was put in.
"""

from autowisp_xr.simulate.shots import KINDS
from autowisp_xr.simulate.simulated_night import Night

__all__ = ["KINDS", "Night"]
