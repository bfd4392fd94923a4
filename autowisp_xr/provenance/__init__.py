"""The history of a Dataset, and the identities of frames, sets and files that follow from it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
