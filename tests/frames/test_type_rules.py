import pytest
import xarray as xr
from astropy.io import fits
from hypothesis import example, given
from hypothesis import strategies as st

from autowisp_xr import provenance
from autowisp_xr.errors import AutowispWarning, HeaderError
from autowisp_xr.frames import FileRecord, scan, unused_rules
from autowisp_xr.frames.type_rules import rule_for, type_rules
from autowisp_xr.headers.aliases import KeywordAliases
from autowisp_xr.kinds import IMAGE_TYPES
from autowisp_xr.opening import open_fits

CARDS = {
    "IMAGETYP": "Light Frame",
    "OBJECT": " Dome flat 3 ",
    "EXPTIME": 30.0,
    "NUMBER": 7,
    "LAMP": True,
    "FILTER": "",
    "ESO DPR TYPE": "FLAT,SKY",
}


@pytest.fixture(scope="module")
def header():
    header = fits.Header()
    for card, value in CARDS.items():
        header[f"HIERARCH {card}" if " " in card else card] = value
    header.add_comment("taken at dusk")
    return header


def fits_rule(pattern, path="/data/night 1/Flats/V/Flat-001.FIT", header=None):
    (rule,) = type_rules({pattern: "flat"})
    return rule.fits(path, fits.Header() if header is None else header)


@pytest.mark.parametrize(
    "pattern",
    [
        "IMAGETYP=Light Frame",
        "imagetyp = light frame",
        "IMAGETYP=*FRAME",
        "OBJECT=dome*",
        "OBJECT=Dome flat ?",
        "EXPTIME=30",
        "EXPTIME=30.0",
        "EXPTIME=3*",
        "NUMBER=7",
        "NUMBER=[5-9]",
        "LAMP=T",
        "LAMP=true",
        "FILTER=",
        "NONE=",
        "ESO DPR TYPE=FLAT,*",
        "HIERARCH ESO DPR TYPE=flat,sky",
        "COMMENT=*dusk*",
    ],
)
def test_a_card_is_compared_as_text_whatever_its_letter_case(header, pattern):
    assert fits_rule(pattern, header=header)


@pytest.mark.parametrize(
    "pattern",
    ["IMAGETYP=Light", "OBJECT=flat*", "EXPTIME=3", "FILTER=*", "NONE=*", "NUMBER=7.0", "OBJECT="],
)
def test_a_card_of_another_value_does_not_fit(header, pattern):
    assert not fits_rule(pattern, header=header)


@pytest.mark.parametrize(
    "pattern",
    [
        "flat-*",
        "FLAT-00?.fit",
        " flat-001.fit ",
        "*[0-9].fit",
        "V/*",
        "flats/*/*.fit",
        "flats/*/",
        "flats/**",
        "**/flat-*",
        "Flats/**/flat-*",
        "**/**/v/flat-*",
        "./v/flat-*",
        "/data/*/flats/v/*",
        "/data/**",
        "/**/*.fit",
        "night 1/**/v/*",
    ],
)
def test_a_pattern_fits_the_name_or_the_end_of_the_path(pattern):
    assert fits_rule(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "flat",
        "flats*",
        "flats/*",  # the file is one folder deeper
        "lats/v/*",  # folders are whole
        "flats/flat-*",
        "/flats/**",  # from the root on
        "data/v/*",
        "darks/**",
        "/data/*/v/*",
        "**/darks/**",
    ],
)
def test_a_pattern_of_another_name_does_not_fit(pattern):
    assert not fits_rule(pattern)


def test_the_first_rule_that_fits_decides(header):
    rules = type_rules({"nothing*": "other", "EXPTIME=30": "dark", "flat-*": "flat", "*": "bias"})
    assert rule_for(rules, "/x/flat-1.fits", header).kind == "dark"
    assert rule_for(rules, "/x/flat-1.fits", fits.Header()).kind == "flat"
    assert rule_for(rules, "/x/zero.fits", fits.Header()).kind == "bias"
    assert rule_for(rules[:3], "/x/zero.fits", fits.Header()) is None


