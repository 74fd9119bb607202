"""Nobody but the page's owner gets an answer, and nobody can make the server take more than its limits."""

import json
import threading
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from starlette.testclient import TestClient

from melodyvae.studio.limits import StudioLimits
from melodyvae.studio.reading import Reader, ReadingError, Upload, shown_name
from melodyvae.studio.security import Guard
from melodyvae.studio.server import Studio, StudioError
from melodyvae.studio.sessions import SessionError, Sessions
from melodyvae.studio.verbs import safe_name
from tests.reading.hostile import HOSTILE, musicxml
from tests.studio.conftest import TUNES


@pytest.fixture(scope="module")
def client(studio):
    with TestClient(studio.app, base_url=f"http://127.0.0.1:{studio.port}") as found:
        yield found


def test_without_the_token_there_is_no_page_and_no_answer(client, studio):
    right = {"x-studio-token": studio.token}
    assert client.get("/").status_code == 403
    assert client.get("/?token=wrong").status_code == 403
    assert client.get(f"/?token={studio.token}").status_code == 200
    assert client.get("/api/state").status_code == 403
    assert client.get(f"/api/state?token={studio.token}").status_code == 403  # only the page's own address holds it
    assert client.get("/api/state", headers={"x-studio-token": studio.token[:-1]}).status_code == 403
    assert client.get("/api/state", headers=right).status_code == 200
    assert client.post("/api/read?name=a.mid", content=b"").status_code == 403
    assert len(studio.token) >= 32


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1:1", "localhost", "", "127.0.0.1.evil.example:{port}"]
)
def test_a_name_that_was_made_to_point_here_gets_no_answer(client, studio, host):
    headers = {"host": host.format(port=studio.port), "x-studio-token": studio.token}
    assert client.get("/api/state", headers=headers).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}", "LOCALHOST:{port}"])
def test_the_names_of_loopback_do(client, studio, host):
    headers = {"host": host.format(port=studio.port), "x-studio-token": studio.token}
    assert client.get("/api/state", headers=headers).status_code == 200


def test_a_request_from_another_page_gets_no_answer(client, studio):
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"https://127.0.0.1:{studio.port}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        both = headers | {"x-studio-token": studio.token}
        assert client.post("/api/midi", json={}, headers=both).status_code == 403, headers
        assert client.get("/api/state", headers=both).status_code == 403, headers
    own = {"origin": f"http://127.0.0.1:{studio.port}", "x-studio-token": studio.token, "sec-fetch-site": "same-origin"}
    assert client.get("/api/state", headers=own).status_code == 200
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get(f"/?token={studio.token}", headers=followed).status_code == 200
    assert client.get("/", headers=followed).status_code == 403


def test_what_is_too_large_is_refused_with_and_without_a_length(client, studio):
    headers = {"x-studio-token": studio.token}
    large = b"x" * (studio.limits.upload_bytes + 1)
    assert client.post("/api/read", content=large, headers=headers).status_code == 413

    def parts():
        for _ in range(10):
            yield b"x" * 2**20

    assert client.post("/api/read", content=parts(), headers=headers).status_code == 413
    assert (
        client.post("/api/midi", content=parts(), headers=headers | {"content-type": "application/json"}).status_code
        == 413
    )


def test_the_browser_is_told_to_load_nothing_from_elsewhere(client, studio):
    headers = client.get(f"/?token={studio.token}").headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    closed = Guard(None, "t", "127.0.0.1", 1, {"/": 0})
    assert "frame-ancestors 'none'" in closed.policy


def test_static_files_are_files_of_the_page_only(client, studio):
    assert client.get("/static/index.html").status_code == 200
    for path in (
        "/static/../server.py",
        "/static/%2e%2e/server.py",
        "/static/..%2fserver.py",
        "/static/js/..%2f..%2f..%2fserver.py",
    ):
        assert client.get(path, headers={"x-studio-token": studio.token}).status_code == 404


def test_an_open_server_answers_to_addresses_but_not_to_strange_names():
    guard = Guard(None, "t", "0.0.0.0", 8000, {"/": 0})
    assert guard.knows_host("192.168.1.7:8000")
    assert guard.knows_host("[fe80::1]:8000")
    assert not guard.knows_host("evil.example:8000")
    assert not Guard(None, "t", "127.0.0.1", 8000, {"/": 0}).knows_host("192.168.1.7:8000")


