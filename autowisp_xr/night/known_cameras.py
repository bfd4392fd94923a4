"""The camera of each setup of a night: as stated, as measured, or as an earlier run found it."""

from autowisp_xr.camera import Camera
from autowisp_xr.night.measured_camera import KnownCamera, know_camera
from autowisp_xr.night.plan import Plan, by_setup, camera_with_colours
from autowisp_xr.night.product_writing import Writer
from autowisp_xr.night.renewal import frames_since, settled


def known_cameras(plan: Plan, writer: Writer, camera: Camera | None) -> dict[str, KnownCamera]:
    """Return the camera of each setup by its place, measured where its noise is not known.

    What was measured is written, and noted in the summary; where it is not what an earlier run has
    found in other frames, results of that are made again.
    """
    cameras: dict[str, KnownCamera] = {}
    renewals = writer.record.renewals
    for place, of_place in by_setup(plan.sets).items():
        complete = camera_with_colours(of_place, camera)
        known = know_camera(of_place, complete, checks=writer.checks)
        earlier = writer.earlier_camera(place) if known.found else None
        if known.camera != earlier:
            renewals.pop(place, None)
        if earlier is not None and known.camera != earlier:
            since = frames_since(writer.record, place, of_place)
            known, why = settled(known, earlier, complete, since)
            if why:
                renewals[place] = why
        cameras[place] = known
        if known.curve is not None:
            writer.summary.curves[place] = known.curve
        for note in known.notes:
            line = f"{place}: {note}" if place else note
            writer.report(line)
            writer.summary.notes.append(line)
        if known.found and known.camera not in (None, earlier):
            writer.write_camera(place, known.camera, " ".join(known.found))
    return cameras
