"""What a kind of input is that is fuzzed."""

import random
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import autowisp_xr as aw


class Kind:
    """One kind of input."""

    allowed: ClassVar[tuple[type[Exception], ...]] = (aw.AutowispError,)
    """Errors that may come out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def make(self, rng: random.Random) -> Any:
        """Make an odd thing."""

    @abstractmethod
    def take(self, thing: Any) -> str:
        """Let the package take it; what is wrong with the result, "" if nothing."""
