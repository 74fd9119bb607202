"""The routes of the studio: the page, its code, and an API in JSON over the model's verbs.

Every answer to a verb is a stream of JSON lines: ``{"progress": 0.4}`` while it works (null while it waits, and where
nobody knows), and last ``{"result": ...}`` or ``{"error": "a sentence"}``, or ``{"stale": true}`` where a newer request
of the same page took its place, or ``{"missing": "upload/..."}`` where a file is not kept any more and must be sent
again. A page that closes the connection cancels its request.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from html import escape
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from melodyvae.studio.engine import AUTO, BusyError, Engine, Job, JobError, StaleError
from melodyvae.studio.limits import MAX_NUMBER, StudioLimits
from melodyvae.studio.pieces import MissingFileError, Pieces
from melodyvae.studio.reading import Reader, ReadingError
from melodyvae.studio.security import Guard, TooLargeError
from melodyvae.studio.sessions import Sessions
from melodyvae.system.errors import UserError

if TYPE_CHECKING:
    from melodyvae.studio.requests import TuneSource, VerbRequest

ROOT = Path(str(resources.files("melodyvae.studio")))
STATIC = ROOT / "static"
EXAMPLES = ROOT / "examples"
PROGRESS_SECONDS = 0.15
MAX_CHANNEL = 80  # characters
LINES_TYPE = "application/x-ndjson"


class StudioError(UserError, RuntimeError):
    """The studio cannot start."""


class Studio:
    """One server: its models, its reader, its files, its sessions; a notebook shows its page in a frame.

    Attributes:
        frame_height: in pixels; 0 allows no frame.
    """

    def __init__(
        self,
        model_name: str = AUTO,
        files: Sequence[Path] = (),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        limits: StudioLimits | None = None,
        frame_height: int = 0,
    ) -> None:
        self.limits = limits or StudioLimits()
        self.files = tuple(files)
        self.token = secrets.token_urlsafe(24)
        self.host = host
        self.engine = Engine(model_name, self.limits)
        if model_name != AUTO:
            self.engine.model()  # so that a model that cannot be used is told before there is a page
        self._socket = _listening(host, port)
        self.port: int = self._socket.getsockname()[1]
        self.reader = Reader(self.limits)
        self.reader.start()
        self.pieces = Pieces(self.limits, self.reader, _examples(), self.files)
        self.sessions = Sessions(self.limits)
        self.frame_height = frame_height
        self.app = self._application()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address of the page; who has it can use the studio."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(
            self.host, f"[{self.host}]" if ":" in self.host else self.host
        )
        return f"http://{host}:{self.port}/?token={self.token}"

    def _repr_html_(self) -> str:
        return (
            f'<iframe src="{escape(self.url)}" title="melodyvae studio" width="100%" height="{self.frame_height}" '
            'allow="midi; autoplay; clipboard-write" style="border:0;border-radius:12px"></iframe>'
        )

    def __repr__(self) -> str:
        return f"melodyvae studio at {self.url}"

    def run(self) -> None:
        """Serve until interrupted."""
        config = uvicorn.Config(
            self.app,
            log_level="warning",
            access_log=False,  # addresses hold the token
            server_header=False,
            proxy_headers=False,
            ws="none",
            limit_concurrency=self.limits.connections,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self.close()

    def start(self) -> None:
        """Serve in a thread; :meth:`stop` ends it."""
        self._thread = threading.Thread(target=self.run, name="studio", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the server that :meth:`start` began; the page then says so."""
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout=10)

    def close(self) -> None:
        """Give back what is held: the engine's thread, the reader's process, the socket."""
        self.engine.close()
        self.reader.close()
        self._socket.close()

    def _application(self) -> Guard:
        limits = self.limits
        routes = [
            Route("/", partial(_page, self)),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/api/state", partial(_state, self)),
            Route("/api/read", partial(_read, self), methods=["POST"]),
            Route("/api/{kind}/{number:int}", partial(_held, self), methods=["POST"]),
            Route("/api/do/{verb}", partial(_do, self), methods=["POST"]),
            Route("/api/midi", partial(_made, self), methods=["POST"]),
            Route("/api/zip", partial(_made, self), methods=["POST"]),
            Route("/api/soundfont", partial(_soundfont, self)),
            Route("/api/session/{id}", partial(_session, self), methods=["GET", "PUT", "POST"]),
        ]
        bounds = {
            "/": 0,
            "/api/": limits.request_bytes,
            "/api/read": limits.upload_bytes,
            "/api/midi": limits.tunes_bytes,
            "/api/zip": limits.tunes_bytes,
            "/api/session/": limits.session_bytes,
        }
        app = Starlette(routes=routes, exception_handlers=ERRORS)
        return Guard(app, self.token, self.host, self.port, bounds, framed=self.frame_height > 0)


