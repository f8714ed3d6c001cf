"""The command line `orchestrator`. What goes wrong is said in one line each, never as a traceback."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
from temporalio.service import RPCError, RPCStatusCode

from operations.commands import COMMANDS
from operations.console import Context, warn
from operations.supervisor import StartError
from runtime.bootstrap import NamespaceNotReadyError
from runtime.codec import DecryptionError
from runtime.configuration import ConfigurationError
from runtime.secrets import SecretMissingError
from runtime.store_check import StoreUnusableError
from runtime.temporal import TemporalUnreachableError, address
from starter.api.executions import RequestError
from starter.wire.server import ListenError

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

_SURROUNDINGS = (
    TemporalUnreachableError,
    SecretMissingError,
    StoreUnusableError,
    NamespaceNotReadyError,
    ListenError,
    StartError,
    DecryptionError,
)
_UNREACHABLE = frozenset({RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED})
_MESSAGE_LIMIT = 500


class FailedError(click.ClickException):
    """What was asked for could not be done. The message has one line per problem."""


class BadUseError(FailedError):
    """The command line, the configuration or the surroundings are wrong."""

    exit_code = 2


class _OneLineGroup(click.Group):
    """Turns whatever a command raises into lines for people."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.params["debug"]:
                raise
            raise failure_of(error) from None


def failure_of(error: Exception) -> FailedError:
    """What a person is told about an exception, and the exit code."""
    match error:
        case ConfigurationError():
            return BadUseError("\n".join(f"configuration: {problem}" for problem in error.problems))
        case RequestError():
            return FailedError(str(error))
        case RPCError():
            return _rpc_failure(error)
        case OSError() if error.filename is not None:
            return BadUseError(f"{error.filename}: {error.strerror}")
        case _ if isinstance(error, _SURROUNDINGS):
            return BadUseError(str(error))
    text = " ".join(str(error).split())[:_MESSAGE_LIMIT]
    return FailedError(f"unexpected {type(error).__name__}: {text} (see where with: orchestrator --debug ...)")


def _rpc_failure(error: RPCError) -> FailedError:
    if error.status in _UNREACHABLE:
        return BadUseError(f"Temporal does not answer at {address()}: start it or set TEMPORAL_ADDRESS")
    return FailedError(f"Temporal refused: {' '.join(error.message.split())[:_MESSAGE_LIMIT]}")


@click.group(cls=_OneLineGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--config", type=click.Path(path_type=Path), help="Configuration file (else $ORCHESTRATOR_CONFIG).")
@click.option("--debug", is_flag=True, help="Show the traceback of what goes wrong.")
@click.version_option(package_name=None, version="0.1.0", prog_name="orchestrator")
@click.pass_context
def group(context: click.Context, /, *, config: Path | None, debug: bool) -> None:
    """Durable orchestrator between Odoo and AI image services, on Temporal."""
    if not debug:
        # Without any handler Python writes the libraries' warnings, tracebacks included, to standard error.
        logging.getLogger().addHandler(logging.NullHandler())
    context.obj = Context(config)


for command in COMMANDS:
    group.add_command(command)


def main() -> NoReturn:
    """Run the command line and end the process."""
    _leave(execute(sys.argv[1:]))


def execute(arguments: Sequence[str]) -> int:
    """Run the command line; returns its exit code, and has said what went wrong."""
    try:
        code = group.main(arguments, prog_name="orchestrator", standalone_mode=False)
    except click.ClickException as error:
        _show(error)
        return error.exit_code
    except click.Abort:
        warn("aborted")
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _leave(code: int) -> NoReturn:
    # Temporal's threads can crash an interpreter that takes its time to shut down, and the exit code is lost.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _show(error: click.ClickException) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
    elif isinstance(error, click.UsageError):
        where = error.ctx.command_path if error.ctx else "orchestrator"
        warn(f"{' '.join(error.format_message().split())} (see: {where} --help)")
    else:
        for line in error.format_message().splitlines():
            warn(line)