@pytest.mark.parametrize(
    ("written", "kind", "is_master"),
    [
        ("bias", "bias", False),
        ("DARK ", "dark", False),
        ("other", "other", False),
        ("Dark Flat", "darkflat", False),
        ("light", "object", False),
        ("sky flat", "flat", False),
        ("masterdark", "dark", True),
        ("Master Flat", "flat", True),
    ],
)
def test_types_are_what_headers_call_them(written, kind, is_master):
    (rule,) = type_rules({"*": written})
    assert (rule.kind, rule.is_master) == (kind, is_master)


def test_words_of_the_user_are_types_as_well():
    aliases = KeywordAliases().extended(image_types={"LED on": "flat"})
    (rule,) = type_rules({"led*": "led on"}, aliases)
    assert rule.kind == "flat"
    with pytest.raises(ValueError, match="'led on'"):
        type_rules({"led*": "led on"})


@pytest.mark.parametrize("kind", ["falt", "", "master", None, 3, ["flat"]])
def test_a_type_that_there_is_not_is_refused_with_its_rule_and_those_that_there_are(kind):
    with pytest.raises(
        ValueError,
        match=r"'flat-\*' = .* bias, dark, .*flat, object, defects, fringe, other",
    ) as caught:
        type_rules({"dark*": "dark", "flat-*": kind})
    assert repr(kind) in str(caught.value)


@pytest.mark.parametrize("pattern", ["", "  ", None, 5])
def test_a_pattern_that_means_nothing_is_refused(pattern):
    with pytest.raises(ValueError, match=f"{pattern!r} fits nothing"):
        type_rules({pattern: "flat"})


@pytest.mark.parametrize("pattern", ["=flat", "flats/x=1*", "exposure time*=3"])
def test_an_equals_sign_behind_what_is_no_card_is_refused(pattern):
    with pytest.raises(ValueError, match=r"name of no card; .* write '\?'"):
        type_rules({pattern: "flat"})


@pytest.mark.parametrize("types", ["flat", [("flat-*", "flat")], 3])
def test_rules_are_a_mapping(types):
    with pytest.raises(TypeError, match=r"types is \{pattern: type\}"):
        type_rules(types)


def test_rules_are_checked_before_any_file_is_looked_for():
    for read in (scan, open_fits):
        with pytest.raises(ValueError, match="'falt'"):
            read("no such file.fits", types={"*": "falt"})


NAMES = st.text(min_size=1, max_size=12)
PATTERNS = st.one_of(NAMES, st.text("ab*?[]!-/. =\\", min_size=1, max_size=12))
VALUES = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
)


@given(pattern=PATTERNS, name=NAMES)
@example(pattern="[z-a]*", name="[")
@example(pattern="**/**/**/**/**/x", name="a")
def test_a_rule_states_yes_or_no_to_any_name_or_is_refused_at_once(pattern, name):
    try:
        (rule,) = type_rules({pattern: "flat"})
    except ValueError:
        return
    record = FileRecord(path=f"/night/{name}")
    fits_it = rule.fits(record.path, record.header)
    assert unused_rules([record], {pattern: "flat"}) == ([] if fits_it else [pattern])


@given(pattern=PATTERNS, value=VALUES)
def test_a_rule_states_yes_or_no_to_any_value_of_a_card(pattern, value):
    header = fits.Header({"CARD": value})
    assert fits_rule(f"CARD={pattern}", header=header) in (True, False)
    stated = str(value).strip()
    if not set(stated) & set("[]*?"):
        assert fits_rule(f"card={stated.swapcase()}", header=header)
    assert fits_rule("CARD=*", header=header) == (stated != "")


