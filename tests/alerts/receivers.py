"""Where alerts arrive in tests: a mail server that speaks SMTP and a webhook that speaks HTTP, both on real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Mailbox:
    """What a mail server has taken."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    answer: str = "250 OK"
    """What it says to every mail."""

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        if self.answer.startswith("250"):
            content = envelope.content if isinstance(envelope.content, bytes) else b""
            mail = message_from_bytes(content, policy=policy.default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
            self.recipients += envelope.rcpt_tos
        return self.answer

    @property
    def url(self) -> str:
        """Its Apprise URL."""
        return f"mailto://127.0.0.1:{self.port}?mode=insecure&from=orchestrator@example.com&to=ops@example.com"

    @property
    def texts(self) -> list[str]:
        """Subject and text of each mail."""
        return [f"{mail['subject']}\n{_text(mail)}" for mail in self.mails]


def _text(mail: EmailMessage) -> str:
    part = mail.get_body(("plain", "html"))
    return part.get_content() if part else ""


@asynccontextmanager
async def mail_server(box: Mailbox, port: int = 0) -> AsyncIterator[Mailbox]:
    """A mail server that puts everything into the box."""
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(box, enable_SMTPUTF8=True), "127.0.0.1", port)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await server.wait_closed()


@dataclass
class Webhook:
    """What was posted to an HTTP server."""

    port: int = 0
    status: int = 200
    posts: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of the posts that were answered with 200."""
    tries: int = 0
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def url(self, path: str = "hook") -> str:
        """Its Apprise URL."""
        return f"json://127.0.0.1:{self.port}/{path}"

    @property
    def texts(self) -> list[str]:
        """Title and text of each post."""
        return [f"{post['title']}\n{post['message']}" for post in self.posts]

    async def until(self, count: int) -> list[str]:
        """Wait until so many were taken."""
        async with asyncio.timeout(30):
            while len(self.posts) < count:
                self.came.clear()
                await self.came.wait()
        return self.texts

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        (length,) = [line.split(":")[1] for line in head.lower().splitlines() if line.startswith("content-length:")]
        body = await reader.readexactly(int(length))
        self.tries += 1
        if self.status == 200:
            self.posts.append(json.loads(body))
        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()
        self.came.set()


@asynccontextmanager
async def webhook_server(hook: Webhook | None = None, port: int = 0) -> AsyncIterator[Webhook]:
    """An HTTP server that takes every post."""
    hook = hook or Webhook()
    server = await asyncio.start_server(hook._serve, "127.0.0.1", port)  # noqa: SLF001 - the same module
    hook.port = server.sockets[0].getsockname()[1]
    try:
        yield hook
    finally:
        server.close()
        await server.wait_closed()
