"""What carries out the units of a night: the threads of this process, or workers of dask.

Decision: before anything is sent to them, workers are asked in words of Python alone whether they
have this version of the package. A worker that cannot read what it is sent ends, and dask waits for
another one for ever.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from autowisp_xr.errors import AutowispError, MissingPackageError
from autowisp_xr.night.sentences import sentence
from autowisp_xr.night.units import Export, Written, export

if TYPE_CHECKING:
    from distributed import Client


@contextmanager
def workers_of(scheduler: str | None, workers: int | None) -> Iterator["Client | None"]:
    """Give the client whose workers carry out units; None where the threads of this process do.

    Parameters
    ----------
    scheduler
        Address of that of a cluster.
    workers
        How many processes to start on this machine. Without both, it is the Client that is active,
        if there is one.

    Raises
    ------
    ValueError
        For both.
    MissingPackageError
        Without dask.distributed.
    AutowispError
        Where a process does not start, or is without this version of the package.
    """
    if scheduler is not None and workers is not None:
        raise ValueError("workers are those of the scheduler; give one of both")
    if scheduler is None and workers is None:
        active = _active()
        if active is not None:
            _check_versions(active)
        yield active
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise MissingPackageError(sentence("no_distributed")) from None
    if scheduler is not None:
        with Client(scheduler) as client:
            _check_versions(client)
            yield client
        return
    # masters are made by threads of this process meanwhile: workers are for units
    options: dict[str, Any] = {"n_workers": workers, "dashboard_address": ":0"}
    try:
        cluster = LocalCluster(**options)
    except RuntimeError as error:
        raise AutowispError(sentence("workers_did_not_start", reason=error)) from error
    with cluster, Client(cluster, set_as_default=False) as client:
        yield client


def _active() -> "Client | None":
    """Return the Client that is active; whoever has none need not import what it takes."""
    if "distributed" not in sys.modules:
        return None
    from distributed import default_client

    try:
        return default_client()
    except ValueError:
        return None


_PACKAGE = "autowisp_xr"
_ASKED = (
    "[one.version for one in "
    f"__import__('importlib.metadata').metadata.distributions(name={_PACKAGE!r})]"
)
"""Gives the versions of the package that are installed."""


def _check_versions(client: "Client") -> None:
    """Refuse a cluster in which a process has not this version of the package.

    Where there is no worker yet, the first is waited for: a cluster may start them for work.
    """
    own = version(_PACKAGE)
    answers = {"the scheduler": client.run_on_scheduler(eval, _ASKED)}
    answers["a worker"] = client.submit(eval, _ASKED, pure=False).result()
    answers |= {f"the worker {one}": found for one, found in client.run(eval, _ASKED).items()}
    for where, found in answers.items():
        if own not in found:
            values = {"where": where, "found": " and ".join(found) or "none", "own": own}
            raise AutowispError(sentence("workers_differ", **values))


def at_once(client: "Client") -> int:
    """Return how many units are worked on at once."""
    return max(1, len(client.nthreads()))


def carry_out(client: "Client", units: Sequence[Export]) -> Iterator[Written]:
    """Let the workers of a client carry out units, and yield what became of each, in any order.

    Raises
    ------
    AutowispError
        Where a unit has ended several workers.
    Exception
        What a unit has raised; those that have not begun are not begun then.
    """
    from distributed import KilledWorker, as_completed

    # by what they are: a client that comes back asks for the same
    futures = client.map(export, units, key=[f"run-{unit.id}" for unit in units], pure=False)
    try:
        for future in as_completed(futures, loop=client.loop):
            yield future.result()
    except KilledWorker as error:
        raise AutowispError(sentence("workers_died", reason=error)) from error
    finally:
        client.cancel(futures)