def test_a_taken_port_is_said(studio):
    with pytest.raises(StudioError, match=f"cannot listen on 127.0.0.1, port {studio.port}"):
        Studio(port=studio.port)


def test_a_file_that_takes_too_long_costs_its_sender_an_error_and_the_next_one_is_read():
    reader = Reader(StudioLimits(read_seconds=1e-9))
    try:
        slow = musicxml("<a/>" * 300_000)
        with pytest.raises(ReadingError, match=r"slow\.musicxml could not be read: it took more than"):
            reader.read(Upload(slow, "slow.musicxml", "auto", (4, 4), 4))
    finally:
        reader.close()
    reader = Reader(StudioLimits())
    try:
        with pytest.raises(ReadingError, match="ends after 4 bytes"):
            reader.read(Upload(b"MThd", "short.mid", "auto", (4, 4), 4))
    finally:
        reader.close()


@pytest.fixture
def narrow_reader(studio, monkeypatch):
    """The running studio with a reader that may take 16 MiB, so that little suffices to fill it."""
    reader = Reader(StudioLimits(read_memory_bytes=16 * 2**20))
    reader.start()
    monkeypatch.setattr(studio.pieces, "reader", reader)
    yield reader
    reader.close()


def asked(studio, path, data=None, kind="application/octet-stream"):
    """Status and answer of a request to the running server."""
    headers = {"x-studio-token": studio.token, "content-type": kind}
    try:
        with urlopen(Request(f"http://127.0.0.1:{studio.port}{path}", data, headers), timeout=120) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, error.read()


@pytest.mark.parametrize("name", ["20,000 headers", pytest.param("kern without an end", marks=pytest.mark.slow)])
def test_a_file_that_fills_the_memory_costs_its_sender_an_error_and_the_others_are_answered(
    studio, narrow_reader, name
):
    suffix, make = HOSTILE[name]
    outcome = []
    sender = threading.Thread(
        target=lambda: outcome.append(asked(studio, f"/api/read?name=hostile{suffix}", make())), daemon=True
    )
    sender.start()
    assert asked(studio, "/api/state")[0] == 200
    status, answer = asked(studio, "/api/do/sample", json.dumps({"count": 1}).encode(), "application/json")
    assert status == 200
    assert "melodies" in json.loads(answer.splitlines()[-1])["result"]
    sender.join(timeout=120)
    assert outcome[0][0] == 422
    error = json.loads(outcome[0][1])["error"]
    assert error.startswith(f"hostile{suffix}")
    assert "it took more than" in error or "at most" in error  # memory or time, or what is told from the text
    status, answer = asked(studio, "/api/read?name=twinkle.mid", (TUNES / "twinkle.mid").read_bytes())
    assert status == 200
    assert json.loads(answer)["melody"]["notes"]


def test_names_are_never_paths():
    assert shown_name("../../etc/passwd") == "passwd"
    assert shown_name("C:\\windows\\x.mid") == "x.mid"
    assert shown_name("a\x00b\n.mid") == "ab.mid"
    assert shown_name("") == "the file"
    assert safe_name("../..") == "tune"
    assert safe_name("a/b:c*?") == "b-c"
    assert len(safe_name("x" * 500)) == 60


def test_sessions_have_a_bound_on_size_number_and_age():
    now = [0.0]
    sessions = Sessions(StudioLimits(sessions=2, session_bytes=10, session_hours=1), clock=lambda: now[0])
    ids = [f"{number:032x}" for number in range(3)]
    for session_id in ids[:2]:
        sessions.put(session_id, b"{}")
    assert sessions.get(ids[0]) == b"{}"
    sessions.put(ids[2], b"{}")
    assert [sessions.get(session_id) is not None for session_id in ids] == [True, False, True]
    with pytest.raises(SessionError, match="larger"):
        sessions.put(ids[0], b"x" * 11)
    with pytest.raises(SessionError, match="32 hexadecimal"):
        sessions.put("../x", b"{}")
    now[0] = 3601.0
    assert len(sessions) == 0
