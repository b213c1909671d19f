"""A quick look at many records: which are posts as nearly all are. `post.parse_keyed` decides about all others."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from drinkstream import wire_x_plain
from drinkstream.post import EARLIEST_MS, LATEST_AHEAD_MS

_LOOKS: dict[str, Callable[[list[bytes | None], pa.Array], npt.NDArray[np.int64]]] = {
    "x": wire_x_plain.event_times,
    "demo": wire_x_plain.event_times,
}


def plain_posts(
    values: list[bytes | None], keys: pa.Array, append_ms: npt.NDArray[np.int64], first_ms: int, until_ms: int
) -> npt.NDArray[np.bool_]:
    """Which records are posts made from `first_ms` to before `until_ms` that have their key's id and were never edited.

    `keys` (string) and `append_ms` are of shape (n,), as the result. A quick look, which `parse_keyed` agrees with
    wherever it says yes; where it does not, that one has to be asked. No value may be `wire_json.undecodable`; values
    and keys may be None.
    """
    found = np.zeros(len(values), np.bool_)
    for source, event_times in _LOOKS.items():
        prefix = f"{source}:"
        theirs = pc.starts_with(keys, prefix)
        if pc.any(theirs, min_count=1).as_py():
            names = pc.utf8_slice_codeunits(pc.if_else(theirs, keys, None), len(prefix))
            times = event_times(values, names)
            found |= (times >= max(first_ms, EARLIEST_MS)) & (times < until_ms) & (times <= append_ms + LATEST_AHEAD_MS)
    return found
