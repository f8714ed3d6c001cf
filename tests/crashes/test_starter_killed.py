"""kill -9 of the starter under load: clients repeat what they got no answer for."""

from __future__ import annotations

import asyncio

from tests.crashes.orders import FREE, PAID, Order, completed_once, orders, strange, until
from tests.crashes.site import Site

POSTS, OVER_S, KILLED_AFTER_S = 30, 1.0, 0.5


async def test_repeated_posts_lead_to_one_run_each(site: Site) -> None:
    wanted = [*orders(PAID, "a teapot", POSTS // 2), *orders(FREE, "a teapot", POSTS // 2)]
    posting = asyncio.create_task(_take_evenly(site, wanted))
    await asyncio.sleep(KILLED_AFTER_S)
    await until(site.kill("starter"), "the starter was not started again")
    posts = await posting
    odd = strange(await site.settled(wanted), completed_once)
    assert not odd, f"lost, doubled or paid twice: {odd}"
    assert max(posts) > 1, "the kill hit no post"


async def _take_evenly(site: Site, wanted: list[Order]) -> list[int]:
    async def take(number: int, order: Order) -> int:
        await asyncio.sleep(number * OVER_S / len(wanted))
        return await site.taken(order)

    return await asyncio.gather(*(take(number, order) for number, order in enumerate(wanted)))
