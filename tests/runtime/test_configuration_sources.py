"""Where settings come from: defaults, one file, the environment; and what is wrong with file or variables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.configuration import ConfigurationError, config_path, load_settings
from runtime.settings import Settings
from tests.runtime.configurations import FILE, PASTED

RETRY = "ORCHESTRATOR__ROUTES__EVENT__CALLBACK__RETRY__"
RETRY_KEYS = "ATTEMPTS, DEADLINE_S, FACTOR, HEARTBEAT_S, INITIAL_S, MAXIMUM_S, TIMEOUT_S"


def file_problems(path: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        load_settings(path)
    return refused.value.problems


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "orchestrator.toml"
    path.write_text(FILE)
    return path


def test_a_file_is_read(file: Path) -> None:
    assert load_settings(file).routes["event"].path == "ai/events"


def test_no_file_means_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert config_path() is None
    assert load_settings() == Settings()


def test_the_file_here_is_found(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert config_path() == Path("orchestrator.toml")
    assert "event" in load_settings().routes


def test_the_order_of_files(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    monkeypatch.setenv("ORCHESTRATOR_CONFIG", str(tmp_path / "other.toml"))
    assert config_path() == tmp_path / "other.toml"
    assert config_path(file) == file


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b'[starter]\nhost = "a"\nport 5\n', "at line 3, column"),
        (b"[starter]\nport = 5\nport = 6\n", "at line 3, column"),
        (b"[starter]\n[starter]\n", "at line 2, column"),
        (b'[starter]\n\nhost = "\xff"\n', "not UTF-8 (at line 3)"),
    ],
)
def test_bad_toml_is_told_with_its_line(content: bytes, where: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    (line,) = file_problems(path)
    assert line.startswith(f"{path}: is not valid TOML: ")
    assert where in line


def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    advice = "name another file with --config or ORCHESTRATOR_CONFIG"
    assert file_problems(tmp_path) == [f"{tmp_path}: cannot be read (Is a directory); {advice}"]
    absent = tmp_path / "absent.toml"
    assert file_problems(absent) == [f"{absent}: cannot be read (No such file or directory); {advice}"]


def test_the_error_itself_reads_as_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "orchestrator.toml"
    path.write_text("[starter]\nprot = 1\nport = -1\n")
    with pytest.raises(ConfigurationError, match=r"^starter.port: must be at least 0; starter.prot: unknown key; did"):
        load_settings(path)


# --- environment ---


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("STARTER__PORT", "8080", lambda s: s.starter.port == 8080),
        ("STARTER__HOST", "0.0.0.0", lambda s: s.starter.host == "0.0.0.0"),  # noqa: S104 - only compared
        ("SERVICES__FLUX__PAID", "false", lambda s: s.services["flux"].paid is False),
        ("SERVICES__FLUX__RETRY__TIMEOUT_S", "7.5", lambda s: s.services["flux"].retry.timeout_s == 7.5),
        ("SERVICES__FLUX__RATE_PER_SECOND", "3", lambda s: s.services["flux"].rate_per_second == 3),
        ("SERVICES__FLUX__ARTIFACT_HOSTS", '["a", "b"]', lambda s: s.services["flux"].artifact_hosts == ("a", "b")),
        ("SERVICES__FLUX__FIELDS__TEXT_PROMPT", "p", lambda s: s.services["flux"].fields == {"text_prompt": "p"}),
        ("ROUTES__EVENT__SERVICE_NAMES", '{"FLUX": "flux"}', lambda s: "FLUX" in s.routes["event"].service_names),
        (
            "ROUTES__EVENT__AUTH",
            '{"kind": "bearer", "secret": "env:A"}',
            lambda s: s.routes["event"].auth.secret == "env:A",
        ),
        (
            "ROUTES__EVENT__CALLBACK__ALLOWED_ORIGINS",
            '["https://a"]',
            lambda s: "https://a" in s.routes["event"].callback.allowed_origins,
        ),
        (
            "ROUTES__EVENT__AUTH",
            '{"kind": "bearer", "secret": ["env:NEW", "env:OLD"]}',
            lambda s: s.routes["event"].auth.secret == ("env:NEW", "env:OLD"),
        ),
        ("ROUTES__EVENT__METHODS", '["PUT", "POST"]', lambda s: s.routes["event"].methods == ("PUT", "POST")),
        ("ROUTES__EVENT__RESPONSE__STATUS", "202", lambda s: s.routes["event"].response.status == 202),
        ("API__AUTH__KIND", "none", lambda s: s.api.auth.kind == "none"),
        ("ODOOS__SECOND", '{"database": "b", "base_url": "https://b"}', lambda s: s.odoos["second"].database == "b"),
        ("STORE__SIGNING_KEY", "env:KEY", lambda s: s.store.signing_key == "env:KEY"),
    ],
)
def test_the_environment_wins_over_the_file(
    variable: str, value: str, expected: Callable[[Settings], bool], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ORCHESTRATOR__{variable}", value)
    settings = load_settings(file)
    assert expected(settings)
    assert settings.routes["event"].path == "ai/events"


def test_a_part_wins_over_the_whole(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR__STARTER", '{"port": 1, "host": "h"}')
    monkeypatch.setenv("ORCHESTRATOR__STARTER__PORT", "2")
    starter = load_settings(file).starter
    assert (starter.host, starter.port) == ("h", 2)


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("STARTER__PROT", "1", "unknown setting; did you mean ORCHESTRATOR__STARTER__PORT?"),
        ("STRATER__PORT", "1", "unknown setting; did you mean ORCHESTRATOR__STARTER?"),
        (
            "ROUTES__EVENT__AUTH__SECRTE",
            "1",
            "unknown setting; did you mean ORCHESTRATOR__ROUTES__EVENT__AUTH__SECRET?",
        ),
        ("ROUTES__EVENT__CALLBACK__RETRY__ZZZ", "1", f"unknown setting; {RETRY} goes on with {RETRY_KEYS}"),
        ("LOGGING", "1", 'must be JSON, as {"key": "value"}'),
        ("STARTER__PORT__X", "1", "unknown setting; ORCHESTRATOR__STARTER__PORT has nothing below it"),
        ("LOGGING__", "1", "unknown setting; ORCHESTRATOR__LOGGING__ goes on with FORMAT, LEVEL"),
        ("ROUTES__EVENT__SERVICES", "flux", 'must be JSON, as ["a", "b"]'),
        ("ROUTES__EVENT__SERVICES", "5", 'must be JSON, as ["a", "b"]'),
        ("ROUTES__EVENT__AUTH", PASTED, 'must be JSON, as {"key": "value"}'),
        ("ROUTES", "[]", 'must be JSON, as {"key": "value"}'),
    ],
)
def test_each_mistake_in_the_environment_has_its_line(
    variable: str, value: str, line: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ORCHESTRATOR__{variable}", value)
    assert file_problems(file) == [f"ORCHESTRATOR__{variable}: {line}"]


def test_a_wrong_value_names_the_variable_that_set_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR__STARTER__PORT", PASTED)
    assert file_problems(file) == ["starter.port: must be a whole number (set by ORCHESTRATOR__STARTER__PORT)"]


# --- n8n's own variable ---


def test_n8ns_body_limit_is_understood_and_ours_goes_before_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(file).starter.body_limit == 16 * 2**20
    monkeypatch.setenv("N8N_PAYLOAD_SIZE_MAX", "32")
    assert load_settings(file).starter.body_limit == 32 * 2**20
    monkeypatch.setenv("ORCHESTRATOR__STARTER__BODY_LIMIT", "4096")
    assert load_settings(file).starter.body_limit == 4096


@pytest.mark.parametrize("value", ["0", "257", "1.5", "16mb", "-1", "\u0661"])
def test_n8ns_body_limit_must_be_usable(value: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("N8N_PAYLOAD_SIZE_MAX", value)
    assert file_problems(file) == ["N8N_PAYLOAD_SIZE_MAX: must be a whole number of MiB from 1 to 256, as 16"]