def _sentence(status: int) -> Callable[[Request, Exception], Response]:
    """Answer an error with its sentence in JSON."""

    def answer(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, status)

    return answer


def _refused(request: Request, error: Exception) -> Response:
    """Answer a refusal with its own status."""
    assert isinstance(error, HTTPException)  # for mypy: it is registered for these
    return JSONResponse({"error": error.detail}, error.status_code)


ERRORS: dict[Any, Callable[[Request, Exception], Response]] = {
    HTTPException: _refused,
    TooLargeError: _sentence(413),
    BusyError: _sentence(503),
    ClientDisconnect: _sentence(400),
}


async def _page(studio: Studio, request: Request) -> Response:
    return FileResponse(STATIC / "index.html")


async def _state(studio: Studio, request: Request) -> Response:
    """The model and what else the page must know; waits until the model is loaded."""
    from melodyvae import __version__

    model = await _loaded(studio)
    from melodyvae.studio.verbs import describe

    return JSONResponse(
        {
            "version": __version__,
            "model": describe(model, studio.engine.first_name, studio.engine.chooses),
            "examples": [path.stem for path in _examples()],
            "opened": [path.name for path in studio.files],
            "limits": {"upload_bytes": studio.limits.upload_bytes, "notes": studio.limits.notes},
        }
    )


async def _read(studio: Studio, request: Request) -> Response:
    """The piece in the request's body."""
    reference = studio.pieces.keep(await request.body(), request.query_params.get("name", "the file"))
    return await _piece(studio, request, reference)


async def _held(studio: Studio, request: Request) -> Response:
    """The piece in one of the examples (``example``), or of the files that the command was given (``opened``)."""
    return await _piece(studio, request, "{kind}/{number}".format(**request.path_params))


async def _piece(studio: Studio, request: Request, reference: str) -> Response:
    """Data of a piece for the page; the query may ask for a ``track``, its first ``bar``, and how many ``bars``."""
    await _loaded(studio)
    from melodyvae.studio.requests import MAX_BARS, TuneSource
    from melodyvae.studio.verbs import show_piece
    from melodyvae.verbs.sources import WindowError

    query = request.query_params
    first_bar, bars = _number(query.get("bar"), "bar"), _number(query.get("bars"), "bars")
    if bars is not None and bars > MAX_BARS:
        raise HTTPException(422, f"at most {MAX_BARS} bars are taken")
    track = query.get("track", "auto")[:200] or "auto"
    try:
        found = await anyio.to_thread.run_sync(_fitted, studio, None, [TuneSource(file=reference)], track)
        _, name = studio.pieces.file(reference)
        config = studio.engine.model(found.model).config
        (piece,) = found.pieces
        shown = show_piece(config, piece, name, first_bar, bars)
        return JSONResponse(shown | {"reference": reference})
    except MissingFileError as error:
        raise HTTPException(422, "the file is not kept any more; drop it again") from error
    except (ReadingError, WindowError) as error:
        raise HTTPException(422, str(error)) from error


@dataclass(frozen=True)
class _Fitted:
    """The tunes of a request in one meter.

    Attributes:
        model: the name of the model that is chosen for the request.
        pieces: one for each tune: of a file what was read, of a melody the melody.
        decisions: how tunes are fitted into bars of another meter than theirs.
    """

    model: str
    pieces: tuple[Any, ...]
    decisions: tuple[str, ...]


