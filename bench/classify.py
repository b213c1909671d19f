"""How fast posts are read for drinks on one core: the prefilter over raw lines, the classifier over texts.

    python -m bench.classify [--posts N] [--runs N]

The lines are X v2 lines of mixed length: 2 % name a drink, 30 % are in other scripts, every other one spells what is
not ASCII in escapes. The texts all name one, in the languages of the demo's phrase bank, no two alike. Rates are of
processor time, so that other programs on the machine count less; the least of the runs is kept beside the median.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

import click
import numpy as np

from bench.posts import CHUNK, SEED, lines
from drinkstream.classify import Classifier
from drinkstream.prefilter import Prefilter
from drinkstream.settings import Settings
from drinkstream.taxonomy import load
from streaming.sources.demo_bank import phrases

HIT_SHARE = 0.02
BATCH = 50_000  # lines, as Spark's Arrow batches hold them
LONG = (0, 0, 0, 300, 900)  # bytes of further fields, one after the other
FURTHER = "profile text, a link to https://example.org/9f3b, numbers such as 1505347200000, and some more; "
TAILS = ("", "!", " 😂", " #today", "...", " @mara", " https://t.co/bcd")
PREFILTER_AT_LEAST = 1_000_000
CLASSIFIER_AT_LEAST = 60_000
MEMORY_MIB = 200


def raw_lines(count: int) -> Iterator[bytes]:
    """`count` lines of mixed spelling and length."""
    chunks = -(-count // CHUNK)
    made = chain.from_iterable(lines(chunk, chunks, SEED, HIT_SHARE) for chunk in range(chunks))
    for number, line in enumerate(islice(made, count)):
        data = json.loads(line.value)
        if padding := LONG[number % len(LONG)]:
            data["includes"] = {"users": [{"id": str(number), "description": (FURTHER * 9)[:padding]}]}
        yield json.dumps(data, ensure_ascii=number % 2 == 0, separators=(",", ":")).encode()


def naming_texts(count: int) -> list[tuple[str, str]]:
    """`count` different texts that name a drink, with their languages."""
    bank = [(phrase.text, phrase.lang) for phrase in phrases() if phrase.names]
    return [
        (f"{text}{TAILS[number % len(TAILS)]} {number}", lang)
        for number in range(count)
        for text, lang in (bank[number % len(bank)],)
    ]


def prefilter_rates(posts: int, runs: int) -> tuple[list[float], float, float]:
    """Lines/s of each run, the share let through, and bytes a line."""
    prefilter = Prefilter(load())
    made = list(raw_lines(posts))
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
    prefilter, share, size = prefilter_rates(posts, runs)
    memory = worker_mib()
    file = Settings.load().home / "bench" / "latest.json"
    kept: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    kept["prefilter"] = _row(prefilter, PREFILTER_AT_LEAST) | {
        "let_through": round(share, 4),
        "bytes_per_post": round(size),
    }
    kept["classifier"] = _row(classifier, CLASSIFIER_AT_LEAST) | {
        "memory_mib": round(memory),
        "memory_at_most": MEMORY_MIB,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(kept, indent=2) + "\n")
    print(f"{runs} runs, {platform.python_version()}, {os.cpu_count()} cores, {size:.0f} bytes a line")
    print(f"  prefilter   {_told(prefilter)} lines/s, wanted {PREFILTER_AT_LEAST:,}; lets {share:.1%} through")
    print(f"  classifier  {_told(classifier)} texts/s, wanted {CLASSIFIER_AT_LEAST:,}; {memory:.0f} MiB for both")


def worker_mib() -> float:
    """The most memory that a fresh process holds which has both stages and reads nothing."""
    code = "import drinkstream.hits as h; h._prefilter(); h.classifier(); print(open('/proc/self/status').read())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    # not ru_maxrss, which a child inherits from the process that started it
    return next(int(line.split()[1]) for line in told.splitlines() if line.startswith("VmHWM")) / 1024


def _row(rates: list[float], at_least: int) -> dict[str, Any]:
    return {
        "value": round(statistics.median(rates)),
        "unit": "posts/s per core",
        "spread": [round(min(rates)), round(max(rates))],
        "at_least": at_least,
        "peers": {},
    }


def _told(rates: list[float]) -> str:
    return f"min {min(rates):,.0f}  median {statistics.median(rates):,.0f}  max {max(rates):,.0f}"


if __name__ == "__main__":
    main()
