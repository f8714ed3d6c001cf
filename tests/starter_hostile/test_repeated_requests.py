"""Whatever is sent in whatever order: one id is one request, and its acknowledgement can be had again."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from tests.starter.front import Front, event, fresh_id
from tests.starter_hostile.sockets import connected, request

PROMPTS = ("a red fox", "a blue fox", "")
"""Three contents; the last is refused by the dialect, and acknowledged all the same."""
PATH = "/webhook/dialect/event"
JSON = ["Content-Type: application/json"]


@dataclass(frozen=True)
class Post:
    """One request of a test."""

    number: int
    """Which of the ids."""
    content: int
    """Which of the prompts."""
    leaves: bool
    """Whether its sender hangs up without waiting for the answer."""


BATCHES = st.lists(
    st.lists(st.builds(Post, st.integers(0, 1), st.integers(0, 2), st.booleans()), min_size=1, max_size=4),
    min_size=1,
    max_size=4,
)
"""Posts that are made at once, one batch after the other."""


def body(ids: list[str], number: int, content: int) -> dict[str, JsonValue]:
    return event(requestId=ids[number], correlationId=f"c-{number}", prompt=PROMPTS[content])


async def answered(front: Front, ids: list[str], post: Post) -> tuple[int, int, int]:
    """Id, content and status; 0 where nobody waited."""
    sent = body(ids, post.number, post.content)
    if not post.leaves:
        return post.number, post.content, (await front.post("dialect/event", sent)).status_code
    async with connected(front.url) as connection:
        await connection.send(request(PATH, json.dumps(sent).encode(), JSON))
    return post.number, post.content, 0


async def run_id(front: Front, request_id: str) -> str | None:
    return (await front.workflow("event", request_id).describe()).run_id


async def check_id(front: Front, ids: list[str], number: int, told: dict[int, set[int]]) -> None:
    """One content has the id: it is acknowledged again, byte for byte, and all others are conflicts."""
    again = [await front.post("dialect/event", body(ids, number, content)) for content in range(len(PROMPTS))]
    statuses = [answer.status_code for answer in again]
    assert sorted(statuses) == [200, 409, 409]
    winner = statuses.index(200)
    run = await run_id(front, ids[number])
    assert (await front.post("dialect/event", body(ids, number, winner))).content == again[winner].content
    assert await run_id(front, ids[number]) == run
    for content, heard in told.items():
        assert heard <= ({200, 0} if content == winner else {409, 0})


@settings(max_examples=40, deadline=None)
@given(BATCHES)
async def test_one_id_is_one_request(front: Front, batches: list[list[Post]]) -> None:
    ids = [fresh_id(), fresh_id()]
    told: dict[int, dict[int, set[int]]] = {}
    runs: dict[int, str | None] = {}
    for batch in batches:
        for number, content, status in await asyncio.gather(*(answered(front, ids, post) for post in batch)):
            told.setdefault(number, {}).setdefault(content, set()).add(status)
            if status:
                runs.setdefault(number, await run_id(front, ids[number]))
    for number, contents in told.items():
        await check_id(front, ids, number, contents)
    assert runs == {number: await run_id(front, ids[number]) for number in runs}
    assert sum([1 async for _ in front.client.list_workflows(f'RequestId IN ("{ids[0]}", "{ids[1]}")')]) <= len(told)
