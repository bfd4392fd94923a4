"""How true master flats are where rejection is tighter than usual, or unlike on its two sides.

``python -m tests.monte_carlo.flat_table`` prints mean and width of (value - truth) / error, from
200 000 pixels of 20000 electrons each (errors of 0.002); they stand in the documentation of
``autowisp_xr.master_flat``.
"""

import sys

import autowisp_xr as aw
from tests.monte_carlo.night import Sensor, pulls

_REJECTIONS = {
    "default": {},
    "rms 3": {"reject": aw.SigmaClip(3)},
    "rms 2": {"reject": aw.SigmaClip(2)},
    "rms (2, -3)": {"reject": aw.SigmaClip((2, -3))},
    "mad (2, -3)": {"reject": aw.SigmaClip((2, -3), scale="mad")},
}


def main() -> None:
    sensor = Sensor(31, shape=(400, 500))
    bias = aw.master_bias(sensor.frames(25, kind="bias"), average="mean")
    sys.stdout.write("reject       frames   median: shift  width   mean: shift  width\n")
    for number in (10, 20, 40):
        raw = sensor.frames(number, light=20_000.0, kind="flat")
        frames = aw.calibrate(raw, bias=bias)
        for name, options in _REJECTIONS.items():
            sys.stdout.write(f"{name:12} {number:6}")
            for average in ("median", "mean"):
                master = aw.master_flat(frames, average=average, **options).high
                pull = pulls(master, sensor.response.ravel())
                sys.stdout.write(f"{pull.mean():16.2f} {pull.std():6.2f}")
            sys.stdout.write("\n")


if __name__ == "__main__":
    main()
