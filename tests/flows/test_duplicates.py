"""The same id twice is one request; the same id with other content is refused."""

from __future__ import annotations

import asyncio

from operations.demo.configuration import DemoRoute
from tests.flows.site import Site


async def test_posts_at_the_same_time_are_one_request(site: Site, route: DemoRoute) -> None:
    first = await site.ask(route)
    again = await asyncio.gather(*(site.post(route, first.request_id, first.body) for _ in range(6)))
    assert {(asked.answer.status_code, asked.answer.content) for asked in again} == {(200, first.answer.content)}
    await first.result()
    later = await site.post(route, first.request_id, first.body)
    assert (later.answer.status_code, later.answer.content) == (200, first.answer.content)
    assert len(await first.outcomes()) == 1
    assert len(await first.calls()) == 1


async def test_other_content_under_the_same_id_is_refused(site: Site, route: DemoRoute) -> None:
    first = await site.ask(route)
    other = await site.ask(route, request_id=first.request_id, prompt="a blue whale")
    assert other.answer.status_code == 409
    await first.result()
    (call,) = await first.calls()
    assert "red fox" in call["prompt"]


async def test_posting_a_dead_letter_again_redrives_nothing(site: Site, route: DemoRoute) -> None:
    first = await site.ask(route, "image:quota")
    await first.parked()
    again = await site.post(route, first.request_id, first.body)
    assert (again.answer.status_code, again.answer.content) == (200, first.answer.content)
    assert (await first.state())["parked"]["parking"] == 1
    assert len(await first.calls()) == 1
