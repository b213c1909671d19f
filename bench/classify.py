"""How fast posts are read for drinks on one core: the prefilter over raw lines, the classifier over texts.

    python -m bench.classify [--posts N] [--runs N]

The lines are those of the throughput rows: v2 lines as collect asks for them by default (3 % name a drink, 30 % are in
other scripts), the same with all that is not ASCII in escapes, and the v1.1 lines of old archives. The texts all name
one, in the languages of the demo's phrase bank, no two alike. Rates are of processor time, so that other programs on
the machine count less; the least of the runs is kept beside the median.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

import click
import numpy as np

from bench.posts import CHUNK, SEED, Line, Writing, lines
from bench.posts_v1 import v1
from drinkstream import matching
from drinkstream.classify import Classifier
from drinkstream.prefilter import Prefilter
from drinkstream.settings import Settings
from drinkstream.taxonomy import load
from streaming.sources.demo_bank import phrases

BATCH = 50_000  # lines, as Spark's Arrow batches hold them
TAILS = ("", "!", " 😂", " #today", "...", " @mara", " https://t.co/bcd")
PREFILTER_AT_LEAST = 1_000_000
CLASSIFIER_AT_LEAST = 60_000
MEMORY_MIB = 200


def as_collected(line: Line) -> bytes:
    """A line as X sends it."""
    return line.value


def in_escapes(line: Line) -> bytes:
    """The same line as programs write it that keep to ASCII: every other character an escape."""
    return json.dumps(json.loads(line.value), separators=(",", ":")).encode()


KINDS: Mapping[str, tuple[Writing | None, Callable[[Line], bytes]]] = {
    "v2 lines": (None, as_collected),
    "v2 lines in escapes": (None, in_escapes),
    "v1.1 lines": (v1, as_collected),
}
"""The lines that the prefilter is measured on; the first are those of the live stream, and decide."""


def raw_lines(kind: str, count: int) -> Iterator[bytes]:
    """`count` lines of a kind."""
    writing, spelling = KINDS[kind]
    chunks = -(-count // CHUNK)
    made = chain.from_iterable(lines(chunk, chunks, SEED, writing=writing) for chunk in range(chunks))
    return map(spelling, islice(made, count))


def naming_texts(count: int) -> list[tuple[str, str]]:
    """`count` different texts that name a drink, with their languages."""
    bank = [(phrase.text, phrase.lang) for phrase in phrases() if phrase.names]
    return [
        (f"{text}{TAILS[number % len(TAILS)]} {number}", lang)
        for number in range(count)
        for text, lang in (bank[number % len(bank)],)
    ]


def prefilter_rates(kind: str, posts: int, runs: int) -> tuple[list[float], float, float]:
    """Lines/s of each run, the share let through, and bytes a line."""
    prefilter = Prefilter(load())
    made = list(raw_lines(kind, posts))
    batches = [made[at : at + BATCH] for at in range(0, len(made), BATCH)]
    buffers = [(b"".join(batch), np.cumsum([0, *map(len, batch)]).astype(np.int32)) for batch in batches]
    passed = sum(int(prefilter.candidates(memoryview(data), offsets).sum()) for data, offsets in buffers)

    def scan() -> None:
        for data, offsets in buffers:
            prefilter.candidates(memoryview(data), offsets)

    return [posts / _cpu_s(scan) for _ in range(runs)], passed / posts, sum(map(len, made)) / posts


def classifier_rates(posts: int, runs: int) -> list[float]:
    """Texts/s of each run."""
    classifier = Classifier(load())
    texts = naming_texts(posts)

    def decide() -> None:
        for text, lang in texts:
            classifier.decide(text, lang)

    decide()
    return [posts / _cpu_s(decide) for _ in range(runs)]


def _cpu_s(work: Callable[[], None]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


@click.command()
@click.option("--posts", default=200_000, show_default=True, help="Lines for the prefilter; a tenth as many texts.")
@click.option("--runs", default=5, show_default=True, help="How often each is measured.")
def main(posts: int, runs: int) -> None:
    """Measure both stages and keep their figures in var/bench/latest.json."""
    classifier = classifier_rates(posts // 10, runs)
    prefilter = {kind: prefilter_rates(kind, posts, runs) for kind in KINDS}
    worker_mib()  # the first process of a home compiles the prefilter, its workers read what it kept
    memory = worker_mib()
    file = Settings.load().home / "bench" / "latest.json"
    kept: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    rows = {
        kind: _row(rates) | {"let_through": round(share, 4), "bytes_per_post": round(size)}
        for kind, (rates, share, size) in prefilter.items()
    }
    live, *others = KINDS
    kept["prefilter"] = rows[live] | {"at_least": PREFILTER_AT_LEAST, "also": {kind: rows[kind] for kind in others}}
    kept["classifier"] = _row(classifier) | {
        "at_least": CLASSIFIER_AT_LEAST,
        "compiled": not matching.__file__.endswith(".py"),
        "memory_mib": round(memory),
        "memory_at_most": MEMORY_MIB,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(kept, indent=2) + "\n")
    print(f"{runs} runs, {platform.python_version()}, {os.cpu_count()} cores")
    for kind, (rates, share, size) in prefilter.items():
        print(f"  prefilter   {_told(rates)} {kind}/s of {size:.0f} bytes, lets {share:.1%} through")
    print(f"              wanted {PREFILTER_AT_LEAST:,} {live}/s")
    how = "compiled" if kept["classifier"]["compiled"] else "plain Python"
    print(
        f"  classifier  {_told(classifier)} texts/s, wanted {CLASSIFIER_AT_LEAST:,}; {how}; {memory:.0f} MiB for both"
    )


def worker_mib() -> float:
    """The most memory that a fresh process holds which has both stages and reads nothing."""
    code = "import drinkstream.hits as h; h._prefilter(); h.classifier(); print(open('/proc/self/status').read())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    # not ru_maxrss, which a child inherits from the process that started it
    return next(int(line.split()[1]) for line in told.splitlines() if line.startswith("VmHWM")) / 1024


def _row(rates: list[float]) -> dict[str, Any]:
    return {
        "value": round(statistics.median(rates)),
        "unit": "posts/s per core",
        "spread": [round(min(rates)), round(max(rates))],
        "peers": {},
    }


def _told(rates: list[float]) -> str:
    return f"min {min(rates):,.0f}  median {statistics.median(rates):,.0f}  max {max(rates):,.0f}"


if __name__ == "__main__":
    main()
