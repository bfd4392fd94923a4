"""Stores elsewhere: an S3 server of this machine, obstore, icechunk, addresses; and how often."""

import numpy as np
import pytest
import xarray as xr
from zarr.storage import MemoryStore

import autowisp_xr as aw
from autowisp_xr import simulate
from autowisp_xr.errors import MissingPackageError
from autowisp_xr.testing import assert_frames_equal
from tests.benchmarks.requests import table

NEEDED = "needs {}, of the extra 'stores'"


@pytest.fixture(scope="module")
def frames():
    night = simulate.Night(shape=(20, 24), seed=7)
    return aw.calibrate(night.objects(3), bias=aw.master_bias(night.bias(3))).compute()


@pytest.fixture(scope="module")
def server():
    """Options for a server of S3 with an empty bucket "nights"."""
    moto = pytest.importorskip("moto.server", reason=NEEDED.format("moto"))
    boto3 = pytest.importorskip("boto3", reason=NEEDED.format("moto"))
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    address = "http://{}:{}".format(*running.get_host_and_port())
    who = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **who)
    client.create_bucket(Bucket="nights")
    yield {"endpoint_url": address, "key": "key", "secret": "secret"}
    running.stop()


def test_frames_come_back_from_a_server_of_s3(frames, server):
    pytest.importorskip("s3fs", reason=NEEDED.format("s3fs"))
    place = {"group": "calibrated/V", "storage_options": server}
    back = aw.to_zarr(frames, "s3://nights/n.zarr", **place)
    assert_frames_equal(back, frames)
    assert_frames_equal(aw.open_zarr("s3://nights/n.zarr", **place), frames)
    np.testing.assert_array_equal(back.autowisp.stack().image, aw.stack(frames).image)
    with pytest.raises(FileExistsError, match="holds something else already"):
        aw.to_zarr(frames.isel(frame=[0]), "s3://nights/n.zarr", **place)


def test_obstore_writes_to_the_same_server(frames, server):
    obstore = pytest.importorskip("obstore", reason=NEEDED.format("obstore"))
    from zarr.storage import ObjectStore

    bucket = obstore.store.S3Store(
        "nights",
        prefix="o.zarr",
        endpoint=server["endpoint_url"],
        access_key_id=server["key"],
        secret_access_key=server["secret"],
        region="us-east-1",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    assert_frames_equal(aw.to_zarr(frames, ObjectStore(bucket)), frames)
    with pytest.raises(TypeError, match=r"not S3Store: one of obstore goes in as zarr\.storage"):
        aw.open_zarr(bucket)


def test_a_session_of_icechunk_is_a_store(frames):
    icechunk = pytest.importorskip("icechunk", reason=NEEDED.format("icechunk"))
    repository = icechunk.Repository.create(icechunk.in_memory_storage())
    session = repository.writable_session("main")
    aw.to_zarr(frames, session.store, group="night")
    session.commit("one night")
    stored = repository.readonly_session("main").store
    assert_frames_equal(aw.open_zarr(stored, group="night"), frames)


def test_the_address_of_a_file_is_a_path(frames, tmp_path):
    there = (tmp_path / "a night.zarr").as_uri()
    assert "%20" in there
    assert_frames_equal(aw.to_zarr(frames, there), frames)
    assert_frames_equal(aw.to_zarr(frames, tmp_path / "a night.zarr", overwrite=True), frames)
    with xr.open_dataset(there, engine="autowisp") as ds:
        assert ds.sizes == frames.sizes
    (path,) = frames.isel(frame=[0]).autowisp.to_fits((tmp_path / "a.fits").as_uri())
    assert path == str(tmp_path / "a.fits")
    assert aw.open_fits((tmp_path / "a.fits").as_uri()).sizes["frame"] == 1


def test_what_an_address_cannot_be_is_refused_with_what_to_do(frames, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "night").mkdir()
    for work, reason in (
        (lambda: frames.autowisp.to_fits("memory://x/a.fits"), r"aw\.to_zarr\(ds, 'memory://x"),
        (lambda: aw.open_fits("s3://b/a.fits"), r"open_local\('simplecache::s3://b/a\.fits'\)"),
        (lambda: aw.reduce("night", "s3://b/out"), "copied to an address"),
        (lambda: aw.reduce("s3://b/night", "out"), "reduced from a directory"),
        (lambda: aw.open_zarr("nowhere://b/n.zarr"), "no kind of address that fsspec knows"),
        (lambda: aw.open_zarr("n.zarr", storage_options={"anon": True}), "are for an address"),
    ):
        with pytest.raises(ValueError, match=reason):
            work()
    assert [path.name for path in tmp_path.iterdir()] == ["night"]


def test_a_package_that_is_missing_is_named(monkeypatch):
    def missing(kind):
        raise ImportError("Install gcsfs to access Google Storage")

    monkeypatch.setattr("fsspec.get_filesystem_class", missing)
    with pytest.raises(MissingPackageError, match=r"gs://b/n\.zarr .* Install gcsfs"):
        aw.open_zarr("gs://b/n.zarr")


def test_requests_do_not_grow_with_the_night():
    found = table(few=2, many=5, shape=(20, 24))
    # a shard for each of three planes and a mark, and the index of the marks
    assert sum(found["to write a frame"].values()) <= 6
    assert sum(found["to read a frame"].values()) <= 6
    assert sum(found["to read a band, by frame"].values()) <= 6
    assert sum(found["to open a group"].values()) <= 80


def test_options_go_to_the_place_of_the_address():
    store = aw.store.store_at("memory://autowisp/n.zarr", {"skip_instance_cache": True})
    assert type(store).__name__ == "FsspecStore"
    assert aw.store.store_at(kept := MemoryStore()) is kept
