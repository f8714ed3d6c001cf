"""What a stand-in keeps in memory: bounded, newest stay."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

from starlette.responses import PlainTextResponse, Response

Key = TypeVar("Key")
Value = TypeVar("Value")


class Newest(Generic[Key, Value]):
    """A mapping that forgets the entry written longest ago once it holds more than `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: OrderedDict[Key, Value] = OrderedDict()

    def put(self, key: Key, value: Value) -> None:
        """Keep the value under the key as the newest."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)

    def get(self, key: Key) -> Value | None:
        """The value, or None where there is none (any more)."""
        return self._entries.get(key)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()


@dataclass(frozen=True, slots=True)
class ShelvedFile:
    """A file to hand out."""

    content: bytes
    media_type: str


class FileShelf:
    """The newest files by the SHA-256 of their bytes (hex)."""

    def __init__(self, limit: int = 500) -> None:
        self._files: Newest[str, ShelvedFile] = Newest(limit)

    def add(self, content: bytes, media_type: str) -> str:
        """Keep a file; gives its SHA-256."""
        sha256 = hashlib.sha256(content).hexdigest()
        self._files.put(sha256, ShelvedFile(content, media_type))
        return sha256

    def respond(self, sha256: str) -> Response:
        """The file as an HTTP answer, or a 404."""
        file = self._files.get(sha256)
        if file is None:
            return PlainTextResponse("no such file, or forgotten by now", 404)
        return Response(file.content, media_type=file.media_type)

    def clear(self) -> None:
        """Forget every file."""
        self._files.clear()
