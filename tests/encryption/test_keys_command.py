"""`orchestrator keys`: made with care, listed without being shown."""

from __future__ import annotations

from pathlib import Path

from tests.encryption.encrypted_site import encrypted, key_file, ring
from tests.operations.commandline import configured

NOWHERE = "127.0.0.1:9"


async def test_a_new_key_is_only_its_owner_s_and_never_overwritten(tmp_path: Path) -> None:
    line, file = configured(tmp_path), tmp_path / "codec-key"
    made = await line.call("keys", "new", str(file))
    key = file.read_text(encoding="utf-8").strip()
    again = await line.call("keys", "new", str(file))
    assert (made.code, key in made.out, file.stat().st_mode & 0o777) == (0, False, 0o600)
    assert f"the id {ring(f'file:{file}').active}; name it in encryption.keys as file:{file}" in made.out
    assert (again.code, again.err) == (2, f"{file}: File exists\n")
    assert file.read_text(encoding="utf-8").strip() == key
    assert len((await line.call("keys", "new")).out.strip()) == 44


async def test_the_first_key_encrypts_and_all_decrypt(tmp_path: Path) -> None:
    new, old = key_file(tmp_path, "new"), key_file(tmp_path, "old")
    listed = (await encrypted(tmp_path, NOWHERE, new, old).call("keys", "list", "--json")).document
    assert listed == [
        {"id": ring(new).active, "use": "encrypts and decrypts", "reference": new},
        {"id": ring(old).active, "use": "decrypts", "reference": old},
    ]


async def test_a_key_that_is_none_stops_worker_and_commands_in_one_line(tmp_path: Path) -> None:
    line = encrypted(tmp_path, NOWHERE, key_file(tmp_path, "key"))
    (tmp_path / "key").write_text("not a key", encoding="utf-8")
    for run, command in ((line.run, ("worker",)), (line.run, ("up", "--free-ports")), (line.call, ("status", "r-1"))):
        ran = await run(*command)
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1), command
        assert f"the secret file:{tmp_path}/key is no key: it must be 32 bytes in base64" in ran.err


async def test_without_keys_nothing_is_encrypted_and_that_is_said(tmp_path: Path) -> None:
    ran = await configured(tmp_path).call("keys", "list")
    assert (ran.code, ran.err) == (0, "encryption.keys is not set: nothing is encrypted\n")
