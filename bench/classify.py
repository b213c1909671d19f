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
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import chain, islice

import click
import numpy as np

from bench.figures import Asked, Measured, table
from bench.kept import Kept
from bench.posts import CHUNK, SEED, Line, Writing, lines
from bench.posts_v1 import v1
from bench.servers import only_call
from drinkstream import matching
from drinkstream.classify import Classifier
from drinkstream.command import exit_code
from drinkstream.errors import IntegrityError
from drinkstream.prefilter import Prefilter
from drinkstream.settings import Settings
from drinkstream.taxonomy import load
from streaming.sources.demo_bank import phrases

BATCH = 50_000  # lines, as Spark's Arrow batches hold them
TAILS = ("", "!", " 😂", " #today", "...", " @mara", " https://t.co/bcd")
PREFILTER_AT_LEAST = 1_000_000
CLASSIFIER_AT_LEAST = 60_000
MEMORY_MIB = 200
ASKED = {"prefilter": Asked(PREFILTER_AT_LEAST), "classifier": Asked(CLASSIFIER_AT_LEAST)}
UNIT = "posts/s per core"


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


def raw_lines(kind: str, count: int) -> Iterator[tuple[bytes, bool]]:
    """`count` lines of a kind, each with whether it names a drink."""
    writing, spelling = KINDS[kind]
    chunks = -(-count // CHUNK)
    made = chain.from_iterable(lines(chunk, chunks, SEED, writing=writing) for chunk in range(chunks))
    return ((spelling(line), bool(line.pairs)) for line in islice(made, count))


def naming_texts(count: int) -> list[tuple[str, str]]:
    """`count` different texts that name a drink, with their languages."""
    bank = [(phrase.text, phrase.lang) for phrase in phrases() if phrase.names]
    return [
        (f"{text}{TAILS[number % len(TAILS)]} {number}", lang)
        for number in range(count)
        for text, lang in (bank[number % len(bank)],)
    ]


def prefilter_rates(kind: str, posts: int, runs: int) -> Measured:
    """Lines/s of each run; the share let through, which must have all that name a drink, and bytes a line beside it."""
    prefilter = Prefilter(load())
    made, names = zip(*raw_lines(kind, posts), strict=True)
    batches = [made[at : at + BATCH] for at in range(0, len(made), BATCH)]
    buffers = [(b"".join(batch), np.cumsum([0, *map(len, batch)]).astype(np.int32)) for batch in batches]
    passed = np.concatenate([prefilter.candidates(memoryview(data), offsets) for data, offsets in buffers])
    missed = int((np.array(names) & ~passed).sum())

    def scan() -> None:
        for data, offsets in buffers:
            prefilter.candidates(memoryview(data), offsets)

    return Measured(
        tuple(posts / _cpu_s(scan) for _ in range(runs)),
        UNIT,
        (f"{missed} {kind} that name a drink are not let through",) if missed else (),
        {"let_through": round(int(passed.sum()) / posts, 4), "bytes_per_post": round(sum(map(len, made)) / posts)},
    )


def classifier_rates(posts: int, runs: int) -> Measured:
    """Texts/s of each run, each of which must be found to name a drink."""
    classifier = Classifier(load())
    texts = naming_texts(posts)

    def decide() -> None:
        for text, lang in texts:
            classifier.decide(text, lang)

    missed = sum(not classifier.decide(text, lang).mentions for text, lang in texts)
    wrong = (f"{missed} texts that name a drink name none",) if missed else ()
    return Measured(tuple(posts / _cpu_s(decide) for _ in range(runs)), UNIT, wrong)


def _cpu_s(work: Callable[[], None]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


@click.command()
@click.option("--posts", default=200_000, show_default=True, help="Lines for the prefilter; a tenth as many texts.")
@click.option("--runs", default=5, show_default=True, help="How often each is measured.")
def main(posts: int, runs: int) -> None:
    """Measure both stages and keep their figures in bench/latest.json below the home."""
    home = Settings.load().home
    with only_call(home):
        kept = Kept(home / "bench" / "latest.json")
        rows = measured(posts, runs)
        for name, row in rows.items():
            kept.put(name, row.entry())
    print(f"{runs} runs, {platform.python_version()}, {os.cpu_count()} cores")
    print(table({name: row.entry() for name, row in rows.items()}, ASKED))
    beside = rows["classifier"].beside
    how = "compiled" if beside["compiled"] else "plain Python"
    print(f"{how}; {beside['memory_mib']} MiB for both; {rows['prefilter'].beside['let_through']:.1%} let through")
    if wrong := [fault for row in rows.values() for fault in row.wrong]:
        raise IntegrityError("wrong, so a failed run:\n  " + "\n  ".join(wrong))


def measured(posts: int, runs: int) -> dict[str, Measured]:
    """Both stages, the prefilter over each kind of line; the memory of a worker beside the classifier."""
    classifier = classifier_rates(posts // 10, runs)
    prefilter = {kind: prefilter_rates(kind, posts, runs) for kind in KINDS}
    worker_mib()  # the first process of a home compiles the prefilter, its workers read what it kept
    memory = worker_mib()
    live, *others = KINDS
    first = replace(prefilter[live], beside={**prefilter[live].beside, "at_least": PREFILTER_AT_LEAST})
    for kind in others:
        first = first.beside_it(kind, prefilter[kind])
    beside = {
        "at_least": CLASSIFIER_AT_LEAST,
        "compiled": not matching.__file__.endswith(".py"),
        "memory_mib": round(memory),
        "memory_at_most": MEMORY_MIB,
    }
    return {"prefilter": first, "classifier": replace(classifier, beside=beside)}


def worker_mib() -> float:
    """The most memory that a fresh process holds which has both stages and reads nothing."""
    code = "import drinkstream.hits as h; h._prefilter(); h.classifier(); print(open('/proc/self/status').read())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    # not ru_maxrss, which a child inherits from the process that started it
    return next(int(line.split()[1]) for line in told.splitlines() if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    sys.exit(exit_code(main, None, "classify"))
