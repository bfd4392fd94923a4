"""One writer at a time: a place that is written to is locked by a hidden file.

The file names who writes: host, process, and since when. Decision: what counts is the lock that the
system holds on that file (flock), which ends with the process, however it ends: what a killed run
leaves behind never blocks the next, and no number of a process is ever taken for another's. What
is written in the file serves where locks do not reach, between hosts that share a disk: there a
person has to find out whether a run was killed.
"""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from autowisp_xr.errors import InUseError

try:
    import fcntl
except ImportError:
    # a system without these locks does not keep runs apart
    fcntl = None  # type: ignore[assignment]


_HELD: set[int] = set()
"""Descriptors of the files that this process has locked."""

_PAUSE = 0.05  # seconds


@contextmanager
def locked(path: str, what: str, *, wait: bool = False, for_twice: bool = False) -> Iterator[bool]:
    """Lock a place for this process, or this thread of it, while the block runs.

    Parameters
    ----------
    path
        Of the file that is locked. Its directory is made where there is none, and removed again if
        nothing came to lie in it.
    what
        The place, for people.
    wait
        Whether to wait until whoever has locked it is done.
    for_twice
        Whether what is done may be done twice: a process of another host whose lock cannot be seen
        counts as dead then.

    Yields
    ------
    Whether somebody had locked it who was killed.

    Raises
    ------
    InUseError
        If somebody else has locked it, or a process of another host may have.
    OSError
        If no file can be made there.
    """
    made = _make_directories(os.path.dirname(path))
    try:
        descriptor, left = _take(path, what, wait, for_twice)
        _HELD.add(descriptor)
        try:
            yield left
        finally:
            # first the name, while it is held: who opens it later finds a file of its own
            with suppress(OSError):
                os.remove(path)
            _HELD.discard(descriptor)
            os.close(descriptor)
    finally:
        for directory in made:
            with suppress(OSError):
                os.rmdir(directory)


def _make_directories(path: str) -> list[Path]:
    """Make a directory and those above it; return those that were made, innermost first."""
    folder = Path(path)
    missing = [one for one in (folder, *folder.parents) if not os.path.lexists(one)]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _take(path: str, what: str, wait: bool, for_twice: bool) -> tuple[int, bool]:
    """Return the descriptor of the file, locked and signed, and whether a killed run had it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            free = _lock(descriptor)
            signed = _signature(descriptor)
            if not free and wait:
                os.close(descriptor)
                time.sleep(_PAUSE)
                continue
            if not free:
                raise InUseError(
                    f"{what} is being written by {_described(signed)}; wait for that run, or "
                    "choose another place"
                )
            if not _is_named(descriptor, path):
                # the one before has just ended, and taken the name along
                os.close(descriptor)
                continue
            if signed and not _is_here(signed) and not for_twice:
                raise InUseError(
                    f"{what} is being written by {_described(signed)}, and it cannot be seen from "
                    f"here ({_host()}) whether that run still lives; if it does not, remove {path}"
                )
            _sign(descriptor)
            return descriptor, bool(signed)
        except BaseException:
            os.close(descriptor)
            raise


def _lock(descriptor: int) -> bool:
    """Lock a file, and return whether it is ours from now on."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # a disk that knows no locks: whether the process that signed is there has to do
        return not _lives(_signature(descriptor))
    return True


def _is_here(signed: dict[str, Any]) -> bool:
    """Return whether a signature is of this machine: its name or, in a container, its start."""
    return signed.get("host") == _host() or (bool(_boot()) and signed.get("boot") == _boot())


def _lives(signed: dict[str, Any]) -> bool:
    """Return whether the process that signed is one of this machine, and still there."""
    if not _is_here(signed):
        return False
    try:
        # one of somebody else may not be sent anything
        with suppress(PermissionError):
            os.kill(int(signed["process"]), 0)
    except (ProcessLookupError, KeyError, ValueError):
        return False
    return True


def _is_named(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _sign(descriptor: int) -> None:
    with suppress(OSError, AttributeError):
        # others who may write here shall be able to see who does, and to take over
        os.fchmod(descriptor, 0o666)
    since = time.strftime("%Y-%m-%d %H:%M:%S %z")
    signature = {
        "host": _host(),
        "boot": _boot(),
        "process": os.getpid(),
        "since": since,
    }
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, json.dumps(signature).encode())


def _signature(descriptor: int) -> dict[str, Any]:
    """Return what the one who locked the file last has written in it; {} for nothing."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        signed = json.loads(os.read(descriptor, 4096))
    except ValueError:
        return {}
    return signed if isinstance(signed, dict) else {}


def _described(signed: dict[str, Any]) -> str:
    if not signed:
        return "another process, which has just begun"
    return f"process {signed.get('process')} on {signed.get('host')}, since {signed.get('since')}"


def _host() -> str:
    return socket.gethostname()


def _boot() -> str:
    """Return what one start of a machine has and no other; "" where the system does not state."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _let_go() -> None:
    """Close the files in a forked process: it has locked nothing, and may outlive its parent."""
    for descriptor in _HELD:
        with suppress(OSError):
            os.close(descriptor)
    _HELD.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
