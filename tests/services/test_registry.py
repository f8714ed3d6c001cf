from __future__ import annotations

from typing import get_args

from activities.services.registry import KINDS, build_services
from runtime.settings import ServiceSettings, Settings


def test_every_kind_of_the_settings_has_its_class() -> None:
    assert set(KINDS) == set(get_args(ServiceSettings.model_fields["kind"].annotation))


async def test_services_are_built_by_name() -> None:
    services = build_services(
        Settings.model_validate(
            {
                "services": {
                    "one": {"kind": "openai", "base_url": "http://127.0.0.1:1"},
                    "two": {"kind": "flux_lora", "base_url": "http://127.0.0.1:1"},
                }
            }
        )
    )
    assert {name: type(service) for name, service in services.items()} == {
        "one": KINDS["openai"],
        "two": KINDS["flux_lora"],
    }
    assert [service.name for service in services.values()] == ["one", "two"]
    for service in services.values():
        await service.aclose()
