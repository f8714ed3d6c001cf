"""`import-n8n`: an n8n export becomes a configuration and a report of what that changes."""

from __future__ import annotations

from pathlib import Path

import click

from operations.console import json_option, out, plain, print_json, say, warn
from operations.n8n_import.importing import Imported, import_workflows
from operations.n8n_import.reading import LARGEST, ExportError, read_export
from operations.n8n_import.report import route_line, to_document, to_markdown
from operations.n8n_import.toml_document import to_toml


class _BadExport(click.ClickException):
    exit_code = 2


@click.command("import-n8n")
@click.argument("export", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--out", "target", type=click.Path(path_type=Path, dir_okay=False), help="Configuration file to write.")
@click.option("--check", is_flag=True, help="Say which dialect each webhook seems to speak, and why.")
@click.option("--report", "report", type=click.Path(path_type=Path, dir_okay=False), help="Report file to write.")
@json_option
def import_n8n(export: Path, target: Path | None, report: Path | None, *, check: bool, as_json: bool) -> None:
    """Turn an export (n8n export:workflow) into a configuration and a report in Markdown.

    Without --out and --check the configuration is printed, and the report goes to standard error. No existing
    configuration is overwritten. Exit code: 1 where no webhook could be taken over, 2 where the export cannot be read.
    """
    if target is not None and target.exists():
        raise click.UsageError(f"{target} is there already: choose another name for --out, or move it away")
    imported = _imported(export)
    toml, markdown = to_toml(imported), to_markdown(imported, export.name)
    if report is not None:
        report.write_text(markdown, encoding="utf-8")
    if target is not None:
        target.write_text(toml, encoding="utf-8")
    if as_json:
        print_json(to_document(imported, toml))
    elif check:
        _say_check(imported)
    else:
        _say(toml, markdown, target, report)
    if not imported.routes:
        raise click.ClickException(f"{export}: no webhook could be taken over; the report says why")


def _imported(export: Path) -> Imported:
    with export.open("rb") as file:
        content = file.read(LARGEST + 1)
    try:
        return import_workflows(read_export(content))
    except ExportError as error:
        raise _BadExport(f"{export}: {error}") from None


def _say_check(imported: Imported) -> None:
    for route in imported.routes:
        say(route_line(route))
    for supply in imported.supplies:
        say(f"to supply: {supply.variable} ({supply.credential})")
    for problem in imported.sections.problems():
        warn(f"configuration: {problem}")
    if imported.routes and not imported.sections.problems():
        say("the configuration is valid; supply the secrets and run: orchestrator config check")


def _say(toml: str, markdown: str, target: Path | None, report: Path | None) -> None:
    if target is None:
        click.echo(toml, nl=False)
    else:
        warn(f"configuration written to {target}")
    if report is not None:
        warn(f"report written to {report}")
    elif target is None:
        warn(markdown)
    else:
        out.print(plain(markdown), markup=False)
