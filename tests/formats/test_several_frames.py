import struct
import sys

import numpy as np
import pytest
import tifffile
import xarray as xr
from xisf import XISF

import autowisp_xr as aw
from autowisp_xr.errors import BadImageError
from autowisp_xr.frames import copies_of, find_files, scan
from autowisp_xr.provenance.frame_records import FrameRecords

SHAPE = (3, 4, 6)
TICKS = 638_713_000_000_000_000  # 2025-01-01T03:46:40


@pytest.fixture
def cube():
    return np.arange(np.prod(SHAPE), dtype=np.uint16).reshape(SHAPE) * 7 + 300


def write_ser(path, cube, color=0, big=0, depth=16, number=None, times=True):
    texts = (b"Me", b"ZWO ASI174MM", b"C8")
    frames = len(cube) if number is None else number
    header = struct.pack(
        "<14s7i40s40s40s2q", b"LUCAM-RECORDER", 0, color, big, cube.shape[2], cube.shape[1], depth,
        frames, *texts, 0, 0
    )  # fmt: skip
    pixels = cube.astype(">u2" if big else "<u2") if depth > 8 else cube.astype(np.uint8)
    ticks = np.arange(len(cube), dtype="<i8") * 250_000 + TICKS if times else np.empty(0, "<i8")
    path.write_bytes(header + pixels.tobytes() + ticks.tobytes())
    return path


def write_xisf(path, cube, codec=None):
    words = {"EXPTIME": 2.5, "BAYERPAT": "'RGGB'", "IMAGETYP": "'DARK'", "REMARK": "x" * 90}
    keywords = {name: [{"value": str(value), "comment": "k"}] for name, value in words.items()}
    XISF.write(
        str(path), cube[0][..., None], image_metadata={"FITSKeywords": keywords}, codec=codec
    )
    return path


@pytest.mark.parametrize(("big", "depth"), [(0, 16), (1, 12), (0, 8)])
def test_a_ser_video_is_a_frame_set_with_the_time_of_each_frame(tmp_path, cube, big, depth):
    cube = cube % 256 if depth == 8 else cube
    raw = aw.open_fits(write_ser(tmp_path / "sat.ser", cube, big=big, depth=depth))
    assert raw["frame"].values.tolist() == ["sat_00000", "sat_00001", "sat_00002"]
    np.testing.assert_array_equal(raw["image"].values[:, 0], cube)
    assert raw["image"].dtype == (np.uint8 if depth == 8 else np.uint16)
    start = np.datetime64("2025-01-01T03:46:40", "ns")
    steps = (raw["time"].values - start) / np.timedelta64(25, "ms")
    # from the middle of one exposure to that of the next
    assert steps.tolist() == [0.5, 1.5, 2.5]
    assert raw["exposure"].values.tolist() == [0.025] * 3
    assert raw["camera"].values[0] == "ZWO ASI174MM"
    xr.testing.assert_identical(
        raw.isel(y=slice(1, 3)).compute(), raw.chunk(y=1)[{"y": [1, 2]}].compute()
    )
    assert copies_of(scan(tmp_path)) == {}


def test_one_frame_of_a_file_has_a_path_and_an_identity_of_its_own(tmp_path, cube):
    path = write_ser(tmp_path / "a[1].ser", cube, color=9)
    second = aw.open_fits(f"{path}[1]")
    assert second["channel"].values.tolist() == ["G1", "R", "B", "G2"]
    np.testing.assert_array_equal(second["image"].sel(channel="R").values[0], cube[1, ::2, 1::2])
    records = FrameRecords(aw.open_fits(path).autowisp.history())
    assert len({records.identity(name) for name in records.names}) == 3
    with pytest.raises(BadImageError, match=r"\[3\] is not there: the file has 3 frames, from 0"):
        aw.open_fits(f"{path}[3]")


