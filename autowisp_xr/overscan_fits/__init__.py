"""Fits of the overscan level of plain raw frames, with its variance, in one or more passes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
