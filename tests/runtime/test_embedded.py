from __future__ import annotations

import socket

import pytest

from runtime.embedded import free_ports

FIRST_OUTGOING = 32_768
"""Linux's default, the lowest of all systems."""


def test_a_wanted_port_is_given_where_it_is_free() -> None:
    (port,) = free_ports([0])
    assert free_ports([port]) == [port]


def test_a_wanted_port_that_is_taken_becomes_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        (port,) = free_ports([somebody.getsockname()[1]])
        assert port != somebody.getsockname()[1]


def test_no_two_are_alike() -> None:
    (port,) = free_ports([0])
    ports = free_ports([port, port, 0, 0, port])
    assert (ports[0], len(set(ports))) == (port, 5)


@pytest.mark.parametrize("_again", range(20))
def test_no_outgoing_connection_can_take_one_before_its_program_listens(_again: int) -> None:
    assert 20_000 <= free_ports([0])[0] < FIRST_OUTGOING
