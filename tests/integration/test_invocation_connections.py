"""Connections with TLS, through proxies and past them, as boto3 makes them."""

from __future__ import annotations

import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from wukong.cluster import certificates
from wukong.errors import ClusterUnavailable
from wukong.invocation.connections import Answer, Connections

HOST = "lambda.nowhere-1.amazonaws.com"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """The server of one connection: with TLS, at the end of a tunnel if one is asked for."""

    def __init__(self, folder: Path, requests: int, refuses: bool = False) -> None:
        self.heads: list[bytes] = []
        self.address = ""
        self._requests, self._refuses = requests, refuses
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(*(folder / name for name in certificates.SERVER))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        """Wait for its end."""
        self._thread.join()

    def _serve(self) -> None:
        with self._listener:
            plain, _ = self._listener.accept()
        with plain:
            if plain.recv(1, socket.MSG_PEEK) == b"C":
                self.heads.append(self._read(plain, b"\r\n\r\n"))
                plain.sendall(b"HTTP/1.1 407 No\r\n\r\n" if self._refuses else b"HTTP/1.1 200 Established\r\n\r\n")
            if self._refuses:
                return
            # Who does not trust this server ends the connection while they greet each other.
            with suppress(ssl.SSLError), self._context.wrap_socket(plain, server_side=True) as secure:
                for _ in range(self._requests):
                    self.heads.append(self._read(secure, b"{}"))
                    secure.sendall(ACCEPTED)

    def _read(self, connection: socket.socket, end: bytes) -> bytes:
        text = b""
        while not text.endswith(end) and (part := connection.recv(65536)):
            text += part
        return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("certificates")
    certificates.make(made, [HOST, "127.0.0.1"])
    return made


@pytest.fixture
def peer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Peer]]:
    for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    begun: list[Peer] = []

    def begin(requests: int = 1, refuses: bool = False) -> Peer:
        begun.append(made := Peer(folder, requests, refuses))
        return made

    yield begin
    for made in begun:
        made.close()


def post(made: Connections) -> Answer:
    return made.post("/path", b"{}", {"A": "b"})


def bundle(folder: Path) -> dict[str, str]:
    return {"AWS_CA_BUNDLE": str(folder / certificates.AUTHORITY[0])}


def test_a_tunnel_through_the_proxy_is_kept(
    peer: Callable[..., Peer], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = peer(2)
    monkeypatch.setenv("HTTPS_PROXY", f"http://a%40b:word@{proxy.address}")
    made = Connections("https", HOST, 10, bundle(folder))
    assert [post(made), post(made)] == [Answer(202, "", b"ok")] * 2
    made.close()
    connect, *requests = proxy.heads
    assert connect.startswith(f"CONNECT {HOST}:443 HTTP/1.".encode())
    assert b"Proxy-Authorization: Basic " + b64encode(b"a@b:word") in connect
    assert len(requests) == 2
    for request in requests:
        assert request.startswith(b"POST /path HTTP/1.1\r\n")
        assert f"\r\nHost: {HOST}\r\n".encode() in request
        assert b"Proxy-Authorization" not in request


def test_a_proxy_that_refuses_is_no_answer(peer: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", peer(refuses=True).address)  # without a scheme, as boto3 takes it
    with pytest.raises(OSError, match="407"):
        post(Connections("https", HOST, 10, {}))


def test_what_needs_no_proxy_is_reached_directly(
    peer: Callable[..., Peer], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = peer()
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "elsewhere,127.0.0.1")
    made = Connections("https", server.address, 10, bundle(folder))
    assert post(made).status == 202
    made.close()


def test_a_server_of_an_unknown_authority_is_not_told_anything(peer: Callable[..., Peer]) -> None:
    server = peer(0)
    with pytest.raises(ssl.SSLCertVerificationError):
        post(Connections("https", server.address, 10, {}))
    assert server.heads == []


@pytest.mark.parametrize("url", ["https://127.0.0.1:3128", "socks5://127.0.0.1:1080", "http://:3128"])
def test_a_proxy_that_cannot_be_used_is_refused_by_name(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(ClusterUnavailable, match=f"HTTPS_PROXY names cannot be used for {HOST}"):
        Connections("https", HOST, 10)
    Connections("http", HOST, 10).close()
