"""The evidence bundle: an answer with all that it takes to compute it again, in one file that shows if it was changed.

A zip of parts, the same bytes for the same parts. `manifest.json` has the SHA-256 of each part and, over their names
and sums, one hash of the whole, which is what is quoted and compared.

| part | holds |
|---|---|
| `question.json` | what was asked, and the Kafka topic that was counted |
| `answer.json` | the answer of `/api/v1/share`, as it was given |
| `runs.json` | where each day's numbers come from: its run (fingerprint, position), its publication, or the epoch |
| `ids/DAY.jsonl` | the ids of each cell of the day that the answer counts, one cell a line |
| `rules/MEANING/` | the taxonomy of each meaning version that counted; `rules/known.json` says which were kept |
| `RECIPE.md` | how to get the same by hand |

It holds ids and counts, never a post's text.
"""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from drinkstream.errors import BadInputError, IntegrityError
from drinkstream.reconcile import CellName

FORMAT = "drinkstream evidence"
VERSION = 1
MANIFEST = "manifest.json"

MOST_BYTES = 2 * 2**30
"""Bytes that a bundle's parts have at most, unpacked: a small file may claim to hold more than any memory."""

_WRITTEN = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can name: the same bytes whenever it is made

Parts = Mapping[str, bytes]


def whole(parts: Parts) -> str:
    """The hash of a bundle: SHA-256 over the lines that `sha256sum` writes of its parts, in the order of names."""
    lines = (f"{_sha256(content)}  {name}\n" for name, content in sorted(parts.items()))
    return _sha256("".join(lines).encode())


def pack(parts: Parts) -> bytes:
    """The file: the parts in the order of their names, and the manifest that goes with them."""
    sums = {name: {"sha256": _sha256(content), "bytes": len(content)} for name, content in parts.items()}
    manifest = {"format": FORMAT, "version": VERSION, "hash": whole(parts), "parts": sums}
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, content in [(MANIFEST, plain(manifest)), *sorted(parts.items())]:
            entry = zipfile.ZipInfo(name, _WRITTEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # on whatever system it is made
            entry.external_attr = 0o644 << 16
            file.writestr(entry, content)
    return written.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    """The parts of a bundle, each as its manifest says.

    Raises BadInputError for what is no bundle, is cut off, or is of a version that is not known here; IntegrityError,
    which names the part, where one was changed, added or taken away.
    """
    try:
        file = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError) as error:
        raise BadInputError(f"not a bundle, or cut off: {error}; get it again from where it was made") from None
    with file:
        entries = file.infolist()
        names = [entry.filename for entry in entries]
        if MANIFEST not in names:
            raise BadInputError(f"not a bundle: it has no {MANIFEST}")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise IntegrityError(f"{', '.join(twice)}: in the bundle twice, which is not how it was made")
        if (size := sum(entry.file_size for entry in entries)) > MOST_BYTES:
            raise BadInputError(
                f"not a bundle of ours: its parts have {size:,} bytes, and at most {MOST_BYTES:,} may be"
            )
        content = {entry.filename: _content(file, entry) for entry in entries}
    manifest = _manifest(content.pop(MANIFEST))
    sums: Mapping[str, Any] = manifest["parts"]
    if missing := sorted(sums.keys() - content.keys()):
        raise IntegrityError(f"{', '.join(missing)}: named in the manifest, and not in the bundle")
    if added := sorted(content.keys() - sums.keys()):
        raise IntegrityError(f"{', '.join(added)}: in the bundle, and not named in the manifest")
    if changed := sorted(name for name, part in content.items() if sums[name]["sha256"] != _sha256(part)):
        raise IntegrityError(f"{', '.join(changed)}: changed since the bundle was made")
    if manifest["hash"] != whole(content):
        raise IntegrityError(f"{MANIFEST}: its hash is not that of the parts")
    return content


def plain(value: Any) -> bytes:
    """JSON, always the same for the same value."""
    return (json.dumps(value, sort_keys=True, indent=1) + "\n").encode()


