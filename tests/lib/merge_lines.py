"""Lines of X for random schedules, and what each of their texts mentions, as told by hand."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

SNOWFLAKE_STARTS_MS = 1_288_834_974_657
"""X's ids count milliseconds from here."""

TEXTS = {
    "a coffee please": {("coffee", None)},
    "starbucks coffee": {("coffee", "starbucks")},
    "coffee and tea": {("coffee", None), ("tea", None)},
    "nice weather": set(),
}

LEVELS = (("*", ""), ("coffee", ""), ("tea", ""), ("coffee", "starbucks"), ("*", "starbucks"), ("*", "*"))
"""The levels in which a post with one of these texts may count."""

ACTIONS = ("delete", "delete of an edit", "withheld", "withheld in DE", "scrub_geo")
"""Orders about a post: the first three take it out of the numbers, the second by the id of its second version."""


@dataclass(frozen=True)
class Written:
    """One post as it was first written."""

    id: int
    text: str
    reply: bool

    def line(self, text: str | None = None, version: int = 0) -> bytes:
        """The post as v2 delivers it; `version` > 0 is a later one of its history."""
        history = [str(self.id + n) for n in range(version + 1)]
        post = {"id": history[-1], "text": text or self.text, "lang": "en", "edit_history_tweet_ids": history}
        if self.reply:
            post["referenced_tweets"] = [{"type": "replied_to", "id": "20"}]
        return json.dumps({"data": post}).encode()

    def order(self, action: str) -> bytes:
        """An order about it as v1.1 delivers it."""
        named = self.id + action.endswith("of an edit")
        target = {"id": named, "id_str": str(named), "user_id": 1}
        if action.startswith("delete"):
            return json.dumps({"delete": {"status": target}}).encode()
        if action == "scrub_geo":
            return json.dumps({"scrub_geo": {"user_id": 1, "up_to_status_id_str": str(self.id)}}).encode()
        countries = ["DE"] if action.endswith("DE") else ["XX"]
        return json.dumps({"status_withheld": target | {"withheld_in_countries": countries}}).encode()


def write(day: date, hour: int, number: int, text: str, reply: bool) -> Written:
    """A post of one of three minutes of that hour; `number` tells it from others (and leaves room for its versions)."""
    ms = int(datetime.combine(day, time(hour, number % 3 * 20), UTC).timestamp() * 1000) + number % 60_000
    return Written((ms - SNOWFLAKE_STARTS_MS << 22) + number * 8, text, reply)
