"""The files of the studio, by reference, and the pieces in them.

A *reference* is a text that a page may send in place of a file: ``example/0`` of those in the package, ``opened/1`` of
those that the command was given, ``upload/`` and a SHA-256 of one that a page sent before. Uploads, and pieces that
were read, are kept within bounds; a request for an upload that is no longer kept gets its reference, and sends it
again.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from melodyvae.config import MelodyConfig
from melodyvae.studio.limits import StudioLimits
from melodyvae.studio.reading import Piece, Reader, ReadingError, Upload, shown_name


class MissingFileError(Exception):
    """An upload is not kept any more; its argument is the reference."""


class Pieces:
    """Files by reference, and what was read from them."""

    def __init__(
        self, limits: StudioLimits, reader: Reader, examples: Sequence[Path], opened: Sequence[Path] = ()
    ) -> None:
        self.limits = limits
        self.reader = reader
        self._folders = {"example": tuple(examples), "opened": tuple(opened)}
        self._uploads: OrderedDict[str, tuple[bytes, str]] = OrderedDict()
        self._pieces: OrderedDict[Upload, Piece] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, data: bytes, name: str) -> str:
        """The reference of an upload, which is kept."""
        suffix = Path(shown_name(name)).suffix.lower()  # it says how the bytes are read
        reference = f"upload/{hashlib.sha256(suffix.encode() + b'/' + data).hexdigest()}"
        with self._lock:
            self._uploads.pop(reference, None)
            self._uploads[reference] = data, name
            while len(self._uploads) > self.limits.kept_files or self._kept_bytes > self.limits.kept_file_bytes:
                self._uploads.popitem(last=False)
        return reference

    def file(self, reference: str) -> tuple[bytes, str]:
        """The bytes of a file and its name.

        Raises:
            ReadingError: if there is no such file, or it cannot be read.
            MissingFileError: if it was an upload and is not kept any more.
        """
        kind, _, place = reference.partition("/")
        if kind == "upload":
            with self._lock:
                if reference not in self._uploads:
                    raise MissingFileError(reference)
                self._uploads.move_to_end(reference)
                return self._uploads[reference]
        paths = self._folders.get(kind, ())
        if not (place.isascii() and place.isdecimal() and len(place) < 6 and int(place) < len(paths)):
            raise ReadingError(f"there is no file {reference!r:.80}")
        path = paths[int(place)]
        try:
            if path.stat().st_size > self.limits.upload_bytes:
                raise ReadingError(f"{path.name} is larger than {self.limits.upload_bytes / 2**20:g} MiB")
            return path.read_bytes(), path.name
        except OSError as error:
            raise ReadingError(f"{path.name}: {error.strerror}") from error

    def read(
        self,
        reference: str,
        config: MelodyConfig,
        track: str = "auto",
        meter: tuple[int, int] | None = None,
        with_song: bool = False,
    ) -> Piece:
        """The piece in a file on a model's grid; waits for those before it.

        Args:
            reference: of the file.
            config: the model's.
            track: ``auto``, a number (from 1) or a name.
            meter: of bars to be laid over it; None keeps its own.
            with_song: keep the notes of the other tracks, too.

        Raises:
            ReadingError: if it cannot be read, or takes more than the limits.
            MissingFileError: as :meth:`file`.
        """
        data, name = self.file(reference)
        upload = Upload(data, name, track, meter, config.steps_per_quarter, with_song)
        with self._lock:
            if upload in self._pieces:
                self._pieces.move_to_end(upload)
                return self._pieces[upload]
        piece = self.reader.read(upload)
        with self._lock:
            self._pieces[upload] = piece
            while self._held > self.limits.kept_notes:
                self._pieces.popitem(last=False)
        return piece

    @property
    def _held(self) -> int:
        """Size of the kept pieces: their notes, and their files at a note per 32 bytes."""
        return sum(piece.notes + len(upload.data) // 32 for upload, piece in self._pieces.items())

    @property
    def _kept_bytes(self) -> int:
        return sum(len(data) for data, _ in self._uploads.values())
