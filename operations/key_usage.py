"""Which keys the payloads in Temporal need, read from histories without decrypting anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload, SearchAttributes
from temporalio.client import Client

from runtime.codec import KEY_ID, is_encrypted

CLEAR = "(clear text)"
"""Stands for the key of what is not encrypted."""


@dataclass(slots=True)
class KeyUsage:
    """How many executions need each key."""

    looked_at: int = 0
    executions: Counter[str] = field(default_factory=Counter)
    """By key id, or `CLEAR`; an execution may need several."""


async def key_usage(client: Client, query: str) -> KeyUsage:
    """Look through every execution that a visibility query finds; raises `RPCError` where it cannot be run."""
    usage = KeyUsage()
    async for found in client.list_workflows(query):
        history = await client.get_workflow_handle(found.id, run_id=found.run_id).fetch_history()
        usage.looked_at += 1
        usage.executions.update({key for event in history.events for key in _keys(event)})
    return usage


def _keys(message: Message) -> Iterator[str]:
    for payload in _payloads(message):
        yield payload.metadata[KEY_ID].decode("ascii", "replace") if is_encrypted(payload) else CLEAR


def _payloads(message: Message) -> Iterator[Payload]:
    if isinstance(message, Payload):
        yield message
    elif not isinstance(message, SearchAttributes):
        for described, value in message.ListFields():
            if described.message_type is not None:
                yield from (payload for below in _messages(value) for payload in _payloads(below))


def _messages(value: object) -> Iterator[Message]:
    if isinstance(value, Message):
        yield value
    elif hasattr(value, "values"):
        yield from (below for below in value.values() if isinstance(below, Message))
    elif isinstance(value, list) or hasattr(value, "__iter__"):
        yield from (below for below in value if isinstance(below, Message))
