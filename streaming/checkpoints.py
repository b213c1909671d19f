"""What Spark's checkpoint of a query says of its last micro-batches, read before Spark reads it."""

import json
from collections.abc import Mapping
from pathlib import Path

from drinkstream.positions import Positions
from streaming.offsets import positions_of


def newest(folder: Path) -> int | None:
    """The highest number that a file or folder in `folder` has as its name; None where there is none."""
    return max((int(path.name) for path in folder.glob("[0-9]*") if path.name.isdigit()), default=None)


def planned(checkpoint: Path, batch: int) -> Positions | None:
    """Up to where a micro-batch was to read, by its entry in the offset log; None where there is none, or a broken one.

    The entry is a line with its version, one about the micro-batch, and one for each source, of which we have one.
    """
    lines = _lines(checkpoint / "offsets" / str(batch))
    try:
        return positions_of(lines[2]) if len(lines) == 3 and lines[0] == "v1" else None
    except (ValueError, AttributeError):
        return None


def begun(checkpoint: Path) -> bool:
    """Whether there is a checkpoint of a query that has planned a micro-batch."""
    return (checkpoint / "metadata").is_file() and newest(checkpoint / "offsets") is not None


def readable(checkpoint: Path) -> bool:
    """Whether Spark can read the checkpoint's name and the entries of its logs that it starts with, as far as they are
    there: the newest of each, and of the offsets the one before.

    Where a power cut left one of them empty or in part, Spark ends at it for ever.
    """
    name, last, done = checkpoint / "metadata", newest(checkpoint / "offsets"), newest(checkpoint / "commits")
    return (
        (not name.is_file() or _is_json(_lines(name)))
        and (last is None or planned(checkpoint, last) is not None)
        and (not last or planned(checkpoint, last - 1) is not None)
        and (done is None or _is_commit(_lines(checkpoint / "commits" / str(done))))
    )


def fallen(before: Mapping[tuple[str, int], int], after: Mapping[tuple[str, int], int]) -> Positions:
    """Those of the offsets `after` that are lower than they were `before`.

    Spark plans a micro-batch up to where Kafka ends, also where that is before where it begins. It stops at that one
    for ever, and by what it planned one sees that Kafka's end fell, though it may have risen again since.
    """
    return {place: offset for place, offset in after.items() if offset < before.get(place, 0)}


def _is_commit(lines: list[str]) -> bool:
    return lines[:1] == ["v1"] and _is_json(lines[1:])


def _is_json(lines: list[str]) -> bool:
    try:
        return isinstance(json.loads("\n".join(lines)), dict)
    except ValueError:
        return False


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return []
