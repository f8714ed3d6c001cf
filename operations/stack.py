"""Everything on one machine: Temporal's dev server, worker, starter and, where asked for, the local stand-ins."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

from contracts.names import WORKFLOW_QUEUE
from operations.supervisor import STOP_S, Program, Supervisor
from runtime.bootstrap import bootstrap
from runtime.codec import KeyRing
from runtime.codec_conversion import data_converter
from runtime.configuration import CONFIG_VARIABLE
from runtime.embedded import EmbeddedServer
from runtime.environment import ENV_PREFIX, N8N_PAYLOAD_LIMIT, variable_name
from runtime.settings import Settings

PYTHON = (sys.executable, "-P", "-m")
OUR_MODULES = {"PYTHONPATH": str(Path(__file__).parent.parent)}
"""So that the children find this very code, installed or not, whatever the current directory is."""
_CONNECTION = ("TEMPORAL_",)
"""How the shell's variables begin that lead to another Temporal, in parts or as a whole."""
_SETTINGS = (ENV_PREFIX, CONFIG_VARIABLE, N8N_PAYLOAD_LIMIT)
"""How the shell's variables begin that change settings."""


@dataclass(frozen=True, slots=True)
class StandIns:
    """The local image service and the local Odoo-like receiver."""

    image_port: int
    receiver_port: int
    image_options: tuple[str, ...] = ()
    receiver_options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Beside the parent's: their secrets."""

    @property
    def image_url(self) -> str:
        """Base URL of the image service."""
        return f"http://127.0.0.1:{self.image_port}"

    @property
    def receiver_url(self) -> str:
        """Base URL of the receiver, whose root is the page of received images."""
        return f"http://127.0.0.1:{self.receiver_port}"


class Stack:
    """The programs of one machine and the way to start and stop them.

    `settings` are the variables (ORCHESTRATOR__...) of worker and starter in place of the shell's; None = the shell's.
    `configured` is what they read, as far as it concerns us. The codec server belongs to them where the server's Web UI
    is to ask one. Raises `SecretMissingError` where a key of `encryption.keys` cannot be used.
    """

    def __init__(
        self,
        server: EmbeddedServer,
        config: Path,
        starter_url: str,
        *,
        settings: Mapping[str, str] | None = None,
        configured: Settings | None = None,
    ) -> None:
        self._settings = settings
        self._configured = configured or Settings()
        self._converter = data_converter(KeyRing.of(self._configured.encryption))
        self._worker_stop_s = self._configured.worker.shutdown_grace_s + STOP_S
        self._server = server
        self._config = config
        self.starter_url = starter_url
        self.supervisor = Supervisor(server.directory / "logs")
        self._http = httpx.AsyncClient(trust_env=False, timeout=2.0)
        self._client: Client | None = None

    @property
    def address(self) -> str:
        """Host and port of the Temporal server."""
        return self._server.address

    @property
    def client(self) -> Client:
        """A client of the running server."""
        if self._client is None:
            message = "the stack is not started"
            raise RuntimeError(message)
        return self._client

    async def start(self, stand_ins: StandIns | None, progress: Callable[[str], None]) -> None:
        """Start everything; `progress` gets the name of each program once it is ready. Raises `StartError`."""
        self._server.directory.mkdir(parents=True, exist_ok=True)
        local = self.local_programs(stand_ins) if stand_ins else []
        codec = [self.codec_server(self._server.codec_url)] if self._server.codec_url else []
        for program in (self.server(), *codec, *local, self.worker(), self.starter()):
            await self.supervisor.start(program)
            progress(program.name)

    async def stop(self) -> None:
        """Stop everything, the intake first and the server last."""
        await self.supervisor.stop()
        await self._http.aclose()

    def server(self) -> Program:
        """Temporal's dev server."""
        environment, command = self._server.environment(), tuple(self._server.command())
        return Program("temporal", command, self._server_ready, environment, without=_CONNECTION)

    def worker(self) -> Program:
        """Our worker."""
        return replace(self._own("worker", self._worker_ready), stop_s=self._worker_stop_s)

    def starter(self) -> Program:
        """Our webhook front."""
        return self._own("starter", self._answers(f"{self.starter_url}/healthz"))

    def codec_server(self, url: str) -> Program:
        """Decrypts for the Web UI, at that address."""
        port, ui = url.rpartition(":")[2], self._server.ui_port
        origins = (*self._configured.codec_server.origins, f"http://127.0.0.1:{ui}", f"http://localhost:{ui}")
        ours = {"codec_server.port": port, "codec_server.origins": json.dumps(list(dict.fromkeys(origins)))}
        program = self._own("codec-server", self._answers(f"{url}/healthz"))
        environment = {variable_name(path): value for path, value in ours.items()}
        return replace(program, environment={**program.environment, **environment})

    def local_programs(self, stand_ins: StandIns) -> list[Program]:
        """The local image service and the local receiver: self-written stand-ins."""
        image = ("operations.local.image_service", "--port", str(stand_ins.image_port), *stand_ins.image_options)
        receiver = ("operations.local.receiver", "--port", str(stand_ins.receiver_port), *stand_ins.receiver_options)
        environment = {**OUR_MODULES, **stand_ins.environment}
        image_ready = self._answers(f"{stand_ins.image_url}/healthz")
        receiver_ready = self._answers(f"{stand_ins.receiver_url}/received")
        return [
            Program("image-service", (*PYTHON, *image), image_ready, environment),
            Program("receiver", (*PYTHON, *receiver), receiver_ready, environment),
        ]

    def _own(self, name: str, ready: Callable[[], Awaitable[bool]]) -> Program:
        command = (*PYTHON, "operations", "--config", str(self._config), name)
        environment = {**OUR_MODULES, **_connection(self._server.address), **(self._settings or {})}
        without = _CONNECTION if self._settings is None else _CONNECTION + _SETTINGS
        return Program(name, command, ready, environment, without=without)

    def _answers(self, url: str) -> Callable[[], Awaitable[bool]]:
        async def ready() -> bool:
            try:
                return (await self._http.get(url)).is_success
            except httpx.HTTPError:
                return False

        return ready

    async def _server_ready(self) -> bool:
        try:
            self._client = await Client.connect(self._server.address, data_converter=self._converter)
            await bootstrap(self._client)
        except (RuntimeError, RPCError):
            return False
        return True

    async def _worker_ready(self) -> bool:
        request = DescribeTaskQueueRequest(
            namespace=self.client.namespace,
            task_queue=TaskQueue(name=WORKFLOW_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        return bool((await self.client.workflow_service.describe_task_queue(request)).pollers)


def _connection(address: str) -> dict[str, str]:
    """A person's temporal.toml may hold keys and TLS for another Temporal: the embedded one needs no file."""
    return {"TEMPORAL_ADDRESS": address, "TEMPORAL_NAMESPACE": "default", "TEMPORAL_CONFIG_FILE": os.devnull}
