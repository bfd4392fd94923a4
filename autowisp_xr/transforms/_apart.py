"""The same dask array by tasks of its own, which share nothing with those of another."""

from typing import Any

__all__ = ["apart"]


def apart(array: Any, seed: str) -> Any:
    """An array of the same values by tasks with other keys; ``seed`` tells them from others.

    ``dask.graph_manipulation.clone`` gives tasks of the newer kind (selections of frames by a list
    are some) a new place, but leaves their own keys, and what they depend on, as they were; then
    dask refuses the graph. Those are given both here.
    """
    from dask._task_spec import GraphNode
    from dask.array import Array
    from dask.base import clone_key
    from dask.graph_manipulation import clone
    from dask.highlevelgraph import HighLevelGraph, MaterializedLayer

    cloned = clone(array, seed=seed)
    graph = cloned.__dask_graph__()
    layers = dict(graph.layers)
    stale = [
        name
        for name, layer in layers.items()
        if isinstance(layer, MaterializedLayer)
        and any(isinstance(task, GraphNode) and task.key != key for key, task in layer.items())
    ]
    if not stale:
        return cloned
    keys = {key: clone_key(key, seed) for key in array.__dask_graph__()}
    for name in stale:
        layers[name] = MaterializedLayer(
            {
                key: task.substitute(keys, key=key) if isinstance(task, GraphNode) else task
                for key, task in layers[name].items()
            }
        )
    whole = HighLevelGraph(layers, graph.dependencies)
    return Array(whole, cloned.name, cloned.chunks, meta=cloned._meta)
