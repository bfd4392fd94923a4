"""How much is in memory at once: arithmetic of sizes, without arrays, files or settings.

A pixel is read (so many bytes), and planes are made of it, which exist twice for a moment: as the
results of one kernel, and in the order in which the next one, or a file, wants them. What all
frames have in common (masters) counts once. Stacks go by bands of rows of all frames, files by
whole frames. Bands are as small as is still fast, and smaller where the limit asks for it; a chunk
of a store is read in parts before it makes a band larger than the limit.
"""

from dataclasses import dataclass

CHUNK_BYTES = 2**19
"""Bytes of a plane of one frame that a store compresses together."""

SHARD_BYTES = 2**25
"""Bytes of a plane of one frame, at most, that are one object of a store, and written at once."""

CALIBRATED = 9
"""Bytes of a pixel of image, variance and mask, or of image, error and mask in files."""

COPIES = 2
"""How often planes that are made are in memory."""

_BAND_BYTES = 2**24
"""Bytes of one band of rows of all frames, twice that at most: more would be no faster."""

_FEWER = 4
"""How many times larger bands are that go to a cluster: there, a task costs 1 to 2 ms, of which a
band has a dozen."""

_PART_BYTES = 2**28
"""Bytes of parts of frames that are worked on together, at most: more would be no faster."""

PARTS_TOGETHER = 8
"""Frames, at most, of which parts are worked on together: masters are read once for these."""

_PIECE_BYTES = 2**18
"""Of many files each gives a little, and two threads that read little wait for each other."""


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Sizes of frames, and bytes of their pixels."""

    number: int
    channels: int = 1
    height: int
    width: int
    read: int = 0
    """Bytes of a pixel as it is read."""
    made: int = 0
    """Bytes of the planes that are made of it."""
    common: int = 0
    """Bytes of a pixel of what all frames share."""
    unit: int = 1
    """Rows that are read together, as a store has them."""
    common_unit: int = 1
    """Those of what all frames share."""

    @property
    def row_bytes(self) -> int:
        """What one row of one frame takes, in all channels."""
        return self.channels * self.width * (self.read + COPIES * self.made)

    @property
    def common_bytes(self) -> int:
        """What frames share takes, in a row."""
        return self.channels * self.width * self.common


@dataclass(frozen=True)
class Plan:
    """What is done at a time."""

    rows: int
    """Of each frame."""
    at_once: int
    """Pieces of work in memory together."""
    peak: int
    """Bytes in memory, of what is worked on."""
    least: int
    """Bytes that the least piece of work takes: a smaller limit cannot be kept."""


def bands(frames: Frames, limit: int, workers: int, spread: int = 0) -> Plan:
    """Return how many rows of all frames are stacked at a time.

    Parameters
    ----------
    frames
        What is stacked.
    limit
        Bytes that may be in memory.
    workers
        Bands that are worked on together.
    spread
        Threads of a cluster, each of which is to have two bands at least; 0 without one.
    """
    row = max(frames.number * frames.row_bytes + frames.common_bytes, 1)
    fitting = limit // workers // row
    wanted = frames.number * frames.channels * frames.width * max(frames.read + frames.made, 1)
    bytes_of_band = min(max(_BAND_BYTES, frames.number * _PIECE_BYTES), 2 * _BAND_BYTES)
    rows = max(bytes_of_band // max(wanted, 1), 1)
    if spread:
        rows = max(rows, min(_FEWER * rows, frames.height // (2 * spread)))
    rows = max(rows // frames.unit, 1) * frames.unit
    if rows > fitting:
        rows = max(fitting, 1)
        # parts of chunks of a store, of which each is read as often as bands have a part of it
        rows = rows // frames.unit * frames.unit or rows
    rows = min(rows, frames.height)
    return Plan(rows, workers, workers * rows * row, workers * row)


def blocks(frames: Frames, limit: int, workers: int) -> Plan:
    """Return how many rows of one frame are worked on at a time: all of them where these fit.

    Rows that are fewer are of one size, as nearly as can be, in whole units. Of what frames share,
    the same rows are in memory.
    """
    row = max(frames.row_bytes + frames.common_bytes, 1)
    fitting = max(limit // workers // row, 1)
    parts = -(-frames.height // fitting)
    rows = -(-frames.height // parts)
    rows = min(-(-rows // frames.unit) * frames.unit, frames.height)
    return Plan(rows, workers, workers * rows * row, workers * row)


def parts(frames: Frames, limit: int, most: int, gathered: int = 0) -> Plan:
    """Return how many rows of how many frames are worked on at a time, in whole units.

    What these frames share is read once for all of them. Fewer frames, down to one, come before
    fewer rows than a unit has. Beside these rows, there are so many bytes of a frame that are
    ``gathered`` until they are written together.

    Parameters
    ----------
    frames
        What is worked on.
    limit
        Bytes that may be in memory.
    most
        As many frames as may be worked on together.
    gathered
        Bytes.
    """
    row, common = max(frames.row_bytes, 1), frames.common_bytes
    unit = min(frames.unit, frames.height)
    least = unit * (row + common) + gathered
    # half of the room is for more rows than a unit has
    fitting = (limit // 2 - unit * common) // (unit * row + gathered)
    at_once = max(min(most, frames.number, fitting), 1)
    together = at_once * row + common
    room = min(limit - at_once * gathered, max(_PART_BYTES, unit * together))
    rows = min(max(room // together // unit, 1) * unit, frames.height)
    if rows > frames.common_unit and frames.common_unit % unit == 0:
        # else the same chunk is read for two of these parts
        rows -= rows % frames.common_unit
    return Plan(rows, at_once, rows * together + at_once * gathered, least)


def whole_frames(frames: Frames, limit: int, workers: int) -> Plan:
    """Return how many whole frames are worked on at a time, as files want them; one at least."""
    frame, shared = frames.height * frames.row_bytes, frames.height * frames.common_bytes
    at_once = max(min(workers, frames.number, (limit - shared) // max(frame, 1)), 1)
    return Plan(frames.height, at_once, shared + at_once * frame, shared + frame)


def chunk_rows(height: int, width: int, itemsize: int) -> int:
    """Return the rows of a plane that a store compresses together."""
    return max(1, min(height, CHUNK_BYTES // (width * itemsize)))


def shard_rows(height: int, width: int, itemsize: int, rows: int) -> int:
    """Return the rows of a plane of all channels that are one object of a store.

    Parameters
    ----------
    height
        Of the plane.
    width
        Of all channels together.
    itemsize
        Bytes of a pixel.
    rows
        Those that are compressed together, which it has in whole numbers.
    """
    whole = -(-height // rows)
    objects = -(-height * width * itemsize // SHARD_BYTES)
    return -(-whole // objects) * rows