def cells_part(cells: Mapping[CellName, Iterable[str]]) -> bytes:
    """`ids/DAY.jsonl`: for each cell a line `[minute, category, brand, source, kind, lang, [id, ...]]`, in order."""
    lines = []
    for (hour, minute, *rest), ids in sorted(cells.items()):
        cell = [f"{hour}:{minute:02}Z", *rest, sorted(ids, key=lambda one: (len(one), one))]
        lines.append(json.dumps(cell, separators=(",", ":")) + "\n")
    return "".join(lines).encode()


def cells_of_part(name: str, content: bytes) -> dict[CellName, frozenset[str]]:
    """What `cells_part` wrote. Raises IntegrityError, which names the part, for anything else."""
    found: dict[CellName, frozenset[str]] = {}
    for number, line in enumerate(content.splitlines(), 1):
        try:
            minute, category, brand, source, kind, lang, ids = json.loads(line)
            found[minute[:13], int(minute[14:16]), category, brand, source, kind, lang] = frozenset(ids)
        except (ValueError, TypeError):
            raise IntegrityError(f"{name}, line {number}: not a cell with its ids") from None
    return found


def rules(kept: Mapping[str, Mapping[str, str]]) -> dict[str, bytes]:
    """The taxonomies of meaning versions as parts of a bundle. `kept`: by version the text of each file, if kept."""
    parts = {f"rules/{version}/{path}": text.encode() for version in kept for path, text in kept[version].items()}
    known = {version: sorted(found) or None for version, found in kept.items()}
    return {**parts, "rules/known.json": plain(known)}


def recipe(question: Mapping[str, Any], days: Iterable[Mapping[str, Any]]) -> bytes:
    """`RECIPE.md`: how to get the numbers again, by command and by hand."""
    narrowed = ", ".join(
        f"{name} {question[name]}" for name in ("category", "brand", "source", "lang") if question[name]
    )
    lines = [
        "# How to get these numbers again",
        "",
        f"Asked: share by {question['by']}, {question['from']} to {question['to']} (UTC), "
        f"{narrowed or 'not narrowed'}, kinds {', '.join(question['kinds'])}.",
        f"The same state over HTTP, from the installation that made this: parameter `at={question['at']}`.",
        "",
        "By command, on any installation with the same archive: `drinkstream verify` with this file. It reads the",
        f"records of topic `{question['topic']}` that lie under each day and under the day `none`, up to the position",
        "of the run, and counts them again; the hash that it prints is the one in `manifest.json`.",
        "",
        "By hand, for each day: of the records before the position (next offset by cluster/topic/partition) take those",
        "of one post together. A delete, or a withholding everywhere (XX, XY), leaves it out. Of several versions the",
        "last one marked as an edit counts, else the first, in the order of append time, partition, offset. The rules",
        "in `rules/` say what its text mentions, `ids/` in which cells it so stands. n is the number of different ids.",
        "",
        "| day | layer | run or epoch | meaning | archive version | position |",
        "|---|---|---|---|---|---|",
    ]
    for day in days:
        run = day["run"] or {}
        position = ", ".join(f"{place} {offset}" for place, offset in sorted(run.get("position", {}).items()))
        cells = (run.get("run_id") or day["epoch"], day["meaning"], run.get("archive_version"), position)
        lines.append(f"| {day['day']} | {day['layer']} | {' | '.join(str(cell or '-') for cell in cells)} |")
    if not all(day["final"] for day in days):
        lines += [
            "",
            "Days without a published run are not final: nobody can compute them again, and they may still move.",
        ]
    return ("\n".join(lines) + "\n").encode()


def _manifest(content: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
        known = manifest["format"] == FORMAT
        version = manifest["version"]
        if known and version == VERSION:
            sums = {name: str(part["sha256"]) for name, part in manifest["parts"].items()}
            return {"hash": str(manifest["hash"]), "parts": {name: {"sha256": one} for name, one in sums.items()}}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise BadInputError(f"not a bundle: its {MANIFEST} says nothing of parts and hashes") from None
    if not known:
        raise BadInputError(f"not a bundle: its {MANIFEST} is of {manifest['format']!r}")
    raise BadInputError(f"a bundle of version {version}, and version {VERSION} is known here: use a newer drinkstream")


def _content(file: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    try:
        return file.read(entry)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        # the sum that the zip itself keeps is wrong, or what is packed cannot be unpacked
        raise IntegrityError(f"{entry.filename}: damaged or changed since the bundle was made ({error})") from None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
