"""Payload encryption: AES-256-GCM with the key's id in the payload's metadata; old keys still decrypt.

What is not encrypted passes through, so that histories from before encryption stay readable.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from runtime.encryption_settings import EncryptionSettings
from runtime.secrets import SecretMissingError, references, resolve

ENCODING = b"binary/encrypted"
"""`encoding` in the metadata of an encrypted payload."""
KEY_ID = "encryption-key-id"
"""Where its metadata names the key."""
KEY_BYTES = 32
_NONCE_BYTES = 12
_ID_BYTES = 6


class DecryptionError(Exception):
    """A payload cannot be decrypted. The message is one line that names the key's id and what to do."""


class KeyRing:
    """Keys by id; the first encrypts. Without any key nothing is encrypted."""

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        self._ciphers = {key_id(key): AESGCM(key) for key in keys}
        self.ids = tuple(self._ciphers)
        """Ids of the keys, that of the active one first."""

    @classmethod
    def of(cls, settings: EncryptionSettings) -> KeyRing:
        """The keys behind the references; raises `SecretMissingError`, which names the one that cannot be used."""
        return cls([read_key(reference) for reference in references(settings.keys or ())])

    @property
    def active(self) -> str | None:
        """Id of the key that encrypts; None = nothing is encrypted."""
        return self.ids[0] if self.ids else None

    def encrypt(self, key: str, clear: bytes) -> bytes:
        """Nonce and ciphertext, bound to the id of the key."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._ciphers[key].encrypt(nonce, clear, _bound(key))

    def decrypt(self, key: str, sealed: bytes) -> bytes:
        """The clear text; raises `DecryptionError`."""
        cipher = self._ciphers.get(key)
        if cipher is None:
            known = f"has only {', '.join(self.ids)}" if self.ids else "is not set"
            raise DecryptionError(
                f"a payload is encrypted with the key {key}, but encryption.keys {known}: add a reference to that key"
            )
        try:
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound(key))
        except (InvalidTag, ValueError):
            raise DecryptionError(f"a payload that names the key {key} was damaged or forged") from None


class EncryptionCodec(PayloadCodec):
    """Encrypts every payload with the active key, decrypts with the key that the payload names."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """The payloads encrypted, or as they are where there is no key."""
        active = self._keys.active
        return list(payloads) if active is None else [self._sealed(active, payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """The payloads in clear text; raises `DecryptionError`."""
        return [self._opened(payload) if is_encrypted(payload) else payload for payload in payloads]

    def _sealed(self, key: str, payload: Payload) -> Payload:
        data = self._keys.encrypt(key, payload.SerializeToString())
        return Payload(metadata={"encoding": ENCODING, KEY_ID: key.encode()}, data=data)

    def _opened(self, payload: Payload) -> Payload:
        key = payload.metadata[KEY_ID].decode("ascii", "replace") or "unknown"
        clear = self._keys.decrypt(key, payload.data)
        try:
            return Payload.FromString(clear)
        except DecodeError:
            raise DecryptionError(f"what the key {key} decrypts is no payload: another program wrote it") from None


def is_encrypted(payload: Payload) -> bool:
    """Whether only the key that its metadata names makes it readable."""
    return payload.metadata.get("encoding") == ENCODING


def new_key() -> str:
    """A new random key, as a secret holds it: 32 bytes in base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def key_id(key: bytes) -> str:
    """The id of a key, derived from it, so that no id can ever stand for two keys. Tells nothing of the key."""
    return hashlib.sha256(b"payload-key-id:" + key).digest()[:_ID_BYTES].hex()


def read_key(reference: str) -> bytes:
    """The key behind a reference; raises `SecretMissingError`, which names the reference, where it is none."""
    try:
        key = base64.b64decode(resolve(reference), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SecretMissingError(
            f"the secret {reference} is no key: it must be {KEY_BYTES} bytes in base64;"
            " `orchestrator keys new` makes one"
        )
    return key


def _bound(key: str) -> bytes:
    return ENCODING + b"\0" + key.encode()
