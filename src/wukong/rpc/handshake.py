"""What went wrong where two sides could not agree on TLS, in words that say what to do.

gRPC says it in the details of a failed call, in OpenSSL's words, where this side was the one to refuse. Where the other
side refused, it only closes the connection; then `trouble` tries again, in plain TLS, and hears why.
"""

from __future__ import annotations

import re
import socket
import ssl
import tempfile
from pathlib import Path

from wukong import settings
from wukong.errors import TlsFailed
from wukong.rpc.tls import CallerTls

#: Seconds that a server may take to answer `trouble`.
_SECONDS = 2.0

_CERTIFICATE = settings.TLS_CERTIFICATE.name
_CA = settings.TLS_CA.name

_VERIFY = re.compile(r"CERTIFICATE_VERIFY_FAILED: ([^:]+)")
_NAME = "Hostname Verification Check failed"
_NO_TLS = "WRONG_VERSION_NUMBER"
#: What gRPC says where the other side just went away.
_CLOSED = re.compile(r"Socket closed|Connection reset|Broken pipe|EOF")


def refused(details: str, address: str) -> TlsFailed | None:
    """The error that the details of a failed call mean; None where TLS was not the reason, or they do not tell."""
    if verified := _VERIFY.search(details):
        return TlsFailed(f"the certificate of {address} cannot be trusted: {verified[1]}. {_advice(verified[1])}")
    if _NAME in details:
        return TlsFailed(
            f"the certificate of {address} is not for that name: call the server by a name in its certificate, or make "
            "one with this name in it"
        )
    if _NO_TLS in details:
        return TlsFailed(
            f"{address} speaks without TLS, and this caller with it: leave ca_file and {_CA} away, and call it as "
            f"host:port; or give the server a certificate, with {_CERTIFICATE}"
        )
    return None


def closed(details: str) -> bool:
    """Whether the details say only that the other side ended the connection, so that `trouble` may know more."""
    return _CLOSED.search(details) is not None


def trouble(address: str, tls: CallerTls | None) -> TlsFailed | None:
    """Connect as a caller would, and hear what the server has against it; None if TLS is not the reason. Blocks."""
    host, _, port = address.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # what this side refuses, gRPC has told
    context.set_alpn_protocols(["h2"])
    try:
        if tls is not None and tls.certificate:
            _show(context, tls)
        with (
            socket.create_connection((host.strip("[]"), int(port)), _SECONDS) as plain,
            context.wrap_socket(plain) as secured,
        ):
            if tls is None:
                return TlsFailed(
                    f"{address} speaks TLS, and this caller does not: give ca_file=..., the certificate of the "
                    f"authority that vouches for the server, or set {_CA} to its path"
                )
            if secured.recv(1):  # a server ends the connection only now, if it does not like the caller's certificate
                return None
    except ssl.SSLError as error:
        if "ALERT" not in (error.reason or ""):
            return None
    except ConnectionResetError:
        pass
    except OSError:
        return None
    return _not_welcome(address, tls)


def _not_welcome(address: str, tls: CallerTls | None) -> TlsFailed | None:
    if tls is None:
        return None
    which = "this one's is of an authority that it does not know" if tls.certificate else "this one has shown none"
    return TlsFailed(
        f"{address} demands a certificate of its callers (mutual TLS), and {which}: give certificate_file=... and "
        f"key_file=..., or set {_CERTIFICATE} and {settings.TLS_KEY.name}, one of an authority in the server's "
        f"{settings.TLS_CLIENT_CA.name}"
    )


def _show(context: ssl.SSLContext, tls: CallerTls) -> None:
    """Have a certificate shown. The standard library takes it from files only."""
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "certificate"), Path(folder, "key")
        key.touch(mode=0o600)
        certificate.write_bytes(tls.certificate)
        key.write_bytes(tls.key)
        context.load_cert_chain(certificate, key)


def _advice(reason: str) -> str:
    if "expired" in reason or "not yet valid" in reason:
        return f"Renew it where the server runs ({_CERTIFICATE}), or look at this machine's clock."
    return f"Give ca_file=..., or set {_CA} to, the certificate of the authority that made it."
