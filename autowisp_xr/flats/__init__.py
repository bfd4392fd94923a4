"""Master flats: which frames are good, their level and large-scale shape, and their average."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
