"""AES-256-GCM with key ids: what it hides, what it refuses, what rotation leaves readable."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from runtime.codec import KEY_ID, DecryptionError, EncryptionCodec, KeyRing, key_id
from runtime.codec_conversion import data_converter
from runtime.encryption_settings import EncryptionSettings
from runtime.secrets import SecretMissingError

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
CLEAR = Payload(metadata={"encoding": b"json/plain"}, data=b'"a red bicycle"')


async def sealed(*keys: bytes) -> Payload:
    (payload,) = await EncryptionCodec(KeyRing(keys)).encode([CLEAR])
    return payload


async def opened(payload: Payload, *keys: bytes) -> Payload:
    (clear,) = await EncryptionCodec(KeyRing(keys)).decode([payload])
    return clear


async def test_the_payload_is_hidden_and_the_key_is_named() -> None:
    payload = await sealed(NEW, OLD)
    assert payload.metadata[KEY_ID] == key_id(NEW).encode()
    assert b"bicycle" not in payload.SerializeToString()
    assert b"json" not in payload.SerializeToString()
    assert payload.data != (await sealed(NEW, OLD)).data, "a nonce was used twice"
    assert await opened(payload, NEW) == CLEAR


async def test_old_keys_stay_readable_after_rotation() -> None:
    assert await opened(await sealed(OLD), NEW, OLD) == CLEAR


async def test_what_was_never_encrypted_stays_readable() -> None:
    assert await opened(CLEAR, NEW) == CLEAR
    assert await sealed() == CLEAR


@pytest.mark.parametrize(("keys", "known"), [((NEW,), f"has only {key_id(NEW)}"), ((), "is not set")])
async def test_a_missing_key_is_named(keys: tuple[bytes, ...], known: str) -> None:
    with pytest.raises(DecryptionError) as refused:
        await opened(await sealed(OLD), *keys)
    assert str(refused.value) == (
        f"a payload is encrypted with the key {key_id(OLD)}, but encryption.keys {known}: add a reference to that key"
    )


@given(position=st.integers(0, 10_000), flip=st.integers(1, 255))
async def test_a_payload_that_was_changed_is_refused(position: int, flip: int) -> None:
    payload = await sealed(NEW)
    data = bytearray(payload.data)
    data[position % len(data)] ^= flip
    with pytest.raises(DecryptionError, match="damaged or forged"):
        await opened(Payload(metadata=payload.metadata, data=bytes(data)), NEW)


@pytest.mark.parametrize("data", [b"", b"short", bytes(12)])
async def test_a_payload_that_was_cut_off_is_refused(data: bytes) -> None:
    payload = await sealed(NEW)
    with pytest.raises(DecryptionError, match="damaged or forged"):
        await opened(Payload(metadata=payload.metadata, data=data), NEW)


async def test_a_payload_under_another_key_s_name_is_refused() -> None:
    payload = await sealed(NEW)
    renamed = Payload(metadata={**payload.metadata, KEY_ID: key_id(OLD).encode()}, data=payload.data)
    with pytest.raises(DecryptionError, match="damaged or forged"):
        await opened(renamed, NEW, OLD)


async def test_the_text_of_a_failure_is_hidden_and_comes_back() -> None:
    converter, failure = data_converter(KeyRing([NEW])), Failure()
    cause = ValueError("prompt: a red bicycle")
    error = ApplicationError("refused: a red bicycle", {"prompt": "a red bicycle"}, type="Refused")
    error.__cause__ = cause
    await converter.encode_failure(error, failure)
    assert b"bicycle" not in failure.SerializeToString()
    assert failure.application_failure_info.type == "Refused", "lists and retry policies need the type"
    back = await converter.decode_failure(failure)
    assert (str(back), str(back.__cause__)) == ("Refused: refused: a red bicycle", "ValueError: prompt: a red bicycle")


async def test_an_encrypted_failure_reads_without_encryption_only_by_its_type() -> None:
    failure = Failure()
    await data_converter(KeyRing([NEW])).encode_failure(ApplicationError("a red bicycle", type="Refused"), failure)
    with pytest.raises(DecryptionError, match="is not set"):
        await data_converter(KeyRing()).decode_failure(failure)


@pytest.mark.parametrize("content", ["c2hvcnQ=", "not base64 at all!", "é", "A" * 44])
def test_a_key_that_is_none_is_refused_without_being_repeated(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SecretMissingError) as refused:
        KeyRing.of(EncryptionSettings(keys=f"file:{file}"))
    assert f"the secret file:{file} is no key" in str(refused.value)
    assert content not in str(refused.value)
