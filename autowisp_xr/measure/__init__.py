"""Measurements of the camera from frames, and comparisons of masters."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
