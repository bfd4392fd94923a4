"""Pictures of frames, and of what was measured in them.

Those of frames are methods of ``ds.autowisp.plot``, too: they draw on ``ax``, else on a new figure
of pyplot, and return axes, as the pictures of xarray do. Those of tables, of flats or of what was
measured of a camera, return figures of several panels that pyplot does not know of and that
notebooks show. matplotlib is imported when a picture is drawn, not before.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
