"""``autowisp-xr camera`` measures a camera from the frames of a folder."""

from argparse import Namespace
from pathlib import Path

from autowisp_xr.cli.loading import load
from autowisp_xr.cli.reduce import of_frames
from autowisp_xr.night.sentences import sentence


def camera(options: Namespace) -> int:
    """Print what frames show of their camera, and write it with pictures."""
    target = Path(options.out).expanduser()
    if target.exists() and not options.overwrite:
        # before all the work
        raise FileExistsError(sentence("camera_exists", path=target))
    load("dask.array", "autowisp_xr.night.camera_report")
    from autowisp_xr.night import measure_camera

    paths = options.paths[0] if len(options.paths) == 1 else options.paths
    found = measure_camera(paths, **of_frames(options), report=print)
    for one in found:
        path = target.with_stem(f"{target.stem}-{one.place}") if one.place else target
        if one.exit_status != 1:
            one.write(path, _folder(options.pictures, path), overwrite=options.overwrite)
        print(f"\n{one}", end="")
    statuses = {one.exit_status for one in found} or {1}
    return 3 if len(statuses) > 1 else statuses.pop()


def _folder(given: str | None, path: Path) -> Path | None:
    """Return the folder of the pictures; None where none are wanted."""
    if given == "none":
        return None
    return path.with_name(f"{path.stem}-pictures") if given is None else Path(given).expanduser()
