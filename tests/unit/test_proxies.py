"""A proxy that the environment names is asked for what is elsewhere, and never for the stack's own servers."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from drinkstream.errors import UnavailableError
from drinkstream.settings import Settings
from stack import environment, history, jars, proxies, ready


@pytest.fixture(autouse=True)
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a proxy that is dead, which the environment names, and no exception from it."""
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with socket.socket() as dead:  # bound, and not listening
        dead.bind(("127.0.0.1", 0))
        port = dead.getsockname()[1]
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        yield port


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"access_token": "t"}')

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


def test_the_stacks_own_servers_are_asked_without_a_proxy(tmp_path: Path) -> None:
    """Where the shell has `http_proxy` and no `no_proxy`, as behind a company's firewall."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "airflow_passwords.json").write_text('{"ops": "secret"}')
    with HTTPServer(("127.0.0.1", 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = Settings(home=tmp_path, web_port=server.server_port, airflow_port=server.server_port)
        try:
            ready.web(settings)
            assert json.loads(ready._get(f"http://127.0.0.1:{server.server_port}/x", "it")) == {"access_token": "t"}
            assert history._ask(settings, "GET", "dags", None) == {"access_token": "t"}
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    ("given", "hosts"),
    [("", "127.0.0.1"), (".example.org,10.0.0.1", ".example.org,10.0.0.1,127.0.0.1"), ("*", "*")],
)
def test_programs_ask_them_without_one_too(proxy: int, monkeypatch: pytest.MonkeyPatch, given: str, hosts: str) -> None:
    """Airflow's tasks its API; what the shell excepts stays excepted, and the proxy is for all else."""
    monkeypatch.setenv("NO_PROXY", given)
    variables = environment.environment(Settings())
    assert {name: value for name, value in variables.items() if name.lower().endswith("_proxy")} == {
        "http_proxy": f"http://127.0.0.1:{proxy}",
        "HTTPS_PROXY": f"http://127.0.0.1:{proxy}",
        "NO_PROXY": hosts,
        "no_proxy": hosts,
    }


def test_java_is_told_of_proxies_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads none of the variables: Ivy went past the proxy, and said to run it again."""
    monkeypatch.setenv("http_proxy", "proxy.example.org")
    monkeypatch.setenv("https_proxy", "http://user:word@proxy.example.org:3128/")
    monkeypatch.setenv("no_proxy", "localhost, .example.org")
    assert proxies.java_options() == [
        "-Dhttp.proxyHost=proxy.example.org",
        "-Dhttp.proxyPort=80",
        "-Dhttps.proxyHost=proxy.example.org",
        "-Dhttps.proxyPort=3128",
        "-Dhttp.nonProxyHosts=localhost|*.localhost|example.org|*.example.org",
    ]
    monkeypatch.setenv("no_proxy", "*")
    assert proxies.java_options() == []


def test_ivy_is_started_with_them(proxy: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And where nothing comes, the message names what there is to set."""
    (tmp_path / "bin").mkdir()
    java = tmp_path / "bin" / "java"
    java.write_text('#!/bin/sh\necho "$1 $2 $3 $4"\nexit 1\n')
    java.chmod(0o755)
    monkeypatch.setattr(jars.java, "home", lambda: tmp_path)
    with pytest.raises(UnavailableError) as raised:
        jars._retrieve(Settings(), tmp_path, jars.STACK, 0)
    assert str(raised.value) == (
        f"not downloaded from Maven Central: -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort={proxy} "
        f"-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort={proxy}\n. Run it again, it goes on from here; a proxy is "
        "named by https_proxy, a mirror by an Ivy settings file in DRINKSTREAM_IVY_SETTINGS"
    )
