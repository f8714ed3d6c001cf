"""The way to each Odoo's external interface, as the settings say."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from activities.attempts import AttemptFailedError
from activities.odoo.json2 import Json2Port
from activities.odoo.odoo_rpc import Login, OdooRpcPort, RpcThreads
from activities.odoo.port import OdooPort
from activities.secrets import needed
from contracts.errors import FailureClass, make_failure
from runtime.secrets import resolve
from runtime.settings import OdooRpcSettings, OdooSettings


class OdooConnections:
    """Gives a port per attempt, so that a rotated key needs no restart."""

    def __init__(self, odoos: Mapping[str, OdooSettings], clients: Mapping[str, httpx.AsyncClient]) -> None:
        self._odoos = odoos
        self._clients = clients
        self._threads = {
            name: RpcThreads(odoo.rpc.threads)
            for name, odoo in odoos.items()
            if odoo.rpc is not None and odoo.rpc.kind == "odoorpc"
        }

    def port(self, name: str, timeout_s: float) -> OdooPort:
        """The port of that Odoo, with so many seconds for each call; raises `AttemptFailedError`."""
        odoo = self._odoos.get(name)
        rpc = odoo.rpc if odoo is not None else None
        if odoo is None or rpc is None:
            message = f"odoos.{name}.rpc is not configured here any more: add it again, then redrive"
            raise AttemptFailedError(make_failure(FailureClass.CALLBACK_REFUSED, message))
        key = needed(lambda: resolve(rpc.secret))
        return self._port(name, odoo, rpc, key, timeout_s)

    def close(self) -> None:
        """Take no further calls."""
        for threads in self._threads.values():
            threads.close()

    def _port(self, name: str, odoo: OdooSettings, rpc: OdooRpcSettings, key: str, timeout_s: float) -> OdooPort:
        if rpc.kind == "json2":
            return Json2Port(self._clients[name], odoo.base_url, odoo.database, key, timeout_s)
        login = Login(odoo.base_url, odoo.database, rpc.user or "", key)
        return OdooRpcPort(self._threads[name], login, timeout_s)
