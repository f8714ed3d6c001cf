"""Clients and the command line of an installation that has keys, and its codec server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client

from runtime.codec import KeyRing, new_key
from runtime.codec_conversion import data_converter
from runtime.encryption_settings import EncryptionSettings
from tests.operations.commandline import CommandLine, configured

READER, PASSWORD = "operator", "may-read-clear-text"
"""Who may read clear text by the codec server."""
_CONFIGURATION = """
[encryption]
keys = {keys}
[codec_server]
port = 0
auth = {{ kind = "basic", user = "{reader}", password = "file:{password}" }}
origins = {origins}
"""


def key_file(directory: Path, name: str) -> str:
    """A reference to a new key."""
    file = directory / name
    file.write_text(new_key(), encoding="utf-8")
    return f"file:{file}"


def ring(*references: str) -> KeyRing:
    """The keys behind the references."""
    return KeyRing.of(EncryptionSettings(keys=references))


async def client_with(address: str, *references: str) -> Client:
    """A client that encrypts with the first of these keys; without any, one of an installation without encryption."""
    return await Client.connect(address, data_converter=data_converter(ring(*references) if references else KeyRing()))


def encrypted(
    directory: Path, address: str, *references: str, origins: tuple[str, ...] = ("http://ui.example",)
) -> CommandLine:
    """A command line whose configuration names these keys."""
    line = configured(directory, address)
    password = directory / "password"
    password.write_text(PASSWORD, encoding="utf-8")
    more = _CONFIGURATION.format(
        keys=json.dumps(references), reader=READER, password=password, origins=json.dumps(origins)
    )
    line.config.write_text(line.config.read_text(encoding="utf-8") + more, encoding="utf-8")
    return line


@asynccontextmanager
async def codec_server(line: CommandLine) -> AsyncIterator[str]:
    """`orchestrator codec-server` as a process; gives its URL."""
    process = await line.start("codec-server", "--json")
    assert process.stdout is not None
    try:
        ready = json.loads(await process.stdout.readline() or b'{"event": "ended"}')
        assert ready["event"] == "codec_server_ready", ready
        yield ready["url"]
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()
