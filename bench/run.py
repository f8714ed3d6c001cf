"""Measures the embedded set-up on this machine: `python bench/run.py [latency|flat-out|memory|history]...`.

Prints one JSON document per measurement. The load of `latency` is open loop: a slow answer does not slow the next
request down; `flat-out` keeps a fixed number of requests under way.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

# In place of this directory, whose modules are named as others are: limits, site.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import httpx

from bench.bare import bare_per_s
from bench.site import memory_mib, percentile, received, site, webhook
from contracts.identity import workflow_id
from operations.local_stack import LocalStack

RATE, SECONDS, WARM_UP = 20, 30, 60
FLAT_OUT = 1500
IN_FLIGHT = 500


async def _post(http: httpx.AsyncClient, local: LocalStack, request_id: str) -> tuple[float, float]:
    url, body, headers = webhook(local, request_id)
    posted, begun = time.time(), time.perf_counter()
    (await http.post(url, json=body, headers=headers)).raise_for_status()
    return posted, (time.perf_counter() - begun) * 1000


async def _until_received(http: httpx.AsyncClient, local: LocalStack, wanted: int) -> dict[str, float]:
    while len(arrived := await received(http, local)) < wanted:
        await asyncio.sleep(0.5)
    return arrived


async def latency() -> dict[str, object]:
    """Acknowledgement and overhead at a steady rate."""
    async with site() as local, httpx.AsyncClient(trust_env=False, timeout=30) as http:
        await asyncio.gather(*(_post(http, local, f"warm-{n}") for n in range(WARM_UP)))
        await _until_received(http, local, WARM_UP)
        tasks = {}
        begun = time.perf_counter()
        for n in range(RATE * SECONDS):
            await asyncio.sleep(max(0.0, begun + n / RATE - time.perf_counter()))
            tasks[f"r-{n}"] = asyncio.create_task(_post(http, local, f"r-{n}"))
        posted = {name: await task for name, task in tasks.items()}
        arrived = await _until_received(http, local, WARM_UP + len(tasks))
        calls = len((await http.get(f"{local.local.image_url}/journal")).json()["calls"])
    acknowledged = [milliseconds for _, milliseconds in posted.values()]
    # The local image service answers a cached picture without latency, so nothing is subtracted for it.
    overhead = [(arrived[name] - at) * 1000 for name, (at, _) in posted.items()]
    return {
        "rate_per_s": RATE,
        "requests": len(posted),
        "image_calls": calls - WARM_UP,
        "acknowledge_ms": _p50_p99(acknowledged),
        "overhead_ms": _p50_p99(overhead),
    }


async def flat_out() -> dict[str, object]:
    """Requests settled a second when as many as possible come at once, and bare workflows on the same server."""
    async with site() as local, httpx.AsyncClient(trust_env=False, timeout=60) as http:
        await asyncio.gather(*(_post(http, local, f"warm-{n}") for n in range(WARM_UP)))
        await _until_received(http, local, WARM_UP)
        slots, begun = asyncio.Semaphore(32), time.time()

        async def one(n: int) -> None:
            async with slots:
                await _post(http, local, f"r-{n}")

        await asyncio.gather(*(one(n) for n in range(FLAT_OUT)))
        acknowledged = time.time()
        arrived = await _until_received(http, local, WARM_UP + FLAT_OUT)
        bare = await bare_per_s(local.stack.client)
    last = max(at for name, at in arrived.items() if name.startswith("r-"))
    return {
        "requests": FLAT_OUT,
        "bare_workflows_per_s": round(bare, 1),
        "acknowledged_per_s": round(FLAT_OUT / (acknowledged - begun), 1),
        "settled_per_s": round(FLAT_OUT / (last - begun), 1),
    }


async def memory() -> dict[str, object]:
    """Memory of starter and worker, idle and with many calls in flight."""
    slots = {"ORCHESTRATOR__WORKER__IMAGE_SLOTS": str(IN_FLIGHT)}
    async with site(2.0, slots) as local, httpx.AsyncClient(trust_env=False, timeout=60) as http:
        idle = memory_mib(local, "starter", "worker")
        tasks = [asyncio.create_task(_post(http, local, f"r-{n}")) for n in range(IN_FLIGHT)]
        peak = idle
        while not all(task.done() for task in tasks) or len(await received(http, local)) < IN_FLIGHT:
            peak = max(peak, memory_mib(local, "starter", "worker"))
            await asyncio.sleep(0.2)
    return {"idle_mib": round(idle), "in_flight": IN_FLIGHT, "peak_mib": round(peak)}


async def history() -> dict[str, object]:
    """Events and bytes of one request's history."""
    async with site() as local, httpx.AsyncClient(trust_env=False, timeout=30) as http:
        await _post(http, local, "one")
        handle = local.stack.client.get_workflow_handle(workflow_id("event", "one"))
        await handle.result()
        events = (await handle.fetch_history()).events
        return {"events": len(events), "bytes": sum(event.ByteSize() for event in events)}


def _p50_p99(values: list[float]) -> dict[str, float]:
    return {"p50": round(percentile(values, 50), 1), "p99": round(percentile(values, 99), 1)}


MEASUREMENTS: dict[str, Callable[[], Coroutine[Any, Any, dict[str, object]]]] = {
    "latency": latency,
    "flat-out": flat_out,
    "memory": memory,
    "history": history,
}


def main() -> None:
    """Run the named measurements, or all."""
    for name in sys.argv[1:] or MEASUREMENTS:
        result = asyncio.run(MEASUREMENTS[name]())
        sys.stdout.write(json.dumps({"measurement": name, **result}) + "\n")


if __name__ == "__main__":
    main()
