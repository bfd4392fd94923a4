"""Run cases in processes of their own, whose death is a finding as well."""

import multiprocessing
import time
from collections.abc import Iterator
from typing import Any

from tests.fuzz.running import Finding, findings

_TOGETHER = 500
_LONGEST = 900
"""Seconds of so many cases, on a busy machine."""


def parts(numbers: range) -> Iterator[range]:
    """Yield some numbers at a time."""
    for first in range(0, len(numbers), _TOGETHER):
        yield numbers[first : first + _TOGETHER]


def in_child(kind: str, seed: int, numbers: range) -> list[Finding]:
    """Run cases in a process of their own; its death is a finding of the case that it had."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_cases, args=(kind, seed, numbers, sender))
    child.start()
    sender.close()
    found, deadline = [], time.monotonic() + _LONGEST
    number = numbers.start
    try:
        while receiver.poll(max(deadline - time.monotonic(), 0)):
            one = receiver.recv()
            if isinstance(one, Finding):
                found.append(one)
            else:
                number = one
        found.append(Finding(kind, seed, number, f"more than {_LONGEST} s", "hangs"))
        child.kill()
    except EOFError:
        child.join()
        if child.exitcode:
            what = f"the process ended with {child.exitcode}"
            found.append(Finding(kind, seed, number, what, what))
    return found


def _cases(kind: str, seed: int, numbers: range, sender: Any) -> None:
    for one in findings(kind, seed, numbers, sender.send):
        sender.send(one)
