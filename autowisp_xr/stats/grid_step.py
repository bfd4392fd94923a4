"""How far apart the pixels of a regular grid are that stand for a whole plane."""

_PIXELS = 2**16
"""Of a plane, about."""


def grid_step(height: int, width: int) -> int:
    """Pixels from one of the grid to the next, along rows and columns.

    It is odd, so that no pattern of even and odd columns is seen with one eye only.

    Examples
    --------
    >>> grid_step(256, 256), grid_step(4096, 4096)
    (1, 17)
    """
    return max(1, int((height * width / _PIXELS) ** 0.5)) | 1
