"""The application as its server makes it."""

import gc
import sys

from webapp import wsgi
from webapp.serving import serving


def test_a_process_that_serves_keeps_what_it_read_out_of_the_search_for_garbage(monkeypatch, tmp_path) -> None:
    """When the store was first read; and its threads take turns more often than by default."""
    monkeypatch.setenv("DRINKSTREAM_HOME", str(tmp_path))
    before = sys.getswitchinterval()
    try:
        view = serving(wsgi.application()).view
        assert sys.getswitchinterval() < before
        view.settled()
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before)


def test_the_store_is_settled_once(web) -> None:
    settled = []
    web.view.settled = lambda: settled.append(1)
    web.get("share")
    web.view.look()
    assert settled == [1]
