from autowisp_xr.kernels import jit


def test_without_a_place_to_cache_kernels_still_compile(monkeypatch):
    def locked(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    real = jit.njit
    monkeypatch.setattr(jit, "njit", locked)
    assert jit.kernel(lambda x: x + 1)(2) == 3
