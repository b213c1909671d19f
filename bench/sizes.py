"""How large everything is that is measured. The defaults are those of the published figures."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import click


def _size(default: int, told: str, small: int | None = None) -> Any:
    return field(default=default, metadata={"help": told, "small": default if small is None else small})


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of one call, each an option of the command."""

    runs: int = _size(3, "How often each row is measured.", 1)
    posts: int = _size(20_000_000, "Posts that a drain measures.", 300_000)
    warm_up: int = _size(30_000_000, "Posts that are drained before them.", 300_000)
    short_posts: int = _size(2_000_000, "Posts that a drain measures of peers without a JVM.", 200_000)
    short_warm_up: int = _size(3_000_000, "Posts that are drained before those, or before those below.", 200_000)
    hits: int = _size(
        1_800_000, "Posts that the drain of a filtered stream measures; as many are drained before.", 100_000
    )
    old_posts: int = _size(
        1_800_000, "Posts of topic B that a drain measures, behind as many; a recompute has as many.", 100_000
    )
    most: int = _size(600_000, "Records that a micro-batch takes at most.", 50_000)
    produced: int = _size(500_000, "Posts that each of two producers sends.", 50_000)
    rate: int = _size(6_000, "Posts a second while freshness is measured.", 1_000)
    hot_rate: int = _size(10_000, "Posts a second, all naming a drink, of the hot row.", 1_000)
    seconds: int = _size(600, "How long freshness and the hot row last.", 30)
    settle: int = _size(60, "Seconds of them at the start that are not measured.", 10)
    backlog: int = _size(8_600_000, "Posts that a restart meets.", 300_000)
    requests: int = _size(1_000, "Requests a second of the page row.", 100)
    page_seconds: int = _size(60, "How long each of its loads lasts.", 10)
    page_days: int = _size(365, "Published days of its long range.", 30)
    days: int = _size(4, "Days that are recomputed.", 2)
    day_posts: int = _size(6_000_000, "Posts of each of these days.", 100_000)
    backfill_posts: int = _size(500_000, "Posts of a day that Airflow backfills.", 100_000)
    growth: int = _size(50_000_000, "Posts over which growth is looked at.", 600_000)
    growth_days: int = _size(1_000, "Published days over which growth is looked at.", 60)
    archived: int = _size(2_000_000, "Posts of the archive row.", 200_000)

    @classmethod
    def small(cls) -> "Sizes":
        """Sizes that show that everything works and counts right; their figures mean nothing."""
        return cls(**{one.name: one.metadata["small"] for one in fields(cls)})


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a click command an option for each size; one that is not given comes as None."""
    for one in reversed(fields(Sizes)):
        told = f"{one.metadata['help']}  [default: {one.default}; with --small: {one.metadata['small']}]"
        command = click.option(f"--{one.name.replace('_', '-')}", type=click.IntRange(min=1), help=told)(command)
    return command
