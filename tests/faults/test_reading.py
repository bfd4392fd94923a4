"""A store of a night that is read while another run replaces what is in it."""

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace

import numpy as np
import pytest

import autowisp_xr as aw
from tests.faults.jobs import write_night
from tests.night.kills import SKY


@pytest.mark.parametrize("form", ["recipe", "pixels"])
def test_readers_get_the_old_pixels_or_the_new_ones_or_an_error_of_ours(form, tmp_path):
    raw, store = write_night(tmp_path, lights=2), tmp_path / "out" / "night.zarr"
    cameras = [SKY.camera, replace(SKY.camera, gain=2.0)]

    def reduced(camera):
        options = {
            "camera": camera,
            "store": form,
            "defects": "none",
            "fits": False,
            "checks": False,
        }
        return aw.reduce(raw, tmp_path / "out", **options, overwrite=True)

    def planes(ds):
        return [ds[name].values.tobytes() for name in ("image", "variance", "mask")]

    group = reduced(cameras[1]).made[-1].group
    whole = [planes(aw.open_zarr(store, group=group))]
    reduced(cameras[0])
    whole.append(planes(aw.open_zarr(store, group=group)))
    assert whole[0][1] != whole[1][1]

    seen, refused = set(), []
    with ThreadPoolExecutor(1) as pool:
        earlier = aw.open_zarr(store, group=group)
        running = pool.submit(reduced, cameras[1])
        ended = False
        while not ended:
            ended = bool(wait([running], timeout=0.01).done)
            for frames in (None, earlier):
                try:
                    found = planes(aw.open_zarr(store, group=group) if frames is None else frames)
                except (aw.AutowispError, FileNotFoundError) as error:
                    refused.append(str(error))
                else:
                    # planes of one version or of the other, not some of each
                    seen.add(whole.index(found))
        assert running.result().exit_status == 0
    assert seen == {0, 1}
    assert [words for words in refused if len(words) < 40 or words.startswith("[Errno")] == []
    assert np.isfinite(aw.open_zarr(store, group=group)["image"].values).any()
