"""The facts about a camera: channels, areas, gain, noise, amplifiers, response to light."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
