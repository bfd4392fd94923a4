"""What pictures are drawn on that notebooks show though pyplot does not know of it."""

from io import BytesIO

from matplotlib.animation import ArtistAnimation
from matplotlib.figure import Figure


class Picture(Figure):
    """A matplotlib Figure that notebooks show though pyplot does not know of it."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


class Blinking(ArtistAnimation):
    """An animation that notebooks show with buttons, as a page of its own."""

    def _repr_html_(self) -> str:
        return self.to_jshtml()
