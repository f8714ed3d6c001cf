"""Waiting for a job is handed over at once: a deploy does not wait for it, and nothing is spent on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.services.base import Pending
from tests.activities.desk import JOB_INPUT, Desk
from tests.activities.doubles import ACCEPTED, INLINE


async def test_a_worker_that_stops_hands_over_the_wait_for_a_job(tmp_path: Path) -> None:
    desk, beats, stopping = Desk(tmp_path), list[object](), ActivityEnvironment()
    desk.service.submits, desk.service.polls = [ACCEPTED], [Pending(), INLINE]
    await desk.generating().attempt()
    stopping.on_heartbeat = lambda *details: beats.append(details)
    stopping.worker_shutdown()
    with pytest.raises(ApplicationError, match="another one goes on waiting") as handed_over:
        await stopping.run(desk.made.jobs.poll_job, JOB_INPUT)
    assert not handed_over.value.non_retryable
    assert beats == [], "a failure that counts would be told by a heartbeat"
    assert (await desk.polling().attempt()).images == 1
    assert len(desk.service.submitted) == 1, "nothing was paid twice"
