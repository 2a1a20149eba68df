"""TLS between real servers and callers on loopback, and every way in which it fails: what is told, and what to do."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc.aio
import pytest
from tests.server_thread import served

from wukong import Client
from wukong.client.address import locate
from wukong.cluster import certificates
from wukong.errors import ClusterUnavailable, InvalidSetting, TlsFailed, WukongError
from wukong.rpc.channel import async_channel
from wukong.rpc.server import Context
from wukong.rpc.serving import serving
from wukong.rpc.status import wukong_errors
from wukong.rpc.tls import CallerTls, ServerTls
from wukong.rpc.v1 import cluster_pb2, ring_pb2, scheduler_pb2, scheduler_pb2_grpc
from wukong_kvs_node.agent import Agent

TOKEN = "the-token"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates: `good`, of `another` authority, and of the good authority: `expired` and for `elsewhere`."""
    base = tmp_path_factory.mktemp("certificates")
    certificates.make(base / "good")
    certificates.make(base / "another")
    for name, names, days in (("expired", certificates.NAMES, -1), ("elsewhere", ("elsewhere.test",), 1)):
        (base / name).mkdir()
        for file in certificates.AUTHORITY:
            shutil.copy(base / "good" / file, base / name)
        certificates.make(base / name, names, days)
    return base


class Scheduler(scheduler_pb2_grpc.SchedulerServicer):
    async def GetCluster(self, request: scheduler_pb2.GetClusterRequest, context: Context) -> cluster_pb2.Cluster:
        return cluster_pb2.Cluster(version="of the test")


