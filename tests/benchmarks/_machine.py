"""Where a benchmark runs: the machine, and which peers are there."""

import argparse
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Peers", "find_peers", "machine", "versions"]

PYTHON_PEERS = ("ccdproc", "astropop", "astropy", "bottleneck", "fitsio")

_ASK = """
import importlib.metadata, json, sys
found = {"python": sys.version.split()[0]}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def versions(python: str | None, names: Sequence[str]) -> dict[str, str]:
    """Versions of those packages that an interpreter finds; none for no interpreter."""
    if python is None:
        return {}
    try:
        done = subprocess.run(
            [python, "-c", _ASK, *names], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"{python} is no Python interpreter that runs: {error}") from error
    return json.loads(done.stdout)


_PROGRAMS: dict[str, Callable[[], str]] = {
    "siril-cli": lambda: _stated("siril-cli", "--version").removeprefix("siril "),
    "ficombine": lambda: _stated("ficombine", "--version-short").partition("-")[2].rstrip("]"),
    "ficalib": lambda: _stated("ficalib", "--version-short").partition("-")[2].rstrip("]"),
    "irafcl": lambda: _stated("irafcl", "-v"),
}


def _stated(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout.strip().splitlines() or ["?"])[0]


class Peers(NamedTuple):
    """Which peers are there, by version."""

    packages: dict[str, str]
    programs: dict[str, str]
    original: str | None
    not_asked: bool = False

    def lines(self) -> list[str]:
        """What to state of those that are there, and of each that is not, in a line."""
        if self.not_asked:
            return ["peers: none asked for"]
        there = {**self.packages, **self.programs}
        if self.original:
            there["autowisp"] = self.original
        lines = ["peers: " + (", ".join(f"{name} {v}" for name, v in there.items()) or "none")]
        missing = [name for name in PYTHON_PEERS if name not in self.packages]
        lines += [
            f"absent: {name} (--peers PYTHON names an interpreter with it)" for name in missing
        ]
        lines += [f"absent: {name} (a program)" for name in _PROGRAMS if name not in self.programs]
        if not self.original:
            lines.append("absent: autowisp (--original PYTHON, or AUTOWISP_PYTHON)")
        return lines


def find_peers(given: argparse.Namespace) -> Peers:
    """Look for all peers."""
    if given.no_peers:
        return Peers({}, {}, None, not_asked=True)
    packages = versions(given.peers, PYTHON_PEERS)
    packages.pop("python")
    programs = {name: ask() for name, ask in _PROGRAMS.items() if shutil.which(name)}
    return Peers(packages, programs, versions(given.original, ["autowisp"]).get("autowisp"))


def machine() -> str:
    """Where and when."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    own = versions(
        sys.executable,
        ["autowisp-xr", "numpy", "numba", "xarray", "dask", "astropy"],
    )
    lines = [
        f"{time.strftime('%Y-%m-%d %H:%M')}, {_processor()}, {cores} cores, {_memory()}, "
        f"{platform.platform()}, load {os.getloadavg()[0]:.1f}",
        ", ".join(f"{name} {version}" for name, version in own.items()),
    ]
    return "\n".join(lines)


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> str:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{size / 2**30:.0f} GiB"
