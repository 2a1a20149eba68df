"""Whether a gRPC server is serving: `python -m wukong.rpc.serving HOST:PORT`, the health check of images.

It asks the standard health service and exits with 0 or 1. The one call is written here as the frames that it is
(RFC 9113, RFC 7541): a container's health is asked every few seconds, and importing gRPC for it would cost a quarter
of a second of processor time, each time and in each container. Where the container's server speaks TLS
(`WUKONG_TLS_CERTIFICATE`), so does this, as a caller with the server's own certificate.
"""

from __future__ import annotations

import argparse
import socket
import struct
import sys

from wukong import settings

_SECONDS = 2.0
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS = 1, 4
_FRAME_HEADER = 9
#: A message of gRPC, not compressed, of two bytes: HealthCheckResponse(status=SERVING).
_SERVING = b"\x00\x00\x00\x00\x02\x08\x01"


def serving(address: str) -> bool:
    """Whether the server at host:port says SERVING of itself within two seconds."""
    host, _, port = address.rpartition(":")
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS) as plain,
            _secured(plain) if settings.TLS_CERTIFICATE.get() else plain as connection,
        ):
            connection.sendall(_request(address))
            return _answer(connection) == _SERVING
    except OSError:
        return False


def _secured(plain: socket.socket) -> socket.socket:
    """The connection with TLS, showing the server its own certificate. Who asks itself need not be vouched for."""
    import ssl

    from wukong.rpc.pem import as_file

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with as_file(settings.TLS_CERTIFICATE.get()) as certificate, as_file(settings.TLS_KEY.get()) as key:
        context.load_cert_chain(certificate, key)
    return context.wrap_socket(plain)


def _request(address: str) -> bytes:
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/grpc.health.v1.Health/Check",
        ":authority": address,
        "content-type": "application/grpc",
        "te": "trailers",
    }
    # Each as a literal without indexing, and without Huffman coding.
    block = b"".join(b"\x00" + _text(name) + _text(value) for name, value in headers.items())
    empty = b"\x00\x00\x00\x00\x00"
    return (
        _PREFACE
        + _frame(_SETTINGS, 0, 0, b"")
        + _frame(_HEADERS, _END_HEADERS, 1, block)
        + _frame(_DATA, _END_STREAM, 1, empty)
    )


def _text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()  # shorter than 127, which one byte can tell


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _answer(connection: socket.socket) -> bytes:
    """The first data that the server sends; nothing if it ends without any."""
    with connection.makefile("rb") as stream:
        while len(header := stream.read(_FRAME_HEADER)) == _FRAME_HEADER:
            payload = stream.read(int.from_bytes(header[:3], "big"))
            if header[3] == _DATA:
                return payload
            if header[3] == _HEADERS and header[4] & _END_STREAM:
                return b""
    return b""


def main() -> None:
    """Ask, and exit with 0 where it is serving."""
    parser = argparse.ArgumentParser(prog="wukong.rpc.serving", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("address", help="host:port of the server")
    sys.exit(not serving(parser.parse_args().address))


if __name__ == "__main__":
    main()
