"""Generated posts for measurements, with the counts that must come out: by construction, not by the product's code.

Lines are X v2 stream lines with the fields that collect asks for by default, or, where asked, the v1.1 lines of old
archives (posts_v1.py). Of the posts, 3 % name a drink (or every one, where asked), 30 % are in other scripts than
Latin, 1 % come twice. v2 sends text as UTF-8 and escapes what JSON makes it escape, line breaks and quotes; in the text
`&`, `<` and `>` are HTML entities. One post in five has some of that.
"""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

SEED = 2017
X_EPOCH_MS = 1_288_834_974_657
START_MS = 1_505_347_200_000  # 2017-09-14T00:00:00Z

DRINKS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("I really need a cup of coffee before this meeting starts", "en", (("coffee", ""),)),
    ("having a cold beer with my brother after work", "en", (("beer", ""),)),
    ("drinking a glass of red wine on the balcony tonight", "en", (("wine", ""),)),
    ("made myself a cup of green tea and went to bed", "en", (("tea", ""),)),
    ("ordered a gin and tonic and it was perfect", "en", (("spirits", ""),)),
    ("esta tarde me tomo un café con leche con mi madre", "es", (("coffee", ""),)),
    ("ich trinke gerade einen Kaffee und lese die Zeitung", "de", (("coffee", ""),)),
    ("drinking a can of pepsi on the train home", "en", (("soda", "pepsi"),)),
    ("just had a pint of guinness with the lads", "en", (("beer", "guinness"),)),
    ("ho bevuto un bicchiere di vino rosso a cena", "it", (("wine", ""),)),
)
"""Texts, their language, and the (category, brand) that each names."""

DRINKS_IN_OTHER_SCRIPTS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("朝はコーヒーを飲みながら新聞を読む", "ja", (("coffee", ""),)),
    ("퇴근하고 시원한 맥주 한 잔", "ko", (("beer", ""),)),
    ("كوب شاي بالنعناع بعد الغداء", "ar", (("tea", ""),)),
    ("бокал красного вина на ужин и никаких забот", "ru", (("wine", ""),)),
    ("เช้านี้ขอกาแฟร้อนแก้วหนึ่งก่อนเริ่มงาน", "th", (("coffee", ""),)),
)

TALK = (
    ("the trains are late again and nobody tells us anything about it", "en"),
    ("que partido tan increible, no puedo creer lo que acabo de ver", "es"),
    ("just finished the last episode and I have so many questions now", "en"),
    ("heute ist das Wetter wirklich schlecht, ich bleibe einfach zu Hause", "de"),
    ("my phone died in the middle of the call so I missed everything", "en"),
)
OTHER_SCRIPTS = (
    ("今日はとても疲れたので早く寝ることにします、おやすみなさい", "ja"),
    ("오늘 날씨가 정말 좋아서 친구들과 함께 산책을 했어요", "ko"),
    ("اليوم كان الجو جميلا جدا وخرجنا مع الأصدقاء الى الحديقة", "ar"),
    ("сегодня была отличная погода и мы долго гуляли по городу", "ru"),
    ("วันนี้อากาศดีมากเลยออกไปเดินเล่นกับเพื่อนๆ", "th"),
)
WORDS = (
    "about after again because before between could doing during every found going great happy house just later little "
    "maybe morning never night other people place really should since something still there thing think today until "
    "very watch where which while world would years yesterday"
).split()
ODDITIES = ("\n", "\n\n", ' "', " &amp; ", " 😂 ")
"""What stands between sentences of one post in five: JSON or HTML spells it with an escape, or in four bytes."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line, its key, and what it counts as: minute (ms), language and the pairs of its text."""

    key: bytes
    value: bytes
    event_ms: int
    lang: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Text:
    """What a post says: its text as it is sent, its language, and the pairs that it names."""

    text: str
    lang: str
    pairs: tuple[tuple[str, str], ...]


Writing = Callable[[random.Random, int, int, Text], bytes]
"""How a post is written as a line: (random, id, event time in ms, what it says) -> the line."""

CHUNK = 100_000
A_DAY = 500
"""Chunks of a day where many posts come: fewer would be spread over so many minutes that a cell had hardly any post."""


