"""The studio's ways in: the command, and the frame in a notebook."""

import signal
import subprocess
import sys
import threading
import webbrowser
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname, urlopen

import pytest

import melodyvae
from tests.children import start_child
from tests.cli.test_cli import run
from tests.studio.conftest import MILLISECONDS, TUNES


def test_the_command_says_where_the_page_is_and_ends_with_ctrl_c():
    command = [sys.executable, "-m", "melodyvae", "studio", "--no-browser", TUNES / "twinkle.mid"]
    with start_child(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            url = server.stdout.readline().split()[-1]
            assert url.startswith("http://127.0.0.1:")
            assert b"melodyvae studio" in urlopen(url).read()
        finally:
            server.send_signal(signal.SIGINT)
            _, errors = server.communicate(timeout=60)
    assert (errors, server.returncode) == ("", 0)


def test_what_cannot_be_opened_is_said(studio, tmp_path):
    assert "does not exist" in run("studio", tmp_path / "missing.mid", status=2)
    assert "no model 'nope'" in run("studio", "--no-browser", "--model", "nope", status=1)
    assert "a melody model is needed" in run("studio", "--no-browser", "--model", "digits-2d", status=1)
    assert "cannot listen on 127.0.0.1" in run("studio", "--no-browser", "--port", str(studio.port), status=1)


class SilentStudio:
    """A studio that serves nothing."""

    url = "http://127.0.0.1:1/?token=a&b"

    def __init__(self, *_, **__):
        pass

    def run(self):
        pass


def test_what_another_host_than_loopback_means_is_said(monkeypatch):
    monkeypatch.setattr("melodyvae.studio.server.Studio", SilentStudio)
    assert "Anyone who can reach 0.0.0.0 on the network" in run("studio", "--no-browser", "--host", "0.0.0.0")
    assert "Anyone" not in run("studio", "--no-browser")


def test_the_browser_gets_the_token_by_a_file_that_only_its_owner_reads(monkeypatch):
    monkeypatch.setattr("melodyvae.studio.server.Studio", SilentStudio)
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    run("studio")
    (address,) = opened
    page = Path(url2pathname(urlsplit(address).path))
    assert "token" not in address
    assert escape(SilentStudio.url) in page.read_text()
    assert page.stat().st_mode & 0o077 == 0


def test_a_notebook_shows_the_page_in_a_frame(browser, open_page):
    found = melodyvae.studio(TUNES / "twinkle.mid", height=700)
    frame = found._repr_html_().encode()

    class Notebook(BaseHTTPRequestHandler):
        def do_GET(self):  # the server calls it so
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html>" + frame)

        def log_message(self, *_):
            pass

    notebook = ThreadingHTTPServer(("127.0.0.1", 0), Notebook)
    threading.Thread(target=notebook.serve_forever, daemon=True).start()
    page = browser.new_page()
    try:
        page.set_default_timeout(MILLISECONDS)
        page.goto(f"http://localhost:{notebook.server_address[1]}/")
        inside = page.frame_locator("iframe")
        inside.locator(".card").wait_for()
        assert inside.locator(".card").count() == 1
    finally:
        page.close()
        notebook.shutdown()
        notebook.server_close()
        found.stop()
    with pytest.raises(FileNotFoundError, match=r"there is no file nothing\.mid"):
        melodyvae.studio(Path("nothing.mid"))
