"""An observer that cannot see says so once, and disturbs nobody."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from operations.demo.configuration import write_configuration
from operations.stack import StandIns
from runtime.configuration import load_settings
from runtime.metrics_observer import observing
from runtime.settings import Settings
from tests.own_logs import own_logs
from tests.temporal_server import unconnected


def settings_with(tmp_path: Path, worker: dict[str, object]) -> Settings:
    tree = load_settings(write_configuration(tmp_path, 5678, StandIns(9001, 9002)).config).model_dump()
    return Settings.model_validate({**tree, "worker": {**tree["worker"], **worker}})


async def test_what_cannot_be_read_is_told_once_for_each_part(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, {"metrics_bind": "127.0.0.1:9464", "metrics_interval_s": 1})
    with own_logs() as logs:
        async with observing(await unconnected(), settings):
            while len({str(line["part"]) for line in logs}) < 9:
                await asyncio.sleep(0.05)
            await asyncio.sleep(1.5)
    told = Counter(str(line["part"]) for line in logs)
    assert {line["event"] for line in logs} == {"metrics_not_observed"}
    assert set(told.values()) == {1}
    assert {"dead letters", "queue orchestrator", "queue images.flux", "account flux"} <= set(told)


async def test_without_an_endpoint_nobody_looks(tmp_path: Path) -> None:
    with own_logs() as logs:
        async with observing(await unconnected(), settings_with(tmp_path, {})):
            await asyncio.sleep(0)
    assert logs == []
