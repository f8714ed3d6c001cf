"""The settings of alerts: what they decide, and what is told of wrong ones."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from contracts.alerts import Kind, Severity
from runtime.configuration import ConfigurationError, load_settings
from runtime.settings import Settings
from tests.operations.commandline import CommandLine, configured

URL = {"url": "env:ALERT_URL"}


def settings(**alerts: Any) -> Settings:
    return Settings.model_validate({"alerts": alerts})


def test_the_policy_holds_all_that_decides_and_no_address() -> None:
    chosen = {"a": {**URL, "kinds": ["service-down"], "severity": "critical"}, "b": {**URL, "escalation": True}}
    policy = settings(channels=chosen, repeat_s=60, severity={"service_level": "info"}).alerts.policy()
    assert [(one.name, one.severity, one.kinds, one.escalation) for one in policy.channels] == [
        ("a", Severity.CRITICAL, (Kind.SERVICE_DOWN,), False),
        ("b", Severity.INFO, (), True),
    ]
    assert (policy.repeat_s, policy.level.fast_s, policy.level.slow_share) == (60, 20, 0.95)
    assert policy.severity(Kind.SERVICE_LEVEL) is Severity.INFO
    assert {kind: policy.severity(kind) for kind in Kind} == policy.severities
    assert "ALERT_URL" not in policy.model_dump_json()


@pytest.mark.parametrize(
    ("alerts", "told"),
    [
        ({"channels": {"a": {**URL, "escalation": True}}}, "alerts.channels: all are for escalation"),
        ({"channels": {"a": {**URL, "kinds": ["service-down"] * 2}}}, "alerts.channels.a.kinds: service-down stands"),
        ({"service_level": {"fast_s": 40}}, "alerts.service_level.fast_s: is longer than slow_s; exchange them"),
    ],
)
def test_what_contradicts_itself_is_told(alerts: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as wrong:
        settings(**alerts)
    assert told in str(wrong.value)


def test_a_url_in_the_configuration_is_refused_without_repeating_it(line: CommandLine) -> None:
    text = line.config.read_text(encoding="utf-8")
    line.config.write_text(f'{text}[alerts.channels.mail]\nurl = "mailto://ann:made-up@host"\n', encoding="utf-8")
    with pytest.raises(ConfigurationError) as wrong:
        load_settings(line.config)
    (problem,) = wrong.value.problems
    assert "alerts.channels.mail.url: must be a reference" in problem
    assert "made-up" not in problem


@pytest.fixture
def line(tmp_path: Any) -> CommandLine:
    return configured(tmp_path)
