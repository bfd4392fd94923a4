"""A cluster of two workers makes the bits of this process, whatever the chunks are.

All tests that need a cluster are here: pytest starts one, in one of its processes.
"""

import os
import signal

import dask
import pytest

import autowisp_xr as aw
from autowisp_xr import simulate
from autowisp_xr.allocation import OF_NANNY
from autowisp_xr.bridge import memory_limit
from autowisp_xr.errors import AutowispError
from autowisp_xr.testing import assert_frames_equal
from tests.night.reducing import files, reduce

distributed = pytest.importorskip("distributed")

GROUP = "calibrated/V_60s"
SKY = simulate.Night(shape=(40, 56), seed=5, gain=0.6, full_well=30_000, overscan=16)


@pytest.fixture(scope="module")
def reduced(tmp_path_factory):
    """A folder of raw files, and the one that threads have made of it."""
    top = tmp_path_factory.mktemp("cluster")
    for frames in (SKY.bias(2), SKY.objects(4)):
        aw.to_fits(frames, top / "raw" / "{RAWFNAME}.fits")
    reduce(top / "raw", top / "out", camera=SKY.camera)
    return top


@pytest.fixture(scope="module")
def whole(reduced):
    """The frames of the recipe, as one thread makes them, and their stack from memory."""
    with dask.config.set(scheduler="synchronous"):
        frames = aw.open_zarr(reduced / "out" / "night.zarr", group=GROUP).compute()
    return frames, frames.autowisp.stack("median", reject=aw.SigmaClip(1.5))


@pytest.mark.parametrize(
    ("scheduler", "chunks"),
    [
        ("threads", {"frame": 3, "y": 17, "x": 29}),
        ("processes", {"frame": -1, "y": 20}),
        ("workers", {}),
        ("workers", {"frame": -1, "y": 13}),
    ],
)
def test_a_recipe_has_the_same_bits_wherever_it_is_computed(
    scheduler, chunks, cluster, reduced, whole
):
    frames = aw.open_zarr(reduced / "out" / "night.zarr", group=GROUP).chunk(chunks)

    def both():
        deep = frames.autowisp.stack("median", reject=aw.SigmaClip(1.5))
        return dask.compute(frames, deep)

    if scheduler == "workers":
        with distributed.Client(cluster):
            found = both()
    else:
        with dask.config.set(scheduler=scheduler, num_workers=2 - (scheduler == "processes")):
            found = both()
    for one, expected in zip(found, whole, strict=True):
        assert_frames_equal(one, expected)


def test_workers_are_known_by_any_name_of_their_scheduler_and_keep_the_memory_of_planes(cluster):
    with distributed.Client(cluster) as client:
        for name in (None, "distributed", "dask.distributed"):
            with dask.config.set(scheduler=name):
                assert memory_limit.threads_of_cluster() == 2
        with dask.config.set(scheduler="threads"):
            assert memory_limit.threads_of_cluster() == 0
        # else they would have each plane mapped anew
        for environment in client.run(lambda: dict(os.environ)).values():
            assert OF_NANNY.items() <= environment.items()


def test_workers_make_the_same_files_though_one_is_killed(cluster, reduced, tmp_path):
    with distributed.Client(cluster, set_as_default=False) as client:
        # what one may take is half of its memory, unless less is asked for
        (allowed, *_) = (one["memory_limit"] for one in client.scheduler_info()["workers"].values())
        assert client.submit(memory_limit.in_force).result().bytes == allowed // 2
        pids = client.run(os.getpid)
        client.submit(os.kill, next(iter(pids.values())), signal.SIGKILL, retries=0)
        given = {"scheduler": cluster.scheduler_address, "memory_limit": "200kB"}
        reduce(reduced / "raw", tmp_path / "again", camera=SKY.camera, **given)
    assert files(tmp_path / "again") == files(reduced / "out")


LIKE_NONE = "[]"
LIKE_AN_OLD_ONE = "[type('Old', (), {'version': '0.1'})]"


@pytest.mark.parametrize(
    ("installed", "found"), [(LIKE_NONE, "none"), (LIKE_AN_OLD_ONE, "0.1")], ids=["none", "another"]
)
def test_workers_without_this_version_of_the_package_are_named(
    installed, found, cluster, reduced, tmp_path
):
    given = {"scheduler": cluster.scheduler_address}
    with distributed.Client(cluster, set_as_default=False) as client:
        changed = "import importlib.metadata as m; m.own, m.distributions = m.distributions, "
        client.run(exec, f"{changed} lambda **given: {installed}")
        try:
            with pytest.raises(AutowispError, match=f"worker.* has autowisp_xr {found}, this"):
                reduce(reduced / "raw", tmp_path / "out", camera=SKY.camera, **given)
        finally:
            client.run(exec, "import importlib.metadata as m; m.distributions = m.own")
    reduce(reduced / "raw", tmp_path / "out", camera=SKY.camera, **given)
    assert files(tmp_path / "out") == files(reduced / "out")
