"""A rolled-back day answers as before, byte by byte, on a real Cassandra; repetitions and races change nothing more."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from flask.testing import FlaskClient

from drinkstream.errors import ConflictError
from drinkstream.settings import Settings
from jobs.publish import publish
from jobs.rollback import rollback
from tests.lib.jobs import called, run
from tests.lib.planted import COFFEE, PEPSI, TEA, History, apart, delete, new_day
from webapp import create_app
from webapp.serving import serving

NUMBERS = ("share?", "share?by=brand&", "trend?grain=minute&", "posts?limit=1000&", "posts?category=coffee&")


@pytest.fixture
def history(keyspace: Settings, tmp_path: Path) -> Iterator[History]:
    """A day of its own, published twice: first with forty posts, then with ten more and five fewer."""
    made = History(apart(keyspace, tmp_path), new_day())
    made.posts(20, COFFEE)
    gone = made.posts(20, TEA)[:5]
    publish_run(made)
    made.posts(10, PEPSI)
    for ident in gone:
        made.send(ident, delete(ident))
    yield made
    made.close()


def publish_run(history: History) -> str:
    """Publishes a run over all that was sent by now; its id."""
    _, run_id = history.run()
    run = history.reader.run(history.day, run_id)
    assert run is not None
    publish(history.reader, history.writer, run, "airflow", "nightly")
    return run_id


@pytest.fixture
def client(history: History) -> Iterator[FlaskClient]:
    """The real application over the real store."""
    app = create_app(history.settings, lambda: history.reader)
    yield app.test_client()
    serving(app).view.stop()
    serving(app).pending.stop()


def job(
    history: History, *arguments: str, call: Callable[..., CompletedProcess[str]] = called
) -> CompletedProcess[str]:
    """What the job answers."""
    return call("jobs.rollback", history.settings, "--day", str(history.day), "--who", "ops", *arguments)


def question(history: History) -> str:
    return f"from={history.day}&to={history.day}"


def numbers(history: History, client: FlaskClient) -> list[bytes]:
    """The answers of all number routes: as CSV, which has no word about when the day was published."""
    serving(client.application).view.look()
    return [client.get(f"/api/v1/{route}{question(history)}&format=csv").data for route in NUMBERS]


def log(history: History) -> list[tuple[int, str, str, str]]:
    return [(p.seq, p.run_id, p.who, p.why) for p in history.reader.publications([str(history.day)[:7]])]


def test_answers_after_a_rollback_are_those_of_before_byte_by_byte(history: History, client: FlaskClient):
    before = numbers(history, client)
    token = client.get(f"/api/v1/share?{question(history)}").get_json()["at"]
    whole = [client.get(f"/api/v1/{route}{question(history)}&at={token}").data for route in NUMBERS]
    first = log(history)[0][1]
    second = publish_run(history)
    between = numbers(history, client)
    # all but the list of the coffees, which nobody touched
    assert [a == b for a, b in zip(before, between, strict=True)] == [False, False, False, False, True]

    done = job(history, "--why", "rollback_share manual__1: pepsi\n is no drink", call=run)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"day={history.day} seq=3 run={first}: rolled back from seq 2, run {second}\n"
    assert numbers(history, client) == before
    days = client.get(f"/api/v1/days?{question(history)}").get_json()["days"]
    assert [(day["run"], day["seq"], day["by"], day["why"]) for day in days] == [
        (first, 3, "ops", "rollback_share manual__1: pepsi is no drink")
    ]
    # the state of before, asked for by its token, is answered as it was, to the last byte
    assert [client.get(f"/api/v1/{route}{question(history)}&at={token}").data for route in NUMBERS] == whole

    # the same task once more, as after a lost answer
    again = job(history, "--why", "rollback_share manual__1: pepsi is no drink")
    assert (again.returncode, again.stdout) == (0, f"day={history.day} seq=3 run={first}: was rolled back already\n")
    # and undone by another run of the DAG, by seq
    undone = job(history, "--to", "2", "--why", "rollback_share manual__2: it is one")
    assert (undone.returncode, undone.stdout) == (
        0,
        f"day={history.day} seq=4 run={second}: rolled back from seq 3, run {first}\n",
    )
    assert numbers(history, client) == between
    assert [entry[:2] for entry in log(history)] == [(1, first), (2, second), (3, first), (4, second)]


def test_of_two_rollbacks_in_one_moment_one_wins_and_the_other_says_so(history: History):
    """Both read the same log: the conditional write lets one of them append."""
    publish_run(history)

    def back(name: str) -> str:
        try:
            return rollback(history.reader, history.writer, history.day, "1", name, name)
        except ConflictError as error:
            return str(error)

    with ThreadPoolExecutor(8) as threads:
        said = list(threads.map(back, [f"ops{n}" for n in range(8)]))
    assert sum("rolled back from seq 2" in words for words in said) == 1
    assert all("rolled back" in words or "took seq 3" in words or "in force already" in words for words in said)
    assert len(log(history)) == 3


def test_what_cannot_be_gone_back_to_ends_the_job_and_says_what_exists(history: History):
    done = job(history, "--why", "bad", call=run)
    assert done.returncode == 2
    assert f"{history.day} has no publication before run" in done.stderr
    done = job(history, "--to", "nothing", "--why", "bad")
    assert done.returncode == 2
    assert f"{history.day} has no run or seq nothing (any more); published were 1 = " in done.stderr
    assert len(log(history)) == 1
