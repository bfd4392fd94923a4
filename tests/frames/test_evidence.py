import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowisp_xr import provenance
from autowisp_xr.frames import scan
from autowisp_xr.frames.evidence import master_word, named_type, pattern_like
from autowisp_xr.opening import open_fits


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("slitview.00000352.BIAS.FIT", "bias"),
        ("Pencil0.16.FLAT.FIT", "flat"),
        ("dark_60s.fits", "dark"),
        ("masterflat.fits", "flat"),
        ("Light_001.fit", "object"),
        ("Light_M 94_10.0s_IRCUT_20250326-212046.fit", "object"),
        ("biases-Neg5-Vis.00000000.fits", "bias"),
        ("zero12.fits", "bias"),
        ("offset_3.fits", "bias"),
        ("MasterDark60.fits", "dark"),
        ("NGC7000Flat3.fits", "flat"),
        ("FLATs.fits", "flat"),
        ("domeflat_z_001.fits", "flat"),
        ("SkyFlat7.fits", "flat"),
        ("twilight flat.fits", "flat"),
        ("flat-field-B.fits", "flat"),
        ("biasframe.fits", "bias"),
        ("Dark Frame 3.fits", "dark"),
        ("lights.fits.fz", "object"),
        ("m31_science.fits", "object"),
        ("sci-0001.fits", "object"),
        # taken without light, for flats
        ("dark_flat_1.fits", "darkflat"),
        ("FlatDark2.fits", "darkflat"),
        ("darkflats 3.fits", "darkflat"),
    ],
)
def test_whole_words_state_what_a_frame_is(name, kind):
    found = named_type(f"/data/{name}")
    assert (found.kind, found.of_folder) == (kind, False)
    assert found.word in name


@pytest.mark.parametrize(
    "name",
    [
        "frame0001.fits",
        "flatland.fits",
        "darkness.fits",
        "highlight.fits",
        "unbiased.fits",
        "scilab.fits",
        "2024-01-02.fits",
        "masterpiece.fits",
        "bias_or_dark.fits",
        "DarkLightFlat.fits",
        "flat1_dark2.fits",
        "Тёмный.fits",
        "",
    ],
)
def test_parts_of_words_and_two_types_state_nothing(name):
    assert named_type(f"/data/x/{name}") is None


@pytest.mark.parametrize(
    ("path", "kind", "of_folder"),
    [
        ("/n/darks/x.fit", "dark", True),
        ("/n/BIAS/x1.fit", "bias", True),
        ("/n/Flat Frames/V-1.fit", "flat", True),
        ("/n/darks/flat_1.fit", "flat", False),
        ("darks/x.fit", "dark", True),
    ],
)
def test_the_folder_speaks_where_the_name_is_silent(path, kind, of_folder):
    found = named_type(path)
    assert (found.kind, found.of_folder) == (kind, of_folder)


def test_a_name_of_two_types_is_not_resolved_by_the_folder():
    assert named_type("/n/darks/flat_or_bias.fit") is None
    assert named_type("/n/darks/deeper/x.fit") is None
    assert named_type("/n/darks and flats/x.fit") is None


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("master_bias.fits", "master"),
        ("masterflat_V.fits", "masterflat"),
        ("MasterDark60.fits", "MasterDark"),
        ("V MASTER.fits", "MASTER"),
        ("old_masters_3.fits", "masters"),
        ("masterpiece.fits", ""),
        ("paymaster.fits", ""),
        ("mdark_60.fits", "mdark"),
        ("mFlat_V.fits", "mFlat"),
        ("SuperBias.fits", "SuperBias"),
        ("superflat_1.fits", ""),
        ("m 13 dark.fits", ""),
        ("mdarkness.fits", ""),
        ("bias.fits", ""),
    ],
)
def test_the_word_master_is_a_word(name, word):
    assert master_word(f"/data/master/{name}") == word


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/n/flat-expos23s-Neg5.0001.FIT", "flat-*"),
        ("/n/Pencil0.16.FLAT.FIT", "*FLAT*"),
        ("/n/M31Light.fits", "*Light*"),
        ("/n/my_flat_1.fits", "my_flat_*"),
        ("/n/flats/x1.fits", "flats/*"),
        ("/n/Flat (V)/x1.fits", "Flat (V)/*"),
        ("/n/a=b flat.fits", "a?b flat.*"),
        ("/n/cap[1].fits", "cap[[]*"),
        ("/n/0001.fits", "0001.fits"),
    ],
)
def test_a_pattern_for_a_rule_is_made_of_a_name(path, pattern):
    assert pattern_like(path, named_type(path)) == pattern


@given(st.text(max_size=30))
def test_no_name_is_too_odd(name):
    path = f"/data/{name}"
    found = named_type(path)
    assert found is None or found.word in path
    assert master_word(path) == "" or re.search("(?i)master|m(bias|dark|flat)|super", path)


@given(st.text("-_. 0123456789", min_size=1, max_size=5), st.sampled_from(["bias", "Flat", "DARK"]))
def test_what_is_no_letter_parts_words(between, word):
    assert named_type(f"/n/x{between}{word}{between}y").kind == word.lower()


def test_a_guess_is_made_where_no_card_states_the_type(raw):
    blank = {"IMAGETYP": ""}
    paths = [
        raw("x.FLAT.fits", cards=blank),
        raw("zeros/y.fits", cards=blank),
        raw("flat_1.fits", cards={"IMAGETYP": "Snapshot"}),
        raw("z.fits", cards=blank),
        raw("flat_2.fits", cards={"IMAGETYP": "Dark Frame"}),
    ]
    found = [(record.coordinates["image_type"], record.guesses) for record in scan(paths)]
    assert found == [
        ("flat", ("no card states a known type; by 'FLAT' in the name of its file it is a flat",)),
        (
            "bias",
            ("no card states a known type; by 'zeros' in the name of its folder it is a bias",),
        ),
        (
            "flat",
            (
                "no card states a known type (IMAGETYP = 'Snapshot'); "
                "by 'flat' in the name of its file it is a flat",
            ),
        ),
        ("other", ()),
        ("dark", ()),
    ]
    files = provenance.history(open_fits(paths))[-1]["inputs"]
    assert [file["path"] for file in files if "guesses" in file] == [str(p) for p in paths[:3]]


def test_a_master_by_its_name_is_a_guess(raw):
    (record,) = scan(raw("masterdark.fits", cards={"IMAGETYP": "dark"}))
    assert record.is_master
    assert record.master_because == "the word 'masterdark' in its name"
    assert record.guesses == ("by 'masterdark' in the name of its file it is a master",)
    (named,) = scan(raw("master2.fits", cards={"IMAGETYP": "masterdark"}))
    assert named.guesses == ()
