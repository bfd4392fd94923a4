"""The one door to matplotlib: an empty picture, or an error that names the remedy."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autowisp_xr.plot.picture import Picture


def new_picture(width: float, height: float) -> "Picture":
    """An empty picture of so many inches, which lays out by itself what is drawn on it.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    try:
        from autowisp_xr.plot.picture import Picture
    except ImportError as error:
        raise ImportError(
            f"pictures need matplotlib, which cannot be imported ({error}); it comes with "
            "pip install '.[plot]'"
        ) from error
    return Picture(figsize=(width, height), layout="constrained")