Start = Callable[[ServerTls | None], str]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a server; returns its address."""

    def add(server: grpc.aio.Server) -> None:
        scheduler_pb2_grpc.add_SchedulerServicer_to_server(Scheduler(), server)

    with ExitStack() as stack:
        yield lambda tls: stack.enter_context(served(add, TOKEN, ["wukong.rpc.v1.Scheduler"], tls=tls))


def shown(folder: Path, name: str, mutual: str = "") -> ServerTls:
    """What a server shows, past the check at its own door."""
    read = [(folder / name / file).read_bytes() for file in certificates.SERVER]
    return ServerTls(read[0], read[1], (folder / mutual / "ca.pem").read_bytes() if mutual else b"")


def files(folder: Path, authority: str, client: str = "") -> dict[str, str]:
    found = {"ca_file": str(folder / authority / "ca.pem")}
    if client:
        found["certificate_file"], found["key_file"] = (str(folder / client / name) for name in certificates.CLIENT)
    return found


def version(address: str, files: dict[str, str]) -> str:
    client = Client(address, token=TOKEN, timeout=10, **files)
    try:
        return str(client.info()["version"])
    finally:
        client.close()


def test_a_client_that_trusts_the_authority_is_served(folder: Path, start: Start) -> None:
    address = start(shown(folder, "good"))
    assert version(address, files(folder, "good")) == "of the test"
    assert version(f"grpcs://{address}", files(folder, "good")) == "of the test"
    assert version(address.replace("127.0.0.1", "localhost"), files(folder, "good")) == "of the test"


def test_the_environment_names_the_files(folder: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    address = start(shown(folder, "good", mutual="good"))
    monkeypatch.setenv("WUKONG_TLS_CA", str(folder / "good/ca.pem"))
    monkeypatch.setenv("WUKONG_TLS_CERTIFICATE", str(folder / "good/client.pem"))
    monkeypatch.setenv("WUKONG_TLS_KEY", str(folder / "good/client-key.pem"))
    assert version(address, {}) == "of the test"
    assert version(f"grpcs://{address}", {}) == "of the test"


def test_a_client_with_a_certificate_is_served_where_one_is_demanded(folder: Path, start: Start) -> None:
    address = start(shown(folder, "good", mutual="good"))
    assert version(address, files(folder, "good", "good")) == "of the test"


#: What the server shows, from whom it demands a certificate, the client's files, and what the client is told.
FAILURES = {
    "expired": ("expired", "", ("good",), ["certificate has expired", "Renew it", "WUKONG_TLS_CERTIFICATE"]),
    "another authority": ("good", "", ("another",), ["cannot be trusted", "ca_file", "WUKONG_TLS_CA"]),
    "another name": ("elsewhere", "", ("good",), ["not for that name", "call the server by a name"]),
    "a plain client": ("good", "", (), ["speaks TLS, and this caller does not", "ca_file"]),
    "a plain client of a demanding server": ("good", "good", (), ["speaks TLS, and this caller does not", "ca_file"]),
    "a plain server": ("", "", ("good",), ["speaks without TLS", "WUKONG_TLS_CERTIFICATE"]),
    "no certificate": ("good", "good", ("good",), ["demands a certificate", "shown none", "certificate_file"]),
    "a stranger's certificate": ("good", "good", ("good", "another"), ["demands a certificate", "does not know"]),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_what_does_not_fit_is_told_at_once(folder: Path, start: Start, failure: str) -> None:
    server, mutual, client, words = FAILURES[failure]
    address = start(shown(folder, server, mutual) if server else None)
    with pytest.raises(TlsFailed) as caught:
        version(address, files(folder, *client) if client else {})
    assert address in str(caught.value)
    for word in words:
        assert word in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize("failure", FAILURES)
def test_a_nodes_agent_ends_with_the_same(folder: Path, start: Start, failure: str) -> None:
    server, mutual, client, words = FAILURES[failure]
    address = start(shown(folder, server, mutual) if server else None)
    tls = locate(address, TOKEN, **files(folder, *client)).tls if client else None

    async def join() -> None:
        agent = Agent(address, TOKEN, ring_pb2.KvsNode(id="n", address="h:1", agent_address="h:2"), tls)
        try:
            await agent.join()
        finally:
            await agent.close()

    with pytest.raises(TlsFailed, match=words[0]):
        asyncio.run(join())


def test_a_server_that_is_gone_is_no_matter_of_tls(folder: Path) -> None:
    with pytest.raises(ClusterUnavailable, match="Is the cluster running"):
        Client("127.0.0.1:1", token=TOKEN, timeout=0.1, **files(folder, "good"))


def test_an_async_channel_speaks_tls(folder: Path, start: Start) -> None:
    address = start(shown(folder, "good"))
    tls = locate(address, TOKEN, **files(folder, "good")).tls

    async def call() -> str:
        async with async_channel(address, TOKEN, tls) as opened:
            stub = scheduler_pb2_grpc.SchedulerStub(opened)
            with wukong_errors(address):
                return (await stub.GetCluster(scheduler_pb2.GetClusterRequest())).version

    assert asyncio.run(call()) == "of the test"


@pytest.mark.parametrize("mutual", ["", "good"])
def test_the_health_check_asks_with_the_servers_own_certificate(
    folder: Path, start: Start, monkeypatch: pytest.MonkeyPatch, mutual: str
) -> None:
    address = start(shown(folder, "good", mutual))
    assert not serving(address)
    monkeypatch.setenv("WUKONG_TLS_CERTIFICATE", str(folder / "good/server.pem"))
    monkeypatch.setenv("WUKONG_TLS_KEY", str(folder / "good/server-key.pem"))
    assert serving(address)


# Files.


def environ(folder: Path, certificate: str, key: str, client_ca: str = "") -> dict[str, str]:
    named = {"WUKONG_TLS_CERTIFICATE": certificate, "WUKONG_TLS_KEY": key, "WUKONG_TLS_CLIENT_CA": client_ca}
    return {name: str(folder / file) for name, file in named.items() if file}


def test_a_server_without_files_speaks_without_tls() -> None:
    assert ServerTls.read({}) is None
    assert CallerTls.read({}) is None


def test_a_servers_files_are_read(folder: Path) -> None:
    assert ServerTls.read(environ(folder, "good/server.pem", "good/server-key.pem", "good/ca.pem")) == shown(
        folder, "good", mutual="good"
    )


def test_pem_text_stands_in_the_place_of_files(folder: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = environ(folder, "good/server.pem", "good/server-key.pem", "good/ca.pem")
    texts = {name: Path(path).read_text() for name, path in paths.items()}
    server = ServerTls.read(texts)
    assert server == ServerTls.read(paths)
    texts["WUKONG_TLS_CA"] = (folder / "good/ca.pem").read_text()
    assert CallerTls.read(texts) is not None
    address = start(server)
    for name, text in texts.items():
        monkeypatch.setenv(name, text)
    assert serving(address)  # the health check of a container that has no files
    assert version(address, {}) == "of the test"


def test_pem_text_is_not_shown_where_it_cannot_be_used(folder: Path) -> None:
    texts = environ(folder, "good/server.pem", "another/server-key.pem")
    texts = {name: Path(path).read_text() for name, path in texts.items()}
    with pytest.raises(InvalidSetting, match="it is text, whose key is not that of text") as caught:
        ServerTls.read(texts)
    assert "-----BEGIN" not in str(caught.value)


#: The server's files, the variable that is named, and more that is told.
BAD: dict[str, tuple[tuple[str, ...], str, str]] = {
    "missing": (
        ("none.pem", "good/server-key.pem"),
        "WUKONG_TLS_CERTIFICATE",
        "none.pem', which cannot be read: No such",
    ),
    "missing key": (("good/server.pem", "none.pem"), "WUKONG_TLS_KEY", "none.pem', which cannot be read: No such file"),
    "no file": (("good/server.pem", "good"), "WUKONG_TLS_KEY", "good', which cannot be read: Is a directory"),
    "no key": (("good/server.pem", ""), "WUKONG_TLS_KEY", "it is missing, and WUKONG_TLS_CERTIFICATE is given"),
    "no certificate": (("", "good/server-key.pem"), "WUKONG_TLS_CERTIFICATE", "it is missing, and WUKONG_TLS_KEY is"),
    "another's key": (("good/server.pem", "another/server-key.pem"), "WUKONG_TLS_KEY", "is not that of"),
    "no PEM": (
        ("text", "good/server-key.pem"),
        "WUKONG_TLS_CERTIFICATE",
        "do not hold a certificate and a private key",
    ),
    "encrypted": (
        ("good/server.pem", "encrypted.pem"),
        "WUKONG_TLS_KEY",
        "is encrypted; give a file with the plain key",
    ),
    "expired": (("expired/server.pem", "expired/server-key.pem"), "WUKONG_TLS_CERTIFICATE", "has expired; renew it"),
    "no authority": (
        ("good/server.pem", "good/server-key.pem", "text"),
        "WUKONG_TLS_CLIENT_CA",
        "holds no certificate",
    ),
    "only an authority": (("", "", "good/ca.pem"), "WUKONG_TLS_CLIENT_CA", "has no WUKONG_TLS_CERTIFICATE of its own"),
}


@pytest.fixture(scope="session")
def spoilt(folder: Path) -> Path:
    (folder / "text").write_text("no certificate")
    certificates._openssl(
        *("ec", "-in", "good/server-key.pem", "-out", "encrypted.pem", "-aes256", "-passout", "pass:secret"),
        folder=folder,
    )
    return folder


@pytest.mark.parametrize("name", BAD)
def test_a_server_does_not_start_with_files_of_no_use(spoilt: Path, name: str) -> None:
    given, variable, words = BAD[name]
    with pytest.raises(InvalidSetting) as caught:
        ServerTls.read(environ(spoilt, *given))
    assert caught.value.variable == variable
    assert words in str(caught.value)


def test_files_of_a_client_are_named_as_it_was_given_them(spoilt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        ValueError, match=r"ca_file cannot be used: it is '/no/ca.pem', which cannot be read: No such file"
    ):
        Client("h:1", token=TOKEN, ca_file="/no/ca.pem")
    with pytest.raises(ValueError, match=r"key_file cannot be used: .*is not that of"):
        Client(
            "h:1",
            token=TOKEN,
            ca_file=str(spoilt / "good/ca.pem"),
            certificate_file=str(spoilt / "good/client.pem"),
            key_file=str(spoilt / "another/client-key.pem"),
        )
    with pytest.raises(ValueError, match=r"certificate_file cannot be used: .*has expired; renew it"):
        Client("h:1", token=TOKEN, **files(spoilt, "good", "expired"))
    with pytest.raises(ValueError, match="certificate_file is for TLS, so give ca_file too"):
        Client("h:1", token=TOKEN, certificate_file="c", key_file="k")
    with pytest.raises(ValueError, match=r"grpc://h:1 is spoken to without TLS; leave ca_file"):
        Client("grpc://h:1", token=TOKEN, ca_file=str(spoilt / "good/ca.pem"))
    monkeypatch.setenv("WUKONG_TLS_CA", str(spoilt / "text"))
    with pytest.raises(InvalidSetting, match=r"WUKONG_TLS_CA cannot be used.*holds no certificate"):
        Client("h:1", token=TOKEN)


def test_addresses_say_whether_to_speak_tls(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locate("h:1", TOKEN).tls is None
    assert locate("grpcs://h:1", TOKEN) == ("h:1", TOKEN, CallerTls(None))
    monkeypatch.setenv("WUKONG_TLS_CA", str(folder / "good/ca.pem"))
    trusted = CallerTls((folder / "good/ca.pem").read_bytes())
    assert locate("h:1", TOKEN).tls == locate("grpcs://h:1", TOKEN).tls == trusted
    assert locate("grpc://h:1", TOKEN) == ("h:1", TOKEN, None)


def test_secrets_are_not_shown(folder: Path) -> None:
    secret = (folder / "good/server-key.pem").read_text().splitlines()[1]
    assert secret not in repr(shown(folder, "good"))


# The tool that makes certificates for development.


def test_an_authority_that_is_there_stays(tmp_path: Path) -> None:
    certificates.make(tmp_path / "c", days=-1)
    before = {path.name: path.read_bytes() for path in (tmp_path / "c").iterdir()}
    certificates.make(tmp_path / "c")
    after = {path.name: path.read_bytes() for path in (tmp_path / "c").iterdir()}
    assert sorted(before) == sorted(after)
    assert sorted(after) == sorted((*certificates.AUTHORITY, *certificates.SERVER, *certificates.CLIENT))
    assert {name for name in after if before[name] == after[name]} == set(certificates.AUTHORITY)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "c").iterdir()}
    assert {name for name, mode in modes.items() if mode == 0o400} == {name for name in after if "key" in name}


def test_what_openssl_says_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WukongError, match=r"`openssl x509` failed with code 1: .*days"):
        certificates.make(tmp_path / "c", days=-2)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WukongError, match="there is no program `openssl`"):
        certificates.make(tmp_path / "d")
