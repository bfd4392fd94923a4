import numpy as np
import pytest

from autowisp_xr.stats.digits import counted, floor_of, plateau_of, step_of

SHAPE = (60, 70)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def lit(rng, level=3000.0, gain=1.5):
    """A vignetted flat of photons, in ADU."""
    y, x = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j]
    return rng.poisson(level * (1 - 0.2 * (x**2 + y**2)) * gain) / gain + 100


@pytest.mark.parametrize("step", [1, 4, 16])
@pytest.mark.parametrize("dtype", ["u2", "i4", "f4"])
def test_a_flat_that_is_cut_off_has_a_plateau(rng, step, dtype):
    flat = np.clip(np.rint(lit(rng) / step), 0, 2900 // step) * step
    assert plateau_of(flat.astype(dtype)) == 2900 // step * step
    assert step_of(counted(flat.astype(dtype))) == step


def test_the_core_of_a_star_is_a_plateau_that_few_pixels_exceed(rng):
    light = np.rint(lit(rng)).astype("u2")
    light[20:24, 30:35] = 16383
    light[50, 60] = 16400
    assert plateau_of(light) == 16383
    light[50:53, 60] = 16390
    assert plateau_of(light) is None


def test_values_beyond_sixteen_bits_are_counted_from_the_top(rng):
    light = np.rint(lit(rng)).astype("i4")
    light[20:24, 30:35] = 2**20 - 1
    counts = counted(light)
    assert (counts.largest, counts.below) == (2**20 - 1, light.size - 20)
    assert plateau_of(light) == 2**20 - 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda flat: flat,
        lambda flat: flat // 64 * 64,
        lambda flat: np.where(np.arange(SHAPE[1]) == 8, 9000, flat),
        lambda flat: np.where(np.arange(SHAPE[0])[:, None] == 8, 9000, flat),
        lambda flat: np.where(np.arange(flat.size).reshape(SHAPE) % 700 == 5, 9000, flat),
        lambda flat: np.full(SHAPE, 1000),
        lambda flat: np.where(flat > 2800, 201, 200),
        lambda flat: flat + 0.25,
        lambda flat: np.full(SHAPE, np.nan),
    ],
    ids=["good", "coarse", "column", "row", "hot", "constant", "quiet", "fractions", "nothing"],
)
def test_good_frames_have_none(rng, spoil):
    assert plateau_of(spoil(np.rint(lit(rng)))) is None


@pytest.mark.parametrize(("value", "found"), [(4095, 4095), (65520, 65520), (4000, None)])
def test_a_frame_that_is_full_all_over_is_known_by_its_bits(value, found):
    assert plateau_of(np.full(SHAPE, value, "u2")) == found


@pytest.mark.parametrize("offset", [-3, 0, 3, 12])
def test_biases_that_are_cut_off_have_a_floor(rng, offset):
    bias = np.clip(np.rint(rng.normal(offset, 6, SHAPE)), 0, None)
    floor = floor_of(counted(bias))
    assert (floor.value, floor.share) == (0, (bias == 0).mean())


@pytest.mark.parametrize("noise", [0.3, 3.0])
def test_only_zero_is_a_floor_of_darks_whose_pixels_differ_by_their_current(rng, noise):
    current = rng.exponential(5.0, SHAPE)
    dark = np.rint(100 + rng.poisson(current) + rng.normal(0, noise, SHAPE))
    assert floor_of(counted(dark), noise_alone=False) is None
    cut = np.clip(dark - 100, 0, None)
    floor = floor_of(counted(cut), noise_alone=False)
    assert (floor.value, floor.share) == (0, (cut == 0).mean())


@pytest.mark.parametrize("noise", [0.0, 0.2, 0.4, 1.0, 6.0])
def test_biases_that_are_not_have_none_with_or_without_dead_columns(rng, noise):
    bias = np.rint(rng.normal(100.3, noise, SHAPE))
    assert floor_of(counted(bias)) is None
    bias[:, 7] = 0
    bias[5, ::9] = 3000
    assert floor_of(counted(bias)) is None


def test_a_small_frame_without_a_tail_below_is_not_taken_for_cut_off():
    # 10 pixels at -2 sigma, none below, and 6 beyond +2 sigma: of 324 pixels, that is chance
    values = np.repeat([1494, 1497, 1500, 1503, 1506, 1508], [10, 60, 160, 70, 18, 6])
    assert floor_of(counted(values.reshape(18, 18).astype("u2"))) is None


@pytest.mark.parametrize("step", [1, 4])
@pytest.mark.parametrize("noise", [0.2, 0.3, 0.5, 0.7, 1.5])
def test_values_of_less_noise_than_a_few_steps_are_not_cut_off(noise, step):
    """Half of them may lie a step apart, and the median is either."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        level = 250 + rng.random((50, 100))
        values = step * np.rint(level + rng.normal(0, noise, level.shape))
        assert floor_of(counted(values.astype("u2"))) is None
