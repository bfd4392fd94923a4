"""The one door to matplotlib, for something to draw on; and names that fit on it."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def new_picture(width: float, height: float) -> "Figure":
    """Return an empty picture of so many inches, which lays out by itself what is drawn on it.

    pyplot keeps each figure it makes until it is asked to close it, and shows it at the end of the
    cell besides. A plain Figure is shown in a notebook only once pyplot was imported; this one
    always, as the value of a cell or by ``display``.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    need_matplotlib()
    from autowisp_xr.plot.pictures import Picture

    return Picture(figsize=(width, height), layout="constrained")


def need_matplotlib() -> None:
    """Raise ImportError with the remedy where there is no matplotlib."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"pictures need matplotlib, which cannot be imported ({error}); it comes with "
            "pip install '.[plot]'"
        ) from error


def shown_figure() -> "Figure":
    """Return an empty figure of pyplot, as xarray draws on one: notebooks show it by themselves.

    It lays out by itself what is drawn on it.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    need_matplotlib()
    from matplotlib import pyplot

    return pyplot.figure(layout="constrained")


def given_axes(ax: Any, number: int) -> "list[Axes]":
    """Return the axes that were given to draw on, one or several in any shape.

    Raises
    ------
    ImportError
        Without matplotlib.
    ValueError
        If there are not so many of them, or if something else was given.
    """
    need_matplotlib()
    from matplotlib.axes import Axes

    given = list(np.ravel(np.asarray(ax, dtype=object)))
    if not all(isinstance(one, Axes) for one in given):
        raise ValueError(f"ax is an Axes of matplotlib, or several, not {ax!r}")
    if len(given) != number:
        raise ValueError(
            f"{number} axes are drawn on, and ax has {len(given)}; give as many, or choose one "
            "channel"
        )
    return given


def one_axes(ax: "Axes | None", width: float, height: float) -> "Axes":
    """Return the axes that were given, else those of a new figure of so many inches."""
    if ax is not None:
        return given_axes(ax, 1)[0]
    figure = shown_figure()
    figure.set_size_inches(width, height)
    return figure.subplots()


def ending(name: str, longest: int) -> str:
    """Return the end of a long name, in which frames of one night differ."""
    return name if len(name) <= longest else f"…{name[len(name) - longest + 1 :]}"
