"""Who may ask: a token, the right ``Host``, the right ``Origin``, and bounded bodies; and what the browser may do.

The studio runs on machines that several people use. A page of somebody else's must not reach it (cross-site requests),
not even under a name that was made to point here (DNS rebinding), and no other user of the machine may without the
token, which only the address holds that was printed to its owner.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_HEADER = "x-studio-token"
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
OPEN_FOLDERS = ("/static/",)  # the page's own code, which is no secret and is the same on every machine
UNSAFE = frozenset({"POST", "PUT", "DELETE", "PATCH"})
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data: blob:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
}
FRAMED_BY = "http://localhost:* http://127.0.0.1:* vscode-webview:"


class Guard:
    """The application behind checks of host, origin, token and size, its answers with strict headers.

    Args:
        app: the application.
        token: what the address must hold, or the header ``X-Studio-Token``.
        host: where the server listens; anything but loopback also lets in requests to this machine's own addresses.
        port: likewise.
        body_bytes: by path prefix, how large a request's body may be; of several the longest prefix counts.
        framed: whether a notebook on this machine may show the page in a frame.
    """

    def __init__(
        self, app: ASGIApp, token: str, host: str, port: int, body_bytes: dict[str, int], framed: bool = False
    ) -> None:
        self.app = app
        self.token = token
        self.host = host
        self.port = port
        self.body_bytes = body_bytes
        self.is_open = host not in LOOPBACK_NAMES
        ancestors = FRAMED_BY if framed else "'none'"
        self.policy = "; ".join(f"{name} {value}" for name, value in (POLICY | {"frame-ancestors": ancestors}).items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it with a sentence."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets
            return
        refused = self._refusal(scope)
        if refused is not None:
            await PlainTextResponse(refused[1] + "\n", refused[0])(scope, receive, self._with_headers(send))
            return
        limit = self._limit(scope["path"])
        await self.app(scope, _bounded(receive, limit), self._with_headers(send))

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and sentence, if the request is not to be answered."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self.knows_host(host):
            return 421, "this server answers to its own address only"
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return 403, "this request comes from another page"
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not _is_visit(scope, headers):
            return 403, "this request comes from another page"
        path: str = scope["path"]
        if not path.startswith(OPEN_FOLDERS) and not self._has_token(scope, headers):
            return 403, "open the address that `melodyvae studio` printed, with its token"
        if scope["method"] in UNSAFE:
            length = headers.get("content-length", "")
            if length.isdecimal() and int(length) > self._limit(path):
                return 413, f"the request is larger than {self._limit(path) / 2**20:g} MiB"
        return None

    def knows_host(self, host: str) -> bool:
        """Whether a ``Host`` header names this server.

        A name that an attacker makes point here is never one of these. An open server also answers to numeric
        addresses, which no DNS server can make up, and to the machine's own name.
        """
        name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        if port != str(self.port):
            return False
        name = name.removeprefix("[").removesuffix("]").lower()
        if name in LOOPBACK_NAMES:
            return True
        if not self.is_open:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in (self.host.lower(), socket.gethostname().lower(), socket.getfqdn().lower())
        return True

    def _has_token(self, scope: Scope, headers: Headers) -> bool:
        given = headers.get(TOKEN_HEADER)
        if given is None and scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return hmac.compare_digest((given or "").encode(), self.token.encode())

    def _limit(self, path: str) -> int:
        return self.body_bytes[max((prefix for prefix in self.body_bytes if path.startswith(prefix)), key=len)]

    def _with_headers(self, send: Send) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["content-security-policy"] = self.policy
                headers["x-content-type-options"] = "nosniff"
                headers["referrer-policy"] = "no-referrer"
                headers["cross-origin-resource-policy"] = "same-origin"
                headers["cross-origin-opener-policy"] = "same-origin"
                headers.setdefault("cache-control", "no-store")
            await send(message)

        return send_with_headers


class TooLargeError(RuntimeError):
    """A body went beyond its bound while it was read."""


def _is_visit(scope: Scope, headers: Headers) -> bool:
    """Whether somebody follows a link or opens a frame, which must hold the token like any other visit."""
    return scope["method"] == "GET" and scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"


def _bounded(receive: Receive, limit: int) -> Receive:
    """``receive`` that stops at ``limit`` bytes, for bodies that do not say how long they are."""
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > limit:
                raise TooLargeError(f"the request is larger than {limit / 2**20:g} MiB")
        return message

    return bounded