def lines(
    chunk: int, chunks: int, seed: int, hit_share: float = 0.03, writing: Writing | None = None, day_ms: int = START_MS
) -> Iterator[Line]:
    """The CHUNK lines of one of `chunks` equal parts of the day from `day_ms` on, the same for the same arguments.

    1 % of them repeat an earlier one of the chunk byte by byte; no id is in two chunks. They are v2 lines unless they
    are to be written in another way.
    """
    random_ = random.Random(seed * 1_000_003 + chunk)
    earlier: list[Line] = []
    step = 86_400_000 / (chunks * CHUNK)
    for number in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        if earlier and random_.random() < 0.01:
            yield random_.choice(earlier)
            continue
        line = line_at(random_, day_ms + int(number * step), number, text_of(random_, hit_share), writing)
        if len(earlier) < 10_000:
            earlier.append(line)
        else:
            earlier[random_.randrange(10_000)] = line
        yield line


def headers(event_ms: int, shape: bytes = b"post.x.v2") -> list[tuple[str, bytes]]:
    """What collect sends beside the line of a post at `event_ms`."""
    return [("source", b"x"), ("shape", shape), ("event_ms", b"%d" % event_ms)]


def truth(counted: Iterable[Line]) -> dict[tuple[str, str], int]:
    """How many distinct posts each level must count, by (category, brand) with '*' for any and '' for none."""
    ids: dict[tuple[str, str], set[bytes]] = defaultdict(set)
    for line in counted:
        for category, brand in line.pairs:
            ids["*", ""].add(line.key)
            ids[category, ""].add(line.key)
            if brand:
                for level in ((category, brand), ("*", brand), ("*", "*")):
                    ids[level].add(line.key)
    return {level: len(found) for level, found in sorted(ids.items())}


def line_at(random_: random.Random, event_ms: int, number: int, said: Text, writing: Writing | None = None) -> Line:
    """The line of a post at `event_ms` that says `said`; `number` as in `id_at`."""
    post_id = id_at(event_ms, number)
    value = (writing or v2)(random_, post_id, event_ms, said)
    return Line(f"x:{post_id}".encode(), value, event_ms, said.lang, said.pairs)


def id_at(event_ms: int, number: int) -> int:
    """The id of a post at `event_ms`; those of one millisecond differ where their numbers do."""
    return event_ms - X_EPOCH_MS << 22 | number % (1 << 22)


@lru_cache(maxsize=64)
def created_at(second: int) -> bytes:
    """A second since 1970 UTC as a v2 line has it."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z").encode()


def text_of(random_: random.Random, hit_share: float) -> Text:
    """What one post says: with a probability of `hit_share` it names a drink."""
    pairs: tuple[tuple[str, str], ...] = ()
    elsewhere = random_.random() < 0.3
    if random_.random() < hit_share:
        text, lang, pairs = random_.choice(DRINKS_IN_OTHER_SCRIPTS if elsewhere else DRINKS)
    else:
        text, lang = random_.choice(OTHER_SCRIPTS if elsewhere else TALK)
    between = random_.choice(ODDITIES) if random_.random() < 0.2 else " "
    if lang == "en":
        text += between + " ".join(random_.choices(WORDS, k=random_.randrange(10, 36)))
    elif not pairs:
        text = between.join([text] * random_.randrange(1, 4))
    return Text(f"{text} https://t.co/{random_.getrandbits(50):010x}", lang, pairs)


def v2(random_: random.Random, post_id: int, event_ms: int, said: Text) -> bytes:
    """A v2 stream line with the fields that collect asks for by default."""
    data: dict[str, object] = {
        "id": str(post_id),
        "text": said.text,
        "created_at": created_at(event_ms // 1000).decode(),
        "lang": said.lang,
        "edit_history_tweet_ids": [str(post_id)],
    }
    if random_.random() < 0.2:
        data["referenced_tweets"] = [{"type": "replied_to", "id": str(post_id - (1 << 32))}]
    line = {"data": data, "matching_rules": [{"id": "1573321896578748418", "tag": "rule 017"}]}
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()
