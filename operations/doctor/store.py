"""The image store: whether it keeps what it is given, and whether it has room."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from pathlib import Path

from operations.doctor.finding import Finding, fail, ok, warn
from runtime.secrets import SecretMissingError
from runtime.settings import Settings
from runtime.store_check import StoreUnusableError, usable_store
from runtime.store_settings import StoreSettings

LOW_SHARE, LOW_BYTES = 0.1, 2 * 10**9
"""What is little room: less than both of this share and this many bytes."""
FULL_BYTES = 200 * 10**6
"""Bytes below which some hundred images fill it."""
_ROOM = "free some, or shorten store.retention_s (orchestrator store sweep --dry-run)"


async def look(settings: Settings) -> list[Finding]:
    """Write, read, list and delete a value; look at the free space of a directory, and at the key that signs URLs."""
    store = settings.store
    try:
        await usable_store(store)
    except (StoreUnusableError, SecretMissingError) as error:
        return [unusable_verdict(store.place, str(error).removeprefix("store: ")), signing_verdict(store)]
    findings = [ok("store", f"{store.place} keeps what it is given"), signing_verdict(store)]
    if store.kind == "local":
        usage = await asyncio.to_thread(shutil.disk_usage, Path(store.path))
        findings.append(room_verdict(usage.free, usage.total))
    return findings


def unusable_verdict(place: str, problem: str) -> Finding:
    """What it means that the store was tried out and failed so."""
    full = os.strerror(errno.ENOSPC) in problem
    remedy = _ROOM if full else "see that this user may write there, and that the starters and workers share it"
    return fail("store", f"{place} cannot be used: {problem}", remedy)


def signing_verdict(store: StoreSettings) -> Finding:
    """What the key that signs image URLs, or its absence, means. Whether it can be read is the configuration's."""
    if store.signing_key is None:
        return ok("store signing key", "none is set: images always travel inside callbacks")
    return ok("store signing key", "set: large images travel as URLs")


def room_verdict(free: int, total: int) -> Finding:
    """What it means that so many bytes of so many are free."""
    fact = f"{free / 10**9:.1f} GB of {total / 10**9:.1f} GB are free"
    if free < FULL_BYTES:
        return fail("store room", fact, _ROOM)
    if free < LOW_BYTES and free < LOW_SHARE * total:
        return warn("store room", fact, _ROOM)
    return ok("store room", fact)
