"""Where frames enter and leave: files are found, opened as Datasets, and written as FITS."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
