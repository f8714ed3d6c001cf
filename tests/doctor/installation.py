"""An installation to look at, of which each test breaks one thing."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from operations.doctor.finding import Finding, Level
from runtime.settings import Settings

NOWHERE = "http://127.0.0.1:9"
"""Where nobody listens."""


def settings_of(directory: Path, *, odoo: str = NOWHERE, service: str = NOWHERE, **more: Any) -> Settings:
    """One Odoo, one service, one route."""
    for name in ("key", "webhook", "signing"):
        (directory / name).write_text(f"made-up-secret-of-{name}", encoding="utf-8")
    route = {
        "path": "event",
        "dialect": "event",
        "odoo": "main",
        "services": ["draw"],
        "auth": {"kind": "header", "name": "X-Api-Key", "secret": f"file:{directory / 'webhook'}"},
        "callback": {"path": "/callback"},
    }
    auth = {"kind": "bearer", "secret": f"file:{directory / 'key'}"}
    tree: dict[str, Any] = {
        "starter": {"public_base_url": NOWHERE},
        "store": {"path": str(directory / "images"), "signing_key": f"file:{directory / 'signing'}"},
        "odoos": {"main": {"database": "acme", "base_url": odoo}},
        "services": {"draw": {"kind": "openai", "base_url": service, "auth": auth, "allow_private_hosts": True}},
        "routes": {"event": route},
    }
    for section, changes in more.items():
        tree[section] = {**tree.get(section, {}), **changes}
    return Settings.model_validate(tree)


def levels(findings: list[Finding]) -> dict[str, Level]:
    """The level of each subject; every finding that is not ok has a remedy, every other has none."""
    for finding in findings:
        assert bool(finding.remedy) == (finding.level is not Level.OK), finding
        assert "\n" not in finding.fact + finding.remedy, finding
    return {finding.subject: finding.level for finding in findings}


def the(findings: list[Finding], subject: str) -> Finding:
    """The one finding about that subject."""
    (found,) = [finding for finding in findings if finding.subject == subject]
    return found


@contextlib.asynccontextmanager
async def tls_server(directory: Path, ends_in: timedelta) -> AsyncIterator[str]:
    """A host with a certificate of its own making that ends then (negative = has ended); gives its URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(directory, ends_in))

    async def close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"


def _self_signed(directory: Path, ends_in: timedelta) -> Path:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=90))
        .not_valid_after(now + ends_in)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = directory / "certificate.pem"
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file
