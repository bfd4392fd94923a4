"""A whole night: which frames belong together, and from them masters and calibrated frames."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
