"""The same posts as v1.1 lines, as old archives hold them: profiles, quoted and reposted posts, all in escapes.

v1.1 writes every character that is not ASCII as an escape, and every slash as `\\/`. A post's profile, and what it
quotes, may name a drink though the post does not: such a line passes the prefilter and must not count.
"""

import json
import random
from datetime import UTC, datetime
from functools import lru_cache

from bench.posts import TALK, Text, Writing

PROFILES = (
    "mother of two, coffee addict, tweets are my own and so are the typos",
    "写真と旅行と音楽が好きです。無言フォローすみません。お気軽にどうぞ",
    "just here for the football and the weather, sometimes for the trains as well",
    "profesor de historia, lector, padre. Aquí se habla de libros y de política",
    "официальный аккаунт. пишу о кино, музыке и путешествиях по всему миру",
    "she/her // artist // commissions are closed right now, please read the pinned post before you ask",
    "retired engineer, gardener, grandfather; I follow back everybody who is polite",
    "قارئ وكاتب أحيانا، هنا للمتعة والفائدة وتبادل الآراء بين الأصدقاء",
)
"""One in eight names a drink."""

QUOTED = (*(text for text, _ in TALK), "nobody should have to drink wine out of a paper cup like that")
LEAST = 2_500  # bytes of a line
IMAGE = "https://pbs.twimg.com"


def v1(random_: random.Random, post_id: int, event_ms: int, said: Text) -> bytes:
    """A v1.1 line of at least LEAST bytes: in five a quoted post inside, in five a reposted one, else an original."""
    kind = random_.random()
    tweet = _tweet(random_, post_id, event_ms, said.text, said.lang)
    if kind < 0.2:
        earlier = post_id - random_.randrange(1 << 22, 1 << 44)
        tweet["quoted_status"] = _tweet(random_, earlier, event_ms - 60_000, random_.choice(QUOTED), "en")
        tweet |= {"is_quote_status": True, "quoted_status_id": earlier, "quoted_status_id_str": str(earlier)}
    elif kind < 0.4:
        # what a repost says is what it reposts says: its own text is a shortened copy
        earlier = post_id - random_.randrange(1 << 22, 1 << 44)
        tweet["retweeted_status"] = _tweet(random_, earlier, event_ms - 60_000, said.text, said.lang)
        tweet["text"] = f"RT @user{earlier % 9973}: {said.text}"[:140]
    tweet["filter_level"] = "low"
    tweet["timestamp_ms"] = str(event_ms)
    return json.dumps(tweet, separators=(",", ":")).replace("/", "\\/").encode()


WRITINGS: dict[str, Writing | None] = {"post.x.v2": None, "post.x.v1": v1}
"""How a line of a shape is written; as collect asks for it, where nothing is said."""


def _tweet(random_: random.Random, post_id: int, event_ms: int, text: str, lang: str) -> dict[str, object]:
    link = f"https://t.co/{random_.getrandbits(50):010x}"
    return {
        "created_at": _date(event_ms // 1000),
        "id": post_id,
        "id_str": str(post_id),
        "text": text,
        "source": '<a href="http://twitter.com/download/iphone" rel="nofollow">Twitter for iPhone</a>',
        "truncated": False,
        "in_reply_to_status_id": None,
        "in_reply_to_status_id_str": None,
        "in_reply_to_user_id": None,
        "in_reply_to_user_id_str": None,
        "in_reply_to_screen_name": None,
        "user": _user(random_, lang),
        "geo": None,
        "coordinates": None,
        "place": None,
        "contributors": None,
        "is_quote_status": False,
        "quote_count": 0,
        "reply_count": 0,
        "retweet_count": random_.randrange(40),
        "favorite_count": random_.randrange(90),
        "entities": {
            "hashtags": [],
            "urls": [
                {
                    "url": link,
                    "expanded_url": f"https://example.org/{random_.getrandbits(64):016x}/index.html",
                    "display_url": "example.org/\u2026",
                    "indices": [len(text) - 23, len(text)],
                }
            ],
            "user_mentions": [],
            "symbols": [],
        },
        "favorited": False,
        "retweeted": False,
        "possibly_sensitive": False,
        "lang": lang,
    }


def _user(random_: random.Random, lang: str) -> dict[str, object]:
    user_id = random_.randrange(10_000_000, 900_000_000)
    image = f"{IMAGE}/profile_images/{random_.getrandbits(60)}/{random_.getrandbits(40):x}_normal.jpg"
    return {
        "id": user_id,
        "id_str": str(user_id),
        "name": f"user {user_id % 9973}",
        "screen_name": f"user{user_id % 9973}",
        "location": "somewhere between here and there",
        "url": f"http://example.org/{user_id}",
        "description": random_.choice(PROFILES),
        "translator_type": "none",
        "derived": {"locations": [{"country": "United Kingdom", "country_code": "GB", "locality": "London"}]},
        "protected": False,
        "verified": False,
        "followers_count": random_.randrange(5000),
        "friends_count": random_.randrange(900),
        "listed_count": random_.randrange(30),
        "favourites_count": random_.randrange(30_000),
        "statuses_count": random_.randrange(90_000),
        "created_at": "Mon Nov 29 21:18:15 +0000 2010",
        "utc_offset": None,
        "time_zone": None,
        "geo_enabled": True,
        "lang": lang,
        "contributors_enabled": False,
        "is_translator": False,
        "profile_background_color": "C0DEED",
        "profile_background_image_url": "http://abs.twimg.com/images/themes/theme1/bg.png",
        "profile_background_image_url_https": "https://abs.twimg.com/images/themes/theme1/bg.png",
        "profile_background_tile": False,
        "profile_link_color": "1DA1F2",
        "profile_sidebar_border_color": "C0DEED",
        "profile_sidebar_fill_color": "DDEEF6",
        "profile_text_color": "333333",
        "profile_use_background_image": True,
        "profile_image_url": image.replace("https", "http", 1),
        "profile_image_url_https": image,
        "profile_banner_url": f"{IMAGE}/profile_banners/{user_id}/1505347200",
        "default_profile": True,
        "default_profile_image": False,
        "following": None,
        "follow_request_sent": None,
        "notifications": None,
    }


@lru_cache(maxsize=4096)
def _date(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%a %b %d %H:%M:%S +0000 %Y")
