"""`scripts/record-histories`: runs scenarios for real and keeps their histories. Each is recorded once, for ever.

Requests are played on one site, all at once; scenarios of the other workflows (tests/replay/plays.py) one by one.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from temporalio.client import WorkflowHistory

from runtime.logs import configure_logging
from runtime.settings import LoggingSettings
from tests.replay import approval, enrolment
from tests.replay.histories import CHECKOUT, HistoryError, Library
from tests.replay.reenactment import reenact_all
from tests.replay.scenarios import CALLBACK_FAULTS, IMAGE_FAULTS, SCENARIOS
from tests.replay.site import PATIENCE_S, SECRETS, Site, running_site
from tests.temporal_server import connected, running_server


def release() -> str:
    """The release that the checkout is."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])


@click.command()
@click.argument(
    "scenarios", nargs=-1, metavar="[SCENARIO]...", type=click.Choice([*sorted(SCENARIOS), *enrolment.playable()])
)
@click.option("--approve", is_flag=True, help="Record nothing: only approve what the workflows ask for today.")
def main(*, scenarios: tuple[str, ...], approve: bool) -> None:
    """Record SCENARIOs for the release in pyproject.toml.  [default: those that no release has].

    A history that is there already is never recorded again. Fingerprints are approved afterwards: look at their diff.
    """
    # The failures are scripted: what is logged of them would only hide one that is not.
    configure_logging(LoggingSettings(level="error"))
    library, version = Library(), release()
    chosen = () if approve else scenarios or (*library.missing(SCENARIOS), *enrolment.missing())
    try:
        asyncio.run(_work(library, chosen, version))
    except* HistoryError as errors:
        raise click.ClickException("; ".join(map(str, errors.exceptions))) from None
    click.echo(f"{len(chosen)} histories recorded, fingerprints approved for release {version}")


async def _work(library: Library, chosen: Sequence[str], version: str) -> None:
    requests = [name for name in chosen if name in SCENARIOS]
    for name in requests:
        library.check_free(library.file(name, version))
    # Kept only when all are good: some of them could not be completed without recording again.
    played = await enrolment.record([name for name in chosen if name not in SCENARIOS], version)
    played += [(library.file(name, version), history) for name, history in (await _record(requests)).items()]
    for file, history in played:
        check_clean(file.scenario, history, {**NEVER_RECORDED, **_OF_THIS_MACHINE})
    for file, history in played:
        Library(workflow=file.path.parent.name).add(file, history.to_json() + "\n")
    await enrolment.approve()
    with tempfile.TemporaryDirectory() as directory:
        async with running_server(Path(directory)) as address:
            approval.write(version, await reenact_all(await connected(address), library.latest()))


async def _record(chosen: Sequence[str]) -> dict[str, WorkflowHistory]:
    """Play scenarios of requests, all at once on one site."""
    if not chosen:
        return {}
    with tempfile.TemporaryDirectory() as directory:
        async with (
            running_site(Path(directory), IMAGE_FAULTS, CALLBACK_FAULTS) as site,
            asyncio.TaskGroup() as together,
        ):
            played = {name: together.create_task(_played(site, name)) for name in chosen}
    return {name: history.result() for name, history in played.items()}


async def _played(site: Site, name: str) -> WorkflowHistory:
    try:
        async with asyncio.timeout(PATIENCE_S):
            handle = await SCENARIOS[name](site, name.replace("_", "-"))
    except TimeoutError:
        # Most often it was parked against its script, and waits for a decision.
        raise HistoryError(f"{name} did not come to its end within {PATIENCE_S} s") from None
    return await handle.fetch_history()


def check_clean(name: str, history: WorkflowHistory, forbidden: Mapping[str, str]) -> None:
    """Raises `HistoryError` where a history, its payloads included, holds one of the texts."""
    for event in history.events:
        # Serialised, payloads stand as they are; in JSON they would be base64.
        content = event.SerializeToString()
        for what, text in forbidden.items():
            if text.encode() in content:
                raise HistoryError(f"{name}: event {event.event_id} holds {what}")


NEVER_RECORDED = {
    **{f"the secret {name}": value for name, value in SECRETS.items()},
    **{f"the secret {name} in base64": base64.b64encode(value.encode()).decode() for name, value in SECRETS.items()},
    "a path of the machine, in a stack trace": 'File "/',
}
"""What no history may hold."""
_OF_THIS_MACHINE = {
    "the checkout's path": str(CHECKOUT),
    "the path of temporary files": tempfile.gettempdir(),
    "the host's name": socket.gethostname(),
}


if __name__ == "__main__":
    main(prog_name="scripts/record-histories")
