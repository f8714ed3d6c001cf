"""`orchestrator limits` with real accounts on a server of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.account_desk import AccountDesk
from activities.queue_rates import read_queue_rate
from contracts import names
from runtime.configuration import load_settings
from tests.operations.commandline import CommandLine, configured
from tests.temporal_server import connected, running_server
from tests.workflows.accounts_at_work import AccountSite, accounts_at_work

WHY = ("--reason", "the provider asked us to", "--by", "ann")
LIMITED = """
[services.limited]
kind = "openai"
base_url = "http://127.0.0.1:9"
rate_per_second = 10
concurrency = 4
[odoos.slow]
database = "slow"
base_url = "https://slow.example"
rate_per_second = 2
"""


@pytest.fixture(scope="module")
async def address(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with running_server(tmp_path_factory.mktemp("limits")) as address, accounts_at_work(await connected(address)):
        yield address


@pytest.fixture
async def client(address: str) -> Client:
    return await connected(address)


def limited(directory: Path, address: str) -> CommandLine:
    """A command line with limited accounts."""
    line = configured(directory, address)
    line.config.write_text(line.config.read_text(encoding="utf-8") + LIMITED, encoding="utf-8")
    return line


@pytest.fixture
async def line(tmp_path: Path, address: str, client: Client) -> CommandLine:
    """A command line whose limited account is as it is configured."""
    line = limited(tmp_path, address)
    await AccountDesk(client, load_settings(line.config).services).configure("limited")
    await AccountSite(client, "limited").change(clear=True)
    await AccountSite(client, "limited").until_rate(10)
    return line


async def row(line: CommandLine, name: str) -> dict[str, object]:
    (found,) = [one for one in (await line.call("limits", "show", "--json")).document["limits"] if one["name"] == name]
    shown: dict[str, object] = found
    return shown


async def test_what_is_configured_and_what_is_in_force_stand_side_by_side(line: CommandLine) -> None:
    shown = await row(line, "limited")
    assert (shown["configured_rate"], shown["live_rate"], shown["configured_concurrency"]) == (10, 10, 4)
    assert shown["state"] == "in service"
    text = (await line.run("limits", "show")).out
    assert {"limited", "slow", "main"} <= {words.split()[0] for words in text.splitlines() if words}


async def test_a_rate_is_in_force_when_the_command_returns(line: CommandLine, client: Client) -> None:
    ran = await line.run("limits", "set", "limited", "--rate", "3", "--concurrency", "2", *WHY)
    assert (ran.code, ran.out, ran.err) == (0, "limited: set\n", "")
    assert (await read_queue_rate(client, names.images_queue("limited"))).rate_per_second == 3
    shown = await row(line, "limited")
    assert (shown["live_rate"], shown["live_concurrency"], shown["configured_rate"]) == (3, 2, 10)


async def test_who_and_why_stand_in_the_account_s_log(line: CommandLine, client: Client) -> None:
    await line.call("limits", "set", "limited", "--rate", "3", *WHY)
    shown = await line.call("limits", "show", "--log")
    assert any("by ann: the provider asked us to" in text for text in shown.out.splitlines())


async def test_weights_reach_the_server_and_leave_it(line: CommandLine, client: Client) -> None:
    await line.call("limits", "set", "limited", "--weight", "acme=2.5", "--weight", "other=0.5", *WHY)
    live = await read_queue_rate(client, names.images_queue("limited"))
    assert dict(live.weights) == {"acme": 2.5, "other": 0.5}
    await line.call("limits", "clear", "limited", *WHY)
    live = await read_queue_rate(client, names.images_queue("limited"))
    assert (dict(live.weights), live.rate_per_second) == ({}, 10)


async def test_apply_puts_the_configuration_in_force(line: CommandLine, client: Client) -> None:
    await line.call("limits", "set", "limited", "--rate", "3", *WHY)
    line.config.write_text(
        line.config.read_text(encoding="utf-8").replace("rate_per_second = 10", "rate_per_second = 20"),
        encoding="utf-8",
    )
    ran = await line.call("limits", "apply", *WHY)
    assert (ran.code, ran.err) == (0, "")
    assert "service limited: configuration applied" in ran.out.splitlines()
    assert (await read_queue_rate(client, names.images_queue("limited"))).rate_per_second == 20
    assert (await read_queue_rate(client, names.callbacks_queue("slow"))).rate_per_second == 2


async def test_the_callbacks_of_an_odoo_have_a_rate(line: CommandLine, client: Client) -> None:
    ran = await line.call("limits", "set", "slow", "--odoo", "--rate", "1", *WHY)
    assert (ran.code, ran.out) == (0, "slow: set\n")
    live = await read_queue_rate(client, names.callbacks_queue("slow"))
    assert (live.rate_per_second, live.reason) == (1, "ann: the provider asked us to")
    await line.call("limits", "clear", "slow", "--odoo", *WHY)
    assert (await read_queue_rate(client, names.callbacks_queue("slow"))).rate_per_second is None


async def test_without_a_worker_the_change_is_noted_and_takes_effect_later(tmp_path: Path) -> None:
    async with running_server(tmp_path) as address:
        client, line = await connected(address), limited(tmp_path, address)
        ran = await line.call("limits", "set", "limited", "--rate", "3", *WHY)
        shown = await row(line, "limited")
        async with accounts_at_work(client):
            await AccountSite(client, "limited").until_rate(3)
    assert (ran.code, ran.out) == (0, "")
    assert "takes effect once one runs" in ran.err
    assert (shown["configured_rate"], shown["state"]) == (10, "not started")


async def test_a_cooldown_is_shown_and_a_change_does_not_end_it(line: CommandLine, client: Client) -> None:
    account = AccountSite(client, "spare")
    await account.cool_down(3600)
    await account.until_rate(0)
    await account.set_live(rate_per_second=5)
    assert await account.rate() == 0
    assert str((await row(line, "spare"))["state"]).startswith("cooldown, ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("set", "limted", "--rate", "1"), "there is no image service 'limted'; did you mean 'limited'?"),
        (("set", "sow", "--odoo", "--rate", "1"), "there is no Odoo 'sow'; did you mean 'slow'?"),
        (("set", "limited"), "name a limit: --rate, --concurrency or --weight"),
        (("set", "slow", "--odoo", "--concurrency", "1"), "an Odoo has a --rate and no other limit"),
        (("set", "main", "--concurrency", "2"), "set services.main.concurrency and restart"),
        (("set", "main", "--odoo", "--rate", "2"), "set odoos.main.rate_per_second and restart"),
        (("set", "limited", "--weight", "acme"), "needs TENANT=WEIGHT"),
        (("set", "limited", "--weight", "acme=nan"), "needs TENANT=WEIGHT"),
        (("set", "limited", "--rate", "0"), "--rate"),
        (("clear", "limted"), "there is no image service 'limted'"),
    ],
)
async def test_each_refusal_is_one_line(line: CommandLine, arguments: tuple[str, ...], said: str) -> None:
    ran = await line.call("limits", *arguments, *WHY)
    assert (ran.code != 0, ran.out, len(ran.err.splitlines())) == (True, "", 1)
    assert said in ran.err
