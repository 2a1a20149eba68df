from __future__ import annotations

import socket

import pytest

from wukong.cluster import ports


def test_the_system_gives_the_port_to_nobody_else() -> None:
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first, last = map(int, file.read().split())
    port = ports.free_port()
    assert not first <= port <= last
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_a_port_in_use_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        ports.check_free(taken.getsockname()[1])


def test_ports_in_use_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        used = taken.getsockname()[1]
        free = ports.free_port()
        monkeypatch.setattr(ports, "_PORTS", [used, free])
        assert {ports.free_port() for _ in range(20)} == {free}
        monkeypatch.setattr(ports, "_PORTS", [used])
        with pytest.raises(OSError, match="in use"):
            ports.free_port()
