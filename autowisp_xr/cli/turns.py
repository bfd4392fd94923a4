"""The order of what threads do at the same time, where that matters."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Turns:
    """A step that each job takes after all jobs before it have taken it, or ended without.

    Jobs have to be begun in their order.
    """

    def __init__(self, jobs: Sequence[str]) -> None:
        self._number = {job: number for number, job in enumerate(jobs)}
        self._past = [threading.Event() for _ in jobs]

    @contextmanager
    def turn(self, job: str) -> Iterator[None]:
        """Wait for the turn of a job, take it, and let the next one have its own."""
        number = self._number[job]
        for earlier in self._past[:number]:
            earlier.wait()
        with self.over(job):
            yield

    @contextmanager
    def over(self, job: str) -> Iterator[None]:
        """Let the next job have its turn when the block ends, however it does."""
        try:
            yield
        finally:
            self._past[self._number[job]].set()
