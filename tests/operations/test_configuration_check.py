from __future__ import annotations

import asyncio

from tests.operations.commandline import SECRET, CommandLine


async def test_a_good_configuration_is_shown_without_its_secrets(online: CommandLine) -> None:
    ran = await online.run("config", "check", "--strict")
    assert (ran.code, ran.err) == (0, "")
    for shown in ("http://127.0.0.1:5678/webhook/event", "flux_lora", "acme", "file:secret", "orchestrator.toml"):
        assert shown in ran.out
    assert SECRET not in ran.out
    assert "the configuration can be used" in ran.out


async def test_an_unreachable_temporal_is_a_warning_unless_strict(offline: CommandLine) -> None:
    lenient, strict = await asyncio.gather(
        offline.run("config", "check"), offline.run("config", "check", "--strict", "--json")
    )
    assert (lenient.code, strict.code) == (0, 2)
    assert f"warning: Temporal is not reachable at {offline.address}" in lenient.err
    assert strict.document["temporal"] == {"address": offline.address, "namespace": "default", "reachable": False}
    assert strict.document["usable"]


async def test_a_missing_secret_is_named(online: CommandLine) -> None:
    (online.directory / "secret").unlink()
    ran = await online.run("config", "check")
    assert ran.code == 2
    assert "missing" in ran.out
    assert "configuration: routes.event.auth.secret: the secret file:secret is missing" in ran.err


async def test_what_is_wrong_is_in_the_document_too(offline: CommandLine) -> None:
    offline.config.write_text("[starter]\nport = -1\n", encoding="utf-8")
    ran = await offline.run("config", "check", "--json")
    assert (ran.code, ran.err) == (2, "")
    assert ran.document == {"usable": False, "problems": ["starter.port: must be at least 0"]}
