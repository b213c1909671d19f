"""Rejected records of the published days: which, why, where, and how each reads now; never what stands in them."""

import json
from pathlib import Path

import pytest

from drinkstream.store.read import Rejection
from tests.lib.archived import archive, row
from tests.web.conftest import Store, Web

ID = "908300000000000000"
SECRET = "nobody knows whose text this is"
READABLE = json.dumps({"data": {"id": ID, "text": SECRET}}).encode()


@pytest.fixture
def rejected(store: Store, tmp_path: Path) -> Store:
    """A run that rejected five lines of no day, of which two samples are archived, and one of its own day."""
    store.rejected = {
        "run-1": [
            Rejection("cut_off", False, 5, ((0, 3), (1, 7), (1, 9))),
            Rejection("time", True, 1, ((0, 4),)),
        ]
    }
    archive(
        tmp_path / "archive",
        [
            row(3, day="none", key="x:?0badcafe", shape="rejected.cut_off", value=READABLE[:-4]),
            row(7, day="none", partition=1, key="x:?1badcafe", shape="rejected.cut_off", value=READABLE),
            row(9, day="none", partition=1, cluster="c2", key=None, shape="rejected.cut_off", value=b""),
            row(4, key="x:5", shape="rejected.time", value=b'{"id_str":"5","text":"when?"}'),
            row(3, key="x:6"),  # of this day, and not meant by a sample of no day
        ],
    )
    return store


@pytest.mark.usefixtures("rejected")
def test_a_day_lists_reasons_with_numbers_and_samples_that_lead_on(web: Web) -> None:
    """A line that reads now leads to its post, another to the reason of its rejection."""
    common = {"arrived": "2017-09-14T12:00:00.250Z", "cluster": "c1"}
    cut = {"partition": 0, "offset": 3, **common, "key": "x:?0badcafe", "bytes": len(READABLE) - 4}
    good = {"partition": 1, "offset": 7, **common, "key": "x:?1badcafe", "bytes": len(READABLE)}
    empty = {"partition": 1, "offset": 9, **common, "cluster": "c2", "key": None, "bytes": 0}
    timeless = {"partition": 0, "offset": 4, **common, "key": "x:5", "bytes": 29}
    answer = web.get("rejections/2017-09-14")
    assert answer == {
        "day": "2017-09-14",
        "unit": "records",
        "run": "run-1",
        "meaning": "m1",
        "reasons": [
            {
                "reason": "cut_off",
                "dated": False,
                "n": 5,
                "samples": [
                    {**cut, "reads_as": "rejected: cut_off", "why": "x:?0badcafe"},
                    {**good, "reads_as": "a post of 2017-09-14", "why": f"x:{ID}"},
                    {**empty, "reads_as": "a notice (keepalive)", "why": None},
                ],
            },
            {
                "reason": "time",
                "dated": True,
                "n": 1,
                "samples": [{**timeless, "reads_as": "rejected: time", "why": "x:5"}],
            },
        ],
        "samples_failing": None,
    }
    narrowed = web.get("rejections/2017-09-14?reason=time")
    assert [one["reason"] for one in narrowed["reasons"]] == ["time"]  # type: ignore[index, union-attr]
    for one in ("x:?0badcafe", f"x:{ID}", "x:5"):
        found = web.client.get("/api/v1/why/" + one.replace("?", "%3F"))
        assert (found.status_code, found.get_json()["post"]) == (200, one)
    why = web.get("why/x:%3F0badcafe")
    assert (why["state"], why["why"]) == ("absent", "its record could not be read: cut_off")


@pytest.mark.usefixtures("rejected")
def test_the_page_links_each_line_and_shows_nothing_of_it(web: Web) -> None:
    page = web.client.get("/rejections/2017-09-14").text
    for text in (
        "cut off: 5",
        "without a day",
        'href="/why/x:%3F0badcafe"',
        f'href="/why/x:{ID}"',
        "0, 3",
        "format=csv",
        "The first 3: of the others a run keeps the number only.",
    ):
        assert text in page
    assert "The first 1" not in page
    assert SECRET not in page
    assert SECRET not in web.client.get("/api/v1/rejections/2017-09-14").text
    assert 'href="/rejections/2017-09-14"' in web.client.get("/?from=2017-09-14&to=2017-09-14").text


@pytest.mark.usefixtures("rejected")
def test_which_days_have_rejections_of_a_reason(web: Web) -> None:
    reasons = [{"reason": "cut_off", "dated": False, "n": 5}, {"reason": "time", "dated": True, "n": 1}]
    day = {"day": "2017-09-14", "run": "run-1", "meaning": "m1"}
    assert web.get("rejections") == {"unit": "records", "days": [{**day, "reasons": reasons}]}
    assert web.get("rejections?reason=time")["days"] == [{**day, "reasons": reasons[1:]}]
    assert web.get("rejections?reason=shape")["days"] == web.get("rejections?from=2017-09-15")["days"] == []
    assert web.client.get("/api/v1/rejections?format=csv").text.splitlines() == [
        "day,run,reason,dated,n",
        "2017-09-14,run-1,cut_off,False,5",
        "2017-09-14,run-1,time,True,1",
    ]
    csv = web.client.get("/api/v1/rejections/2017-09-14?format=csv&reason=time").text.splitlines()
    assert csv == [
        "day,run,reason,dated,n,partition,offset,key,arrived,bytes,reads_as,why",
        "2017-09-14,run-1,time,True,1,0,4,x:5,2017-09-14T12:00:00.250Z,29,rejected: time,x:5",
    ]


def test_a_day_without_any_says_so_and_samples_wait_for_the_archive(web: Web, store: Store) -> None:
    assert web.get("rejections/2017-09-14")["reasons"] == []
    assert "rejected no record" in web.client.get("/rejections/2017-09-14").text
    store.rejected = {"run-1": [Rejection("shape", True, 2, ((0, 3),))]}
    answer = web.get("rejections/2017-09-14")
    unknown = dict.fromkeys(("cluster", "key", "arrived", "bytes", "reads_as", "why"))
    assert answer["reasons"][0]["samples"] == [{"partition": 0, "offset": 3, **unknown}]  # type: ignore[index]
    assert "no archive at" in str(answer["samples_failing"])
    assert "no archive at" in web.client.get("/rejections/2017-09-14").text


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/today", 400, "day: a day of the calendar as YYYY-MM-DD (UTC), not 'today'"),
        ("/2017-09-14?from=2017-09-14", 400, "from: not a parameter here; allowed are format, reason"),
        ("?reason=luck", 400, "reason: one of cut_off, encoding"),
        ("?from=2017-09-15&to=2017-09-14", 400, "from 2017-09-15 lies after to 2017-09-14"),
        (
            "/2017-09-15",
            404,
            "2017-09-15 is not published, so no run of it rejected anything; published are 2017-09-14",
        ),
    ],
)
def test_what_makes_no_sense_or_is_not_there_is_said(web: Web, path: str, status: int, message: str) -> None:
    response = web.client.get(f"/api/v1/rejections{path}")
    assert response.status_code == status
    assert message in response.get_json()["error"]
