"""The same dask array by tasks of its own, which share nothing with those of another."""

from typing import Any

__all__ = ["apart"]


def apart(array: Any, seed: str) -> Any:
    """An array of the same values by tasks with other keys; ``seed`` tells them from others.

    ``dask.graph_manipulation.clone`` leaves tasks of the newer kind (selections of frames by a list
    are some) with two keys, which dask refuses to compute.
    """
    from dask._task_spec import convert_legacy_graph
    from dask.array import Array

    tasks = convert_legacy_graph(dict(array.__dask_graph__()))
    keys = {key: _other(key, seed) for key in tasks}
    graph = {keys[key]: task.substitute(keys, key=keys[key]) for key, task in tasks.items()}
    return Array(graph, _other(array.name, seed), array.chunks, meta=array._meta)


def _other(key: Any, seed: str) -> Any:
    return (f"{seed}-{key[0]}", *key[1:]) if isinstance(key, tuple) else f"{seed}-{key}"
