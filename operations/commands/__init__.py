"""The commands of `orchestrator`, one small module per family."""

from __future__ import annotations

import click

from operations.commands.alerts import alerts
from operations.commands.bootstrap import bootstrap
from operations.commands.codec_server import codec_server
from operations.commands.configuration import config
from operations.commands.conformance import conformance
from operations.commands.dead_letters import dead_letters
from operations.commands.demo import demo
from operations.commands.deployments import deployments
from operations.commands.doctor import doctor
from operations.commands.import_n8n import import_n8n
from operations.commands.keys import keys
from operations.commands.limits import limits
from operations.commands.listen import listen
from operations.commands.processes import starter, worker
from operations.commands.reconcile import reconcile
from operations.commands.replay import replay
from operations.commands.requests import cancel, status
from operations.commands.send import send
from operations.commands.services import services
from operations.commands.shadow import shadow
from operations.commands.spend import spend
from operations.commands.store import store
from operations.commands.tests import test
from operations.commands.up import up
from operations.commands.web_ui import web_ui

COMMANDS: tuple[click.Command, ...] = (
    up,
    demo,
    worker,
    starter,
    codec_server,
    bootstrap,
    doctor,
    send,
    status,
    web_ui,
    cancel,
    dead_letters,
    alerts,
    limits,
    spend,
    config,
    keys,
    services,
    listen,
    shadow,
    store,
    reconcile,
    import_n8n,
    replay,
    deployments,
    conformance,
    test,
)
"""Every command."""

__all__ = ["COMMANDS"]
