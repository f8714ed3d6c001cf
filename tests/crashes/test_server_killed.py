"""kill -9 of Temporal's dev server under load."""

from __future__ import annotations

import asyncio

import httpx

from tests.crashes.orders import BRIEF, FREE, PAID, Order, completed_once, orders, strange, until
from tests.crashes.site import RETRY_AFTER_S, Site

POSTS, OVER_S, KILLED_AFTER_S = 40, 2.0, 0.8


async def test_what_was_acknowledged_outlives_the_server_and_what_was_refused_can_be_sent_again(site: Site) -> None:
    wanted = [*orders(PAID, BRIEF, POSTS // 2), *orders(FREE, BRIEF, POSTS // 2)]
    # Every other one is paid, before as after the kill.
    mixed = [order for pair in zip(wanted[: POSTS // 2], wanted[POSTS // 2 :], strict=True) for order in pair]
    posting = asyncio.create_task(_post_evenly(site, mixed))
    await asyncio.sleep(KILLED_AFTER_S)
    back = site.kill("temporal")
    answers = await posting
    await until(back, "the server was not started again")

    refused = [order for order, answer in zip(mixed, answers, strict=True) if answer.status_code == 503]
    odd = [answer for answer in answers if answer.status_code not in {200, 503}]
    assert not odd, f"neither acknowledged nor refused for a time: {[(one.status_code, one.text) for one in odd]}"
    assert 0 < len(refused) < POSTS, f"{len(refused)} of {POSTS} posts fell into the outage"
    waits = {answer.headers.get("Retry-After") for answer in answers if answer.status_code == 503}
    assert waits == {str(RETRY_AFTER_S)}, f"a 503 without the configured Retry-After: {waits}"

    await site.take_all(refused)
    odd_fates = strange(await site.settled(mixed), completed_once)
    assert not odd_fates, f"lost, doubled or paid twice: {odd_fates}"


async def test_an_image_that_was_stored_but_never_reported_is_found_by_the_next_attempt(site: Site) -> None:
    wanted = orders(PAID, BRIEF, 3)
    await site.take_all(wanted)
    await site.stored("marker", wanted)
    server_back = site.kill("temporal")
    await site.stored("manifest", wanted)
    worker_back = site.kill("worker")
    await until(server_back, "the server was not started again")
    await until(worker_back, "the worker was not started again")
    odd = strange(await site.settled(wanted), completed_once)
    assert not odd, f"not delivered, or paid twice: {odd}"
    attempts = {order.request_id: await site.attempts(order) for order in wanted}
    assert all(max(each) > 1 for each in attempts.values()), f"the kill came too late: {attempts}"


async def _post_evenly(site: Site, wanted: list[Order]) -> list[httpx.Response]:
    async def post(number: int, order: Order) -> httpx.Response:
        await asyncio.sleep(number * OVER_S / len(wanted))
        answer = await site.post(order)
        assert answer is not None, f"the starter closed the connection of {order.request_id} without an answer"
        return answer

    return await asyncio.gather(*(post(number, order) for number, order in enumerate(wanted)))
