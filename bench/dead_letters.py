"""Measures the dead-letter desk with 2,000 dead letters: `python bench/dead_letters.py [COUNT]`.

Prints one JSON document: how long listing, planning, exporting and redriving take, and what the batch leaves in
Temporal. Two operators order the same redrive at once. The worker is a process of its own; its image service is an
activity that answers at once, so the figures are those of the desk, of the requests and of the server.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

# In place of this directory, whose modules are named as others are: limits, site.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from temporalio.client import Client

from contracts.dead_letter_batches import PROGRESS, BatchReport, batch_id
from contracts.dead_letter_orders import BatchOrder
from contracts.dead_letters import DeadLetter, LetterFilter
from contracts.decisions import Status
from contracts.dialects import DIALECTS
from contracts.names import STATUS
from operations.dead_letter_batches import order_batch
from operations.dead_letter_facts import facts_of_all
from operations.dead_letter_outlook import outlook_of
from operations.dead_letter_plan import plan
from operations.dead_letters import find_dead_letters
from runtime.configuration import load_settings
from runtime.settings import Settings
from starter.intake.starting import start
from starter.intake.submission import submission
from tests.operations.commandline import configured
from tests.temporal_server import connected, running_server

COUNT, CANARIES, PACE, AT_ONCE = 2000, 20, 1000, 32
EVERYTHING = LetterFilter(route="event")

_T = TypeVar("_T")


async def _timed(work: Awaitable[_T]) -> tuple[_T, float]:
    begun = time.monotonic()
    return await work, round(time.monotonic() - begun, 2)


@asynccontextmanager
async def _worker(address: str, directory: Path) -> AsyncIterator[None]:
    command = (sys.executable, "-P", "-m", "tests.dead_letters.desk_worker", address, str(directory))
    environment = {**os.environ, "PYTHONPATH": sys.path[0]}
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _park(client: Client, settings: Settings, count: int) -> list[str]:
    """New dead letters; returns their workflow ids."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> str:
        body = {"requestId": f"bench-{number:06}", "correlationId": "c-1", "prompt": "a fox"}
        asked = submission(settings, "event", DIALECTS["event"].parse(body))
        async with slots:
            await start(client, asked, 60)
        return asked.workflow_id

    ids = await asyncio.gather(*(one(number) for number in range(count)))
    while (await client.count_workflows('Stage = "parked"')).count < count:
        await asyncio.sleep(0.2)
    return ids


async def _batch(client: Client, by: str) -> BatchReport:
    order = BatchOrder(
        name=f"bench-{by}",
        kind="redrive",
        by=by,
        reason="there is credit",
        chosen=EVERYTHING,
        canary=CANARIES,
        pace=PACE,
    )
    await order_batch(client, order)
    report: BatchReport = await client.get_workflow_handle(batch_id(order.name), result_type=BatchReport).result()
    return report


async def _events(client: Client, by: str) -> dict[str, int]:
    """What the runs of a batch left in Temporal."""
    events = size = runs = 0
    async for run in client.list_workflows(f'WorkflowId = "{batch_id(f"bench-{by}")}"'):
        history = await client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        runs, events = runs + 1, events + len(history.events)
        size += sum(event.ByteSize() for event in history.events)
    return {"runs": runs, "events": events, "kilobytes": size // 1024}


async def _redrives(client: Client, ids: list[str]) -> Counter[int]:
    """How many requests were redriven how often, by their own logs."""
    found: Counter[int] = Counter()
    for first in range(0, len(ids), AT_ONCE):
        handles = [client.get_workflow_handle(one) for one in ids[first : first + AT_ONCE]]
        told: list[Status] = await asyncio.gather(*(one.query(STATUS, result_type=Status) for one in handles))
        found.update(sum("redriven by" in line for line in one.log) for one in told)
    return found


async def _latency_ms(client: Client, stop: asyncio.Event) -> list[float]:
    """How long the query of a batch takes while it works."""
    took = []
    handle = client.get_workflow_handle(batch_id("bench-ann"))
    while not stop.is_set():
        begun = time.monotonic()
        await handle.query(PROGRESS)
        took.append((time.monotonic() - begun) * 1000)
        await asyncio.sleep(1)
    return took


async def measure(count: int) -> dict[str, object]:
    """Park that many, look, plan, export, redrive twice at once."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with running_server(directory) as address:
            client, line = await connected(address), configured(directory, address)
            settings = load_settings(line.config)
            async with _worker(address, directory):
                return await _measured(client, settings, directory, count)


async def _measured(client: Client, settings: Settings, directory: Path, count: int) -> dict[str, object]:
    ids, parked_s = await _timed(_park(client, settings, count))
    found, list_s = await _timed(find_dead_letters(client, EVERYTHING))
    order = BatchOrder(name="plan", kind="redrive", by="plan", reason="plan", chosen=EVERYTHING, pace=PACE)
    today = datetime.now(UTC).date()
    outlook, outlook_s = await _timed(outlook_of(client, settings, (today, today)))
    planned = plan(found.letters, order, outlook)
    exported, export_s = await _timed(_exported(client, found.letters[:200]))
    (directory / "credit").touch()
    first = asyncio.create_task(_timed(_batch(client, "ann")))
    await asyncio.sleep(0.5)
    second, stop = asyncio.create_task(_timed(_batch(client, "bob"))), asyncio.Event()
    asking = asyncio.create_task(_latency_ms(client, stop))
    (ann, ann_s), (bob, bob_s) = await first, await second
    stop.set()
    counts = {"ann": ann.counts.model_dump(), "bob": bob.counts.model_dump()}
    return {
        "dead_letters": found.total,
        "parked_s": parked_s,
        "list_s": list_s,
        "plan_s": round(list_s + outlook_s, 2),
        "planned_payments": planned.payments,
        "export_200_s": export_s,
        "exported": exported,
        "redrive_s": {"ann": ann_s, "bob": bob_s, "settled_per_s": round(count / max(ann_s, bob_s), 1)},
        "counts": counts,
        "progress_query_ms": round(max(await asking, default=0.0), 1),
        "left_in_temporal": {"ann": await _events(client, "ann"), "bob": await _events(client, "bob")},
        "redriven_n_times": dict(await _redrives(client, ids)),
        "images_made": len(list((directory / "generated").iterdir())),
    }


async def _exported(client: Client, letters: Sequence[DeadLetter]) -> int:
    return len([one async for one in facts_of_all(client, letters)])


if __name__ == "__main__":
    result = asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT))
    sys.stdout.write(json.dumps(result) + "\n")