def _fitted(studio: Studio, asked: VerbRequest | None, tunes: Sequence[TuneSource], track: str = "auto") -> _Fitted:
    """The tunes, read, and the model for them; waits for the reader.

    Raises:
        ReadingError, MissingFileError: as :meth:`Pieces.read`.
        RequestError: if a tune is too long.
    """
    from melodyvae.music.regions import fitted_into
    from melodyvae.studio.requests import MAX_BARS, RequestError
    from melodyvae.studio.verbs import choose
    from melodyvae.verbs.meters import common_meter

    grid = studio.engine.model().config
    with_song = asked is not None and getattr(asked.options, "keep_accompaniment", False)
    found: list[Any] = []
    meters = []
    for number, tune in enumerate(tunes):
        if tune.melody is not None:
            if tune.melody.bars > MAX_BARS:
                raise RequestError(f"a melody has {tune.melody.bars} bars; at most {MAX_BARS} are taken")
            found.append(tune.melody)
            meters.append(tune.melody.meter)
            continue
        assert tune.file is not None  # for mypy: a tune is one or the other
        wanted = track if tune.track is None else str(tune.track)
        piece = studio.pieces.read(tune.file, grid, wanted, with_song=with_song and number == 0)
        found.append(piece)
        meters.append(piece.found.melody.meter)
    chosen = choose(asked) if studio.engine.chooses else studio.engine.first_name
    config, meter = studio.engine.model(chosen).config, common_meter(meters)
    meter = meter if config.room_for(meter) else config.meter
    decisions = []
    for number, (tune, own) in enumerate(zip(tunes, meters, strict=True)):
        if Fraction(*meter) == Fraction(*own):
            continue
        decisions.append(f"{'ABCD'[number] if len(tunes) > 1 else 'the tune'} is {fitted_into(own, meter)}")
        if tune.file is not None:
            wanted = track if tune.track is None else str(tune.track)
            found[number] = studio.pieces.read(tune.file, config, wanted, meter, with_song and number == 0)
    return _Fitted(chosen, tuple(found), tuple(decisions))


async def _do(studio: Studio, request: Request) -> Response:
    """The answer of a verb, as a stream of JSON lines."""
    await _loaded(studio)
    from melodyvae.studio.commands import shell_command
    from melodyvae.studio.requests import VERBS, RequestError, parse_verb
    from melodyvae.studio.verbs import perform, size_of

    verb = request.path_params["verb"]
    if verb not in VERBS:
        raise HTTPException(404, f"there is no {verb!r:.40}; there are {', '.join(VERBS)}")
    try:
        asked = parse_verb(verb, await _json(request), studio.limits)
        fitted = await anyio.to_thread.run_sync(_fitted, studio, asked, asked.tunes)
    except (RequestError, ReadingError) as error:
        raise HTTPException(422, str(error)) from error
    except MissingFileError as error:
        return _line({"missing": str(error)})
    sources = [
        piece if tune.melody is not None else piece.found
        for tune, piece in zip(asked.tunes, fitted.pieces, strict=True)
    ]

    def work(model: Any) -> dict[str, Any]:
        shown = perform(model, asked, sources)
        return shown | {"model": fitted.model, "decisions": [*fitted.decisions, *shown.get("decisions", [])]}

    page = request.query_params.get("page", "")[:MAX_CHANNEL]
    job = studio.engine.submit((page, verb), (fitted.model, *size_of(asked)), work, fitted.model)
    shell = None
    if "command" in request.query_params:
        files = [name[:200] for name in request.query_params.getlist("file")]
        bars = studio.engine.model(fitted.model).config.bars
        shell = shell_command(asked, files, studio.engine.model_name, bars)
    return StreamingResponse(_lines(job, shell), media_type=LINES_TYPE)


