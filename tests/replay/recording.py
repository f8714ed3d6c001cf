"""`scripts/record-histories`: runs scenarios for real and keeps their histories. Each is recorded once, for ever.

Without arguments it records what is missing of every workflow: requests here, the others by tests/replay/enrolment.py.
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
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]...", type=click.Choice(sorted(SCENARIOS)))
@click.option("--approve", is_flag=True, help="Record nothing: only approve what the workflow asks for today.")
def main(*, scenarios: tuple[str, ...], approve: bool) -> None:
    """Record SCENARIOs for the release in pyproject.toml.  [default: those that no release has].

    A history that is there already is never recorded again. Fingerprints are approved afterwards: look at their diff.
    """
    # The failures are scripted: what is logged of them would only hide one that is not.
    configure_logging(LoggingSettings(level="error"))
    library, version = Library(), release()
    chosen = () if approve else scenarios or library.missing(SCENARIOS)
    try:
        recorded = len(chosen) + asyncio.run(_work(library, chosen, version, others=not (approve or scenarios)))
    except* HistoryError as errors:
        raise click.ClickException("; ".join(map(str, errors.exceptions))) from None
    click.echo(f"{recorded} histories recorded, fingerprints approved for release {version}")


async def _work(library: Library, chosen: Sequence[str], version: str, *, others: bool) -> int:
    for name in chosen:
        library.check_free(library.file(name, version))
    if chosen:
        await _record(library, chosen, version)
    played = await enrolment.record(version) if others else []
    for shelf, name, content in played:
        check_clean(name, WorkflowHistory.from_json(name, content), {**NEVER_RECORDED, **_OF_THIS_MACHINE})
        shelf.add(shelf.file(name, version), content)
    await enrolment.approve()
    with tempfile.TemporaryDirectory() as directory:
        async with running_server(Path(directory)) as address:
            approval.write(version, await reenact_all(await connected(address), library.latest()))
    return len(played)


async def _record(library: Library, chosen: Sequence[str], version: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with (
            running_site(Path(directory), IMAGE_FAULTS, CALLBACK_FAULTS) as site,
            asyncio.TaskGroup() as together,
        ):
            played = {name: together.create_task(_played(site, name)) for name in chosen}
    # Kept only when all are good: some of them could not be completed without recording again.
    for name, history in played.items():
        check_clean(name, history.result(), {**NEVER_RECORDED, **_OF_THIS_MACHINE})
    for name, history in played.items():
        library.add(library.file(name, version), history.result().to_json() + "\n")


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
