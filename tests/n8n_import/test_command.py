"""`orchestrator import-n8n`: what it writes, prints and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from operations.cli import execute
from runtime.configuration import load_settings
from tests.n8n_import.exports import INFLUENCEGEN, flow, webhook

EXPORT = str(INFLUENCEGEN)


def test_files_are_written_and_the_configuration_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, report = tmp_path / "o.toml", tmp_path / "r.md"
    assert execute(["import-n8n", EXPORT, "--out", str(target), "--report", str(report)]) == 0
    assert list(load_settings(target).routes) == ["influencegen_ai_image_generate"]
    assert report.read_text().startswith("# Migration report\n")
    ran = capsys.readouterr()
    assert (ran.out, ran.err.splitlines()) == (
        "",
        [f"configuration written to {target}", f"report written to {report}"],
    )


def test_without_files_the_configuration_is_printed_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["import-n8n", EXPORT]) == 0
    ran = capsys.readouterr()
    (tmp_path / "printed.toml").write_text(ran.out)
    assert load_settings(tmp_path / "printed.toml").services
    assert ran.err.startswith("# Migration report")


def test_with_out_alone_the_report_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["import-n8n", EXPORT, "--out", str(tmp_path / "o.toml")]) == 0
    assert capsys.readouterr().out.startswith("# Migration report")


def test_check_says_dialect_and_reasons_and_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["import-n8n", EXPORT, "--check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("`POST /webhook/influencegen/ai-image-generate` -> routes.influencegen")
    assert "dialect request: it sends `error` in the callback" in lines[0]
    assert "to supply: ODOO_BASIC_PASSWORD (Odoo basic)" in lines
    assert lines[-1].startswith("the configuration is valid")


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["import-n8n", EXPORT, "--json"]) == 0
    ran = capsys.readouterr()
    document = json.loads(ran.out)
    assert ran.err == ""
    assert document["routes"][0]["dialect"] == "request"
    assert {"mapped", "approximated", "not_mapped", "set_up", "secrets", "configuration"} < document.keys()


def test_an_existing_configuration_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "o.toml"
    target.write_text("# mine\n")
    assert execute(["import-n8n", EXPORT, "--out", str(target)]) == 2
    assert target.read_text() == "# mine\n"
    (line,) = capsys.readouterr().err.splitlines()
    assert "is there already" in line


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"{}", b'[{"nodes": 1}]', b"\xff"])
def test_what_cannot_be_read_is_one_line(tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    export = tmp_path / "export.json"
    export.write_bytes(content)
    assert execute(["import-n8n", str(export), "--out", str(tmp_path / "o.toml")]) == 2
    ran = capsys.readouterr()
    assert (ran.out, len(ran.err.splitlines())) == ("", 1)
    assert str(export) in ran.err
    assert not (tmp_path / "o.toml").exists()


def test_a_file_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["import-n8n", "no-such-file.json"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no-such-file.json" in line


def test_where_nothing_can_be_taken_over_the_exit_code_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = tmp_path / "export.json"
    export.write_text(json.dumps([flow(webhook(), chains=())]))
    assert execute(["import-n8n", str(export), "--report", str(tmp_path / "r.md")]) == 1
    assert "no webhook could be taken over" in capsys.readouterr().err
    assert "no HTTP Request node behind it" in (tmp_path / "r.md").read_text()