@given(
    rules=st.dictionaries(PATTERNS, st.sampled_from(IMAGE_TYPES), max_size=6),
    name=st.text("ab.[]", min_size=1, max_size=6),
)
def test_the_kind_is_always_that_of_the_first_rule_that_fits_alone(rules, name):
    valid = {}
    for pattern, kind in rules.items():
        try:
            type_rules({pattern: kind})
        except ValueError:
            continue
        valid[pattern] = kind
    path, header = f"/n/{name}", fits.Header()
    alone = [p for p, k in valid.items() if rule_for(type_rules({p: k}), path, header)]
    found = rule_for(type_rules(valid), path, header)
    assert (found.pattern if found else None) == (alone[0] if alone else None)
    if found:
        assert found.kind == valid[alone[0]]


@given(name=st.text("abz.[]*?!-= ", min_size=1, max_size=10))
def test_every_name_of_a_file_fits_the_pattern_that_is_made_of_it(name):
    from autowisp_xr.frames.evidence import pattern_like

    path = f"/night/{name.strip() or 'x'}"
    assert fits_rule(pattern_like(path, None), path)


def test_a_rule_is_stronger_than_cards_contradictions_and_names(raw):
    light = raw("flat-1.fits", cards={"IMAGETYP": "Light Frame"})
    torn = raw("masterflat-2.fits", cards={"IMAGETYP": "Light Frame", "OBSTYPE": "DARK"})
    for record in scan([light, torn], types={"*flat-*": "flat"}):
        assert record.error is None
        assert record.coordinates["image_type"] == "flat"
        assert record.type_rule == "*flat-*"
        assert not record.is_master
        assert not any("type rule" in doubt for doubt in record.doubts)
    assert isinstance(scan(torn)[0].error, HeaderError)
    assert "type rule such as 'IMAGETYP=Light Frame' = object" in str(scan(torn)[0].error)
    (other,) = scan(light, types={"*": "other"})
    assert (other.coordinates["image_type"], other.guesses) == ("other", ())


def test_a_rule_does_not_make_a_raw_frame_of_what_cards_call_a_master(raw):
    path = raw("a.fits", cards={"NUMFCOMB": 5, "CALSTAT": "B"})
    (record,) = scan(path, types={"a*": "dark"})
    assert record.master_because == "NUMFCOMB = 5"
    assert record.calibrated_because == "CALSTAT = 'B'"
    (master,) = scan(raw("b.fits"), types={"b*": "master dark"})
    assert master.master_because == "the type rule 'b*' makes it one"
    assert master.coordinates["image_type"] == "dark"


def test_rules_that_no_file_fits_are_reported(raw):
    types = {"*": "flat", "a*": "dark", "b*": "bias", "OBJECT=none": "other"}
    records = scan([raw("a1.fits"), raw("a2.fits")], types=types)
    assert unused_rules(records, types) == ["b*", "OBJECT=none"]
    assert unused_rules(records, {}) == unused_rules(records, None) == []
    assert unused_rules([], {"a*": "dark"}) == ["a*"]


def test_a_file_that_cannot_be_read_still_has_a_name_that_fits(tmp_path):
    (tmp_path / "a.fits").write_bytes(b"no")
    records = scan(tmp_path / "a.fits")
    assert records[0].error is not None
    assert unused_rules(records, {"a*": "dark", "IMAGETYP=dark": "dark"}) == ["IMAGETYP=dark"]


def test_open_fits_takes_rules_and_records_them(raw):
    paths = [raw("flat-1.fits"), raw("b.fits")]
    types = {"flat-*": "flat", "b*": "Dark Flat"}
    ds = open_fits(paths, types=types)
    assert list(ds.image_type.values) == ["flat", "darkflat"]
    assert provenance.history(ds)[-1]["options"]["types"] == types
    assert provenance.identity(ds) != provenance.identity(open_fits(paths))
    lazy = xr.open_dataset(paths[0], engine="autowisp", types={"flat-*": "flat"})
    assert lazy.image_type.values.tolist() == ["flat"]


def test_open_fits_warns_of_a_rule_that_no_file_fits(raw):
    with pytest.warns(AutowispWarning, match=r"no file fits the type rule 'falt-\*'"):
        ds = open_fits(raw("flat-1.fits"), types={"falt-*": "flat"})
    assert ds.image_type.values.tolist() == ["object"]
