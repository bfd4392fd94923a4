"""The overscan level of plain raw frames: its fit, its variance, and passes one after another."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
