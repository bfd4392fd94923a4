"""What notebooks show of frames, masters, nights and cameras: words, not blobs of JSON."""

from html.parser import HTMLParser
from io import BytesIO

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from matplotlib import image

import autowisp_xr as aw
from autowisp_xr.html_pieces import png, thumbnail
from tests.steps.frames import frame_set


@pytest.fixture(scope="module")
def night():
    return aw.simulate.Night(shape=(16, 24), channels="RGGB", seed=1)


@pytest.fixture(scope="module")
def science(night):
    return night.objects(3).autowisp.calibrate(bias=aw.master_bias(night.bias(3)))


class Page(HTMLParser):
    """The words of a page, once each tag that was opened is closed."""

    def __init__(self, page):
        super().__init__()
        self.open, self.words = [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def words(shown):
    page = shown._repr_html_()
    assert "color" not in page
    return " | ".join(Page(page).words)


def test_attributes_are_plain_text_that_every_writer_takes(science):
    assert type(science.attrs["camera"]) is type(science.attrs["history"]) is str


# ---------------------------------------------------------------------- objects


def test_frames_are_described_in_a_few_lines(science):
    lines = repr(science.autowisp).split("\n")
    assert lines[0].startswith("3 frames, 8 x 12 pixels, channels R, G1, G2, B, ADU, ")
    assert lines[1] == "  frames: 3 object M42 V 60 s"
    assert lines[2] == "  time: 2024-03-01T21:00:30 to 2024-03-01T21:02:50 UTC"
    assert words(science.autowisp).count("simulate_object") == 2


def test_what_is_lazy_is_not_computed_to_be_described():
    def read(block_info=None):
        raise AssertionError

    ds = frame_set(np.ones((2, 1, 3, 4)))
    lazy = da.map_blocks(read, chunks=((2,), (1,), (3,), (4,)), dtype=float, meta=np.empty(0))
    ds["image"] = ds["image"].copy(data=lazy)
    assert "not in memory" in words(ds.autowisp)
    assert "no frames and no master" in repr(xr.Dataset().autowisp)


def test_words_of_others_are_escaped():
    ds = frame_set(np.ones((1, 1, 2, 3)), camera=aw.Camera(name="<script>", gain=2))
    page = ds.autowisp._repr_html_() + ds._repr_html_() + aw.Camera(name="<b>")._repr_html_()
    assert "<script>" not in page
    assert "Camera &lt;b&gt;" in page


def test_a_camera_states_what_is_known_of_it():
    camera = aw.Camera(name="FLI", gain=2, image_area="[9:1032,1:1024]")
    assert words(camera).startswith("Camera FLI | gain 2 e/ADU | image area 8 < x < 1032")
    assert words(camera).endswith("not known: read noise")


def test_a_night_is_a_table_of_its_sets(night, tmp_path):
    for frames in (night.bias(2, split=False), night.objects(2, split=False)):
        aw.to_fits(frames, tmp_path / "{RAWFNAME}.fits")
    tree = aw.open_night(tmp_path)
    assert "4 files" in repr(tree.autowisp)
    assert "raw/bias | 2 frames, " in words(tree.autowisp)


def test_master_flats_show_thumbnails_of_what_is_in_memory(night):
    flats = aw.master_flat(night.flat(3), bias=aw.master_bias(night.bias(3)))
    assert flats._repr_html_().count("data:image/png") == 4
    assert "high, G1" in words(flats)
    lazy = aw.master_flat(night.flat(3).chunk(), bias=aw.master_bias(night.bias(3)))
    assert "data:image/png" not in lazy._repr_html_()


def test_thumbnails_are_pictures():
    shades = np.arange(6, dtype=np.uint8).reshape(2, 3) * 50
    back = image.imread(BytesIO(png(shades)), format="png")
    np.testing.assert_allclose(255 * back, shades)
    for odd in (np.full((3, 4), np.nan), np.ones((900, 2))):
        assert "data:image/png" in thumbnail(odd, "odd")