def test_pages_of_a_tiff_and_single_files_are_frames(tmp_path, cube):
    tifffile.imwrite(tmp_path / "a.tif", cube, photometric="minisblack", metadata=None)
    tifffile.imwrite(tmp_path / "b.tiff", cube[0].astype(">u2"), byteorder=">")
    raw = aw.open_fits(find_files(tmp_path))
    assert raw["frame"].values.tolist() == ["a_00000", "a_00001", "a_00002", "b"]
    np.testing.assert_array_equal(raw["image"].values[:, 0], [*cube, cube[0]])
    tifffile.imwrite(tmp_path / "c.tif", cube[1], compression="zlib")
    packed = aw.open_fits(tmp_path / "c.tif")
    np.testing.assert_array_equal(packed["image"].values[0, 0, 1:3, 2:], cube[1, 1:3, 2:])


@pytest.mark.parametrize("codec", [None, "zlib", "lz4"])
def test_xisf_has_its_cards_and_its_pixels(tmp_path, cube, codec):
    raw = aw.open_fits(write_xisf(tmp_path / "a.xisf", cube, codec))
    assert raw["exposure"].item() == 2.5
    assert raw["image_type"].item() == "dark"
    merged = raw.autowisp.merge_channels()["image"].values.squeeze()
    np.testing.assert_array_equal(merged, cube[0])
    np.testing.assert_array_equal(raw["image"].values[0, 1, :1], cube[0, :2:2, 1::2])


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda p, c: write_ser(p / "a.ser", c, color=100), "several colours in each pixel"),
        (lambda p, c: write_ser(p / "a.ser", c, color=16), "cyan, yellow and magenta"),
        (lambda p, c: write_ser(p / "a.ser", c, number=0), "not closed when it was written"),
        (
            lambda p, c: write_ser(p / "a.ser", c, number=9, times=False),
            "610 bytes, and has 322",
        ),
        (lambda p, c: (p / "a.ser").write_bytes(b"LUCAM"), "no SER video"),
        (lambda p, c: (p / "a.tif").write_bytes(b"II*"), "no TIFF file, or is damaged"),
        (lambda p, c: tifffile.imwrite(p / "a.tif", c.T, photometric="rgb"), "several colours"),
        (lambda p, c: tifffile.imwrite(p / "a.tif", c[0] / 9), "whose scale nothing states"),
        (lambda p, c: (p / "a.xisf").write_bytes(b"XISF0100"), "no XISF file, or is damaged"),
        (lambda p, c: write_xisf(p / "a.xisf", c / np.float32(9)), "whose scale nothing states"),
    ],
)
def test_what_is_no_frame_is_refused_with_what_can_be_done(tmp_path, cube, write, reason):
    write(tmp_path, cube)
    with pytest.raises(BadImageError, match=reason):
        aw.open_fits(tmp_path)


def test_files_that_hold_nothing_or_claim_too_much_are_left_out_by_name(tmp_path, cube):
    write_ser(tmp_path / "a.ser", cube)
    wide = struct.pack("<7i", 0, 0, 0, 2**30, 2**30, 16, 2**30)
    content = (tmp_path / "a.ser").read_bytes()
    (tmp_path / "claims.ser").write_bytes(content[:14] + wide + content[42:])
    found = {record.path: record.error for record in scan(tmp_path)}
    assert [error for path, error in found.items() if "a.ser" in path] == [None] * 3
    assert "is truncated: it needs" in str(found[str(tmp_path / "claims.ser")])
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "none.tif").write_bytes(b"II*\0\xff\xff\xff\x7f")
    (record,) = scan(tmp_path / "pages")
    assert "holds no image that can be found" in str(record.error)
    tifffile.imwrite(tmp_path / "pages" / "none.tif", cube[0], compression="zlib")
    content = (tmp_path / "pages" / "none.tif").read_bytes()
    for tag, length in ((256, 6), (257, 4)):
        entry = struct.pack("<HHII", tag, 4, 1, length)
        assert entry in content
        content = content.replace(entry, struct.pack("<HHII", tag, 4, 1, 200_000))
    (tmp_path / "pages" / "none.tif").write_bytes(content)
    (record,) = scan(tmp_path / "pages")
    assert "200000 x 200000 pixels, which its" in str(record.error)


def test_a_library_that_is_missing_is_named(tmp_path, cube, monkeypatch):
    path = write_xisf(tmp_path / "a.xisf", cube)
    monkeypatch.setitem(sys.modules, "xisf", None)
    with pytest.raises(
        BadImageError, match=r"xisf, which is not installed: pip install '.\[xisf\]"
    ):
        aw.open_fits(path)
