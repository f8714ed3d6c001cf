"""`keys`: the keys that encrypt what Temporal stores: make one, list them, find out which are still needed."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import click

from operations.console import Context, json_option, print_json, print_table, run, say, warn
from operations.key_usage import CLEAR, KeyUsage, key_usage
from runtime.codec import KeyRing, key_id, new_key, read_key
from runtime.secrets import references
from runtime.settings import EncryptionSettings


@click.group()
def keys() -> None:
    """The keys that encrypt what Temporal stores (encryption.keys)."""


@keys.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
def new(*, file: Path | None) -> None:
    """Make a new key, in FILE (readable by you only, never overwritten) or on standard output.

    To rotate: add it behind the active key everywhere, restart; then put it first, restart (docs/security.md).
    """
    key = new_key()
    if file is None:
        click.echo(key)
        return
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
        opened.write(f"{key}\n")
    reference = f"file:{file}"
    say(f"{file}: a new key with the id {key_id(read_key(reference))}; name it in encryption.keys as {reference}")


@keys.command("list")
@json_option
@click.pass_obj
def list_keys(context: Context, *, as_json: bool) -> None:
    """List the configured keys: the first encrypts, all decrypt."""
    rows = _rows(context.settings().encryption)
    if as_json:
        print_json([dict(zip(("id", "use", "reference"), row, strict=True)) for row in rows])
    elif rows:
        print_table("Keys", ("Id", "Use", "Reference"), rows)
    else:
        warn("encryption.keys is not set: nothing is encrypted")


def _rows(encryption: EncryptionSettings) -> list[tuple[str, str, str]]:
    listed = references(encryption.keys or ())
    uses = ["encrypts and decrypts", *["decrypts"] * len(listed)]
    return [(key_id(read_key(one)), use, one) for one, use in zip(listed, uses, strict=False)]


@keys.command()
@click.option("--query", default="", help="Visibility query.  [default: everything that Temporal still keeps]")
@json_option
@click.pass_obj
def check(context: Context, *, query: str, as_json: bool) -> None:
    """Count by which keys the payloads in Temporal are encrypted: a key that nothing needs may be removed.

    Exits with 1 where a payload needs a key that is not configured.
    """
    ring = KeyRing.of(context.settings().encryption)
    usage = run(_usage(context, query))
    missing = sorted(set(usage.executions) - {*ring.ids, CLEAR})
    if as_json:
        executions = {**dict.fromkeys(ring.ids, 0), **usage.executions}
        print_json({"looked_at": usage.looked_at, "executions": executions, "missing": missing})
    else:
        _show(usage.executions, ring, usage.looked_at)
    if missing:
        raise click.ClickException(
            f"payloads are encrypted with {', '.join(missing)}, which encryption.keys lacks: add references to them"
        )


async def _usage(context: Context, query: str) -> KeyUsage:
    return await key_usage(await context.client(), query)


def _show(executions: Counter[str], ring: KeyRing, looked_at: int) -> None:
    names = [*ring.ids, *sorted(set(executions) - set(ring.ids))]
    print_table(
        f"{looked_at} executions looked at",
        ("Key", "Executions that need it", "What to do"),
        [(name, executions[name], _advice(name, ring, executions[name])) for name in names],
    )


def _advice(name: str, ring: KeyRing, needed: int) -> str:
    if name == CLEAR:
        return "not encrypted: from before encryption, and what never is (docs/security.md)"
    if name == ring.active:
        return "active: keep"
    if name not in ring.ids:
        return "MISSING: add a reference to it"
    return "keep" if needed else "may be removed"
