"""The HTTP hosts that an installation calls, and one look at each: its clock and its certificate."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
from cryptography import x509

from runtime.settings import Settings

PROBE_S = 10.0
"""Seconds for one look."""
_HTTPS = 443


@dataclass(frozen=True, slots=True)
class Host:
    """A host that is called, under the name that operators know it by."""

    name: str
    url: str

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port of its TLS; None where it speaks plain HTTP."""
        parts = urlsplit(self.url)
        return (parts.hostname or "", parts.port or _HTTPS) if parts.scheme == "https" else None


def hosts_of(settings: Settings) -> list[Host]:
    """Every host that is called, each once."""
    hosts = [Host(f"odoo {name}", odoo.base_url) for name, odoo in settings.odoos.items()]
    hosts += [Host(f"service {name}", service.base_url) for name, service in settings.services.items()]
    hosts += [Host("store", settings.store.endpoint)] if settings.store.endpoint else []
    hosts += [Host("starter", settings.starter.public_base_url)]
    by_origin: dict[tuple[str, str], Host] = {}
    for host in hosts:
        parts = urlsplit(host.url)
        by_origin.setdefault((parts.scheme, parts.netloc), host)
    return list(by_origin.values())


def reason(error: Exception) -> str:
    """Why a host did not answer, in a few words."""
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}"
    text = str(error) or type(error).__name__
    return text if len(text) < 200 else text[:200]  # noqa: PLR2004 - a line


async def date_of(host: Host, client: httpx.AsyncClient) -> datetime | None:
    """The time that the host names in its answer to a GET of its root; None where it names none."""
    parts = urlsplit(host.url)
    try:
        async with asyncio.timeout(PROBE_S):
            answer = await client.get(f"{parts.scheme}://{parts.netloc}/")
        return parsedate_to_datetime(answer.headers["date"])
    except (TimeoutError, httpx.HTTPError, KeyError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a host showed when TLS was begun."""

    expires: datetime | None = None
    """None where none was shown."""
    problem: str | None = None
    """Why it is refused by whoever checks it, as our own calls do."""


async def certificate_of(address: tuple[str, int]) -> Certificate:
    """The certificate at that host and port; one that cannot be trusted is read all the same. Raises `OSError`."""
    return await asyncio.to_thread(_certificate, *address)


def _certificate(host: str, port: int) -> Certificate:
    # The same authorities that the calls themselves trust.
    trusting = httpx.create_ssl_context(trust_env=False)
    try:
        return Certificate(_expiry(host, port, trusting))
    except ssl.SSLCertVerificationError as error:
        problem = error.verify_message
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    return Certificate(_expiry(host, port, careless), problem)


def _expiry(host: str, port: int, context: ssl.SSLContext) -> datetime | None:
    with (
        socket.create_connection((host, port), PROBE_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        shown = secured.getpeercert(binary_form=True)
    return x509.load_der_x509_certificate(shown).not_valid_after_utc if shown else None