def _line(content: dict[str, Any]) -> Response:
    """A stream of one line."""
    return Response(json.dumps(content) + "\n", media_type=LINES_TYPE)


async def _lines(job: Job, shell: str | None) -> AsyncIterator[str]:
    future = asyncio.wrap_future(job.future)
    future.add_done_callback(lambda done: done.cancelled() or done.exception())  # looked at, if nobody waits for it
    try:
        while not (await asyncio.wait({future}, timeout=PROGRESS_SECONDS))[0]:
            yield json.dumps({"progress": job.share}) + "\n"
        yield json.dumps(_outcome(future, shell)) + "\n"
    finally:
        job.cancel()


def _outcome(future: asyncio.Future[Any], shell: str | None) -> dict[str, Any]:
    """The last line: what came of a job."""
    error = future.exception()
    if error is None:
        return {"result": future.result() | {"command": shell}}
    if isinstance(error, StaleError):
        return {"stale": True}
    if isinstance(error, JobError | ValueError):
        return {"error": str(error)}
    return {"error": f"something went wrong in the model: {type(error).__name__}"}


async def _made(studio: Studio, request: Request) -> Response:
    """The tunes in the request: one MIDI file with all in a row, or a zip of one for each."""
    from melodyvae.studio.requests import FileRequest, RequestError, ZipRequest, parse
    from melodyvae.studio.verbs import midi_file, zip_file

    is_zip = request.url.path.endswith("zip")
    kind: type[Any] = ZipRequest if is_zip else FileRequest
    make: Callable[[Any], bytes] = zip_file if is_zip else midi_file
    try:
        asked = parse(kind, await _json(request), studio.limits)
        content = await anyio.to_thread.run_sync(make, asked)
    except RequestError as error:
        raise HTTPException(422, str(error)) from error
    return Response(content, media_type="application/zip" if is_zip else "audio/midi")


async def _soundfont(studio: Studio, request: Request) -> Response:
    """The General MIDI soundfont of the installed pretty_midi."""
    path = soundfont_path()
    if path is None:
        raise HTTPException(404, "the installed pretty_midi carries no soundfont")
    return FileResponse(path, media_type="application/octet-stream", headers={"cache-control": "max-age=86400"})


async def _session(studio: Studio, request: Request) -> Response:
    """A saved session, or its saving."""
    from melodyvae.studio.sessions import SessionError

    session_id = request.path_params["id"]
    if request.method == "GET":
        found = studio.sessions.get(session_id)
        if found is None:
            raise HTTPException(404, "this session is not kept (any more)")
        return Response(found, media_type="application/json")
    data = await request.body()
    try:
        json.loads(data)
        studio.sessions.put(session_id, data)
    except (ValueError, RecursionError, SessionError) as error:
        raise HTTPException(422, str(error) if isinstance(error, SessionError) else "a session is JSON") from error
    return JSONResponse({"kept": True})


async def _loaded(studio: Studio) -> Any:
    """The model, or what became of it."""
    try:
        await asyncio.shield(asyncio.wrap_future(studio.engine.loaded))
    except Exception as error:
        raise HTTPException(500, f"the model could not be loaded: {error}") from error
    return studio.engine.model()


async def _json(request: Request) -> Any:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise HTTPException(415, "this request must be of the type application/json")
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, "the request is not JSON") from error


def _number(text: str | None, name: str) -> int | None:
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MAX_NUMBER):
        raise HTTPException(422, f"{name} is {text!r:.40}; it must be a number from 1 to {MAX_NUMBER}")
    return int(text)


def soundfont_path() -> Path | None:
    """Path of the General MIDI soundfont of the installed pretty_midi."""
    import pretty_midi

    path = Path(pretty_midi.__file__).parent / "TimGM6mb.sf2"
    return path if path.is_file() else None


def _examples() -> list[Path]:
    return sorted(EXAMPLES.glob("*.mid"))


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        StudioError: if it cannot.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(128)
    except OSError as error:
        found.close()
        raise StudioError(f"cannot listen on {host}, port {port}: {error.strerror or error}") from error
    return found
