"""TLS on gRPC, by files: what a server shows and demands, and what a caller trusts and shows.

Files are read, and looked at, when a part starts. What is wrong with one is said there, with its path: gRPC itself
would only log it, or fail at the first call. Where a part has no files of its own (on AWS, where secrets come as
variables), what would be in a file stands in the place of its path.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import grpc

from wukong import settings
from wukong.errors import InvalidSetting
from wukong.rpc.pem import as_file, content, named

#: Makes the error about a setting or argument, from its name and what is wrong.
Fail = Callable[[str, str], Exception]

#: OpenSSL's codes of verification: not valid yet, and has expired.
_DATES = (9, 10)


@dataclass(frozen=True, slots=True)
class CallerTls:
    """What a caller trusts and shows.

    Attributes:
        ca: Certificates (PEM) of the authorities that vouch for servers; None for the well-known public ones.
        certificate: Its own certificate (PEM) for servers that demand one; empty without.
        key: The key (PEM) of that certificate.
    """

    ca: bytes | None
    certificate: bytes = b""
    key: bytes = field(default=b"", repr=False)

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> CallerTls | None:
        """What a part's environment says; None for a caller that speaks without TLS.

        Raises:
            InvalidSetting: A file cannot be read, or does not hold what it should.
        """
        ca = settings.TLS_CA.get(environ)
        if not ca:
            return None
        names = tuple(variable.name for variable in (settings.TLS_CA, settings.TLS_CERTIFICATE, settings.TLS_KEY))
        return cls.of(ca, settings.TLS_CERTIFICATE.get(environ), settings.TLS_KEY.get(environ), names, InvalidSetting)

    @classmethod
    def of(cls, ca_file: str, certificate_file: str, key_file: str, names: tuple[str, ...], fail: Fail) -> CallerTls:
        """What these files hold.

        Args:
            ca_file: The authorities'; empty for the well-known public ones.
            certificate_file: The caller's own; empty without.
            key_file: Its key.
            names: What the three are called where the caller got them.
            fail: Makes the error.
        """
        ca = _authorities(names[0], ca_file, fail) if ca_file else None
        return cls(ca, *_pair(names[1:], certificate_file, key_file, fail))

    def credentials(self) -> grpc.ChannelCredentials:
        """These, for a channel."""
        return grpc.ssl_channel_credentials(self.ca, self.key or None, self.certificate or None)


@dataclass(frozen=True, slots=True)
class ServerTls:
    """What a server shows and demands.

    Attributes:
        certificate: Its certificate (PEM).
        key: The key (PEM) of that.
        client_ca: Certificates (PEM) of the authorities that vouch for callers; empty not to demand any.
    """

    certificate: bytes
    key: bytes = field(repr=False)
    client_ca: bytes = b""

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> ServerTls | None:
        """What a part's environment says; None for a server that speaks without TLS.

        Raises:
            InvalidSetting: A file cannot be read, does not hold what it should, or its certificate has expired.
        """
        paths = settings.TLS_CERTIFICATE.get(environ), settings.TLS_KEY.get(environ)
        client_ca = settings.TLS_CLIENT_CA.get(environ)
        names = settings.TLS_CERTIFICATE.name, settings.TLS_KEY.name
        if not any(paths):
            if client_ca:
                why = f"and the server has no {names[0]} of its own, without which there is no TLS"
                raise InvalidSetting(settings.TLS_CLIENT_CA.name, f"it is {named(client_ca)}, {why}")
            return None
        certificate, key = _pair(names, *paths, InvalidSetting)
        trusted = _authorities(settings.TLS_CLIENT_CA.name, client_ca, InvalidSetting) if client_ca else b""
        return cls(certificate, key, trusted)

    def credentials(self) -> grpc.ServerCredentials:
        """These, for a server's port."""
        demands = bool(self.client_ca)
        return grpc.ssl_server_credentials(
            [(self.key, self.certificate)], self.client_ca or None, require_client_auth=demands
        )


def _authorities(name: str, path: str, fail: Fail) -> bytes:
    data = _content(name, path, fail)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=data.decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError):
        raise fail(name, f"it is {named(path)}, which holds no certificate in the form PEM") from None
    return data


def _pair(names: tuple[str, ...], certificate_file: str, key_file: str, fail: Fail) -> tuple[bytes, bytes]:
    """A certificate and its key; two times nothing where neither is given."""
    if not certificate_file and not key_file:
        return b"", b""
    for name, other, path in zip(names, reversed(names), (certificate_file, key_file), strict=True):
        if not path:
            raise fail(name, f"it is missing, and {other} is given; a certificate and its key belong together")
    certificate, key = (
        _content(name, path, fail) for name, path in zip(names, (certificate_file, key_file), strict=True)
    )

    shown, secret = named(certificate_file), named(key_file)

    def encrypted() -> str:
        raise fail(names[1], f"it is {secret}, whose key is encrypted; give a file with the plain key")

    with as_file(certificate_file) as certificate_path, as_file(key_file) as key_path:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate_path, key_path, encrypted)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise fail(names[1], f"it is {secret}, whose key is not that of {shown}") from None
            reason = "do not hold a certificate and a private key in the form PEM"
            raise fail(names[0], f"{shown} and {secret} {reason} ({error.reason or error})") from None
        if reason := _not_valid_now(certificate_path, key_path):
            raise fail(names[0], f"it is {shown}, and the other side would refuse it: {reason}; renew it")
    return certificate, key


def _content(name: str, path: str, fail: Fail) -> bytes:
    try:
        return content(path)
    except OSError as error:
        raise fail(name, f"it is {path!r}, which cannot be read: {error.strerror}") from error


def _not_valid_now(certificate_file: str, key_file: str) -> str:
    """Why nobody would accept a certificate today, whoever vouches for it; empty where there is no such reason.

    Found out by a handshake in memory, whose client trusts just this certificate: only its dates are then left to fail.
    """
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(certificate_file, key_file)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(certificate_file)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(down, up), server.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return error.verify_message if error.verify_code in _DATES else ""
            except ssl.SSLError:
                return ""
    return ""
