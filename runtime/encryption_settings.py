"""Encryption of what Temporal stores, and the codec server by which its Web UI shows clear text."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from runtime.auth_settings import BasicAuth, BearerAuth, HeaderAuth, JwtAuth
from runtime.secrets import SecretRefs
from runtime.settings_values import Origin, Section

ReaderAuth = Annotated[BasicAuth | HeaderAuth | BearerAuth | JwtAuth, Field(discriminator="kind")]
"""How those authenticate who may read clear text. There is no `none`."""


class EncryptionSettings(Section):
    """Encryption of payloads (AES-256-GCM) before they reach Temporal. docs/security.md says what it covers."""

    keys: SecretRefs | None = None
    """References to keys (`orchestrator keys new` makes one): the first encrypts, all decrypt. Not set = clear text."""


class CodecServerSettings(Section):
    """`orchestrator codec-server`: decrypts for the Web UI and the `temporal` command line."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address it listens on."""
    port: int = Field(default=8888, ge=0, le=65_535)
    """Port it listens on; 0 = a free one."""
    auth: ReaderAuth | None = None
    """Who may read clear text; it does not start without. basic suits browsers, jwt a Web UI with single sign-on."""
    origins: tuple[Origin, ...] = Field(default=("http://127.0.0.1:8233", "http://localhost:8233"), min_length=1)
    """Origins of the Web UIs whose pages may ask it."""
    namespaces: tuple[str, ...] = ()
    """Temporal namespaces that are served. Not set = all."""
    body_limit: int = Field(default=16 * 2**20, ge=2**10, le=256 * 2**20)
    """Largest request body in bytes: a page of history events with their payloads."""
