"""Signatures of requests to AWS are those that botocore makes."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from wukong.errors import ClusterUnavailable
from wukong.invocation.api import InvokeApi
from wukong.invocation.signature import Credentials, at_hand, sign

HEADERS = {"Content-Type": "application/json", "X-Amz-Invocation-Type": "Event"}
LOCAL = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-3"}


@pytest.mark.parametrize("token", ["", "a/session+token=="])
@pytest.mark.parametrize(
    "url",
    [
        "https://lambda.eu-west-3.amazonaws.com/2015-03-31/functions/wukong-executor/invocations",
        "http://127.0.0.1:3001/2015-03-31/functions/arn%3Aaws%3Alambda%3A1%3Afunction%3Af/invocations",
        "http://[::1]:3001/functions/f",
        "https://[fd00::1]/functions/f",
        "https://lambda.eu-west-3.amazonaws.com:443/functions/f",
        "http://Stand-In:80/functions/f",
        "https://user:word@stand-in:80/functions/f",
        "https://sqs.eu-west-3.amazonaws.com",
    ],
)
def test_a_signature_is_that_of_botocore(url: str, token: str) -> None:
    request = AWSRequest("POST", url, data=b'{"job": 1}', headers=HEADERS)
    SigV4Auth(ReadOnlyCredentials("AKID", "secret", token or None), "lambda", "eu-west-3").add_auth(request)
    known = dict(request.headers.items())
    found = sign(
        HEADERS,
        url=url,
        payload=b'{"job": 1}',
        credentials=Credentials("AKID", "secret", token),
        region="eu-west-3",
        service="lambda",
        when=datetime.strptime(known["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC),
    )
    assert found == known


def test_a_signature_is_that_of_awss_own_example() -> None:
    """Source: AWS Signature Version 4 test suite, post-vanilla."""
    signed = sign(
        {},
        url="https://example.amazonaws.com/",
        payload=b"",
        credentials=Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        region="us-east-1",
        service="service",
        when=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )
    assert signed == {
        "X-Amz-Date": "20150830T123600Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, "
        "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    }


def test_whitespace_in_a_header_is_signed_as_one_blank() -> None:
    when = datetime(2026, 1, 2, tzinfo=UTC)
    common = {"url": "http://h/p", "payload": b"", "credentials": Credentials("k", "s"), "region": "r", "service": "s"}
    signed = [sign({"A": text}, when=when, **common)["Authorization"] for text in ("a  b ", "a b")]  # type: ignore[arg-type]
    assert signed[0] == signed[1]


def test_credentials_are_at_hand_where_both_parts_are() -> None:
    assert at_hand(LOCAL) == Credentials("AKID", "secret", "")
    assert at_hand({**LOCAL, "AWS_SESSION_TOKEN": "t"}) == Credentials("AKID", "secret", "t")
    assert at_hand({"AWS_ACCESS_KEY_ID": "AKID"}) is None
    assert at_hand({}) is None


def test_requests_are_signed_for_the_region_and_the_trace_is_not() -> None:
    api = InvokeApi("http://127.0.0.1:3001/", "a b", LOCAL)
    assert api.url == "http://127.0.0.1:3001/2015-03-31/functions/a%20b/invocations"
    headers = api.headers(b"{}", "Root=1")
    assert "/eu-west-3/lambda/aws4_request" in headers["Authorization"]
    assert headers["X-Amzn-Trace-Id"] == "Root=1"
    assert "trace" not in headers["Authorization"].lower()
    assert "X-Amzn-Trace-Id" not in api.headers(b"{}")


def test_an_endpoint_of_ones_own_needs_no_credentials() -> None:
    assert InvokeApi("http://127.0.0.1:3001", "f", {}).headers(b"{}") == HEADERS


def test_aws_itself_needs_credentials_and_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ClusterUnavailable, match=r"the function 'f' cannot be invoked: .* region"):
        InvokeApi("", "f")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    with pytest.raises(ClusterUnavailable, match="there are no AWS credentials; give this service a role"):
        InvokeApi("", "f")
    for name, value in LOCAL.items():
        monkeypatch.setenv(name, value)
    api = InvokeApi("", "f")
    assert api.address == ("https", "lambda.eu-west-3.amazonaws.com")
    assert "Credential=AKID/" in api.headers(b"{}")["Authorization"]
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of a role")
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    api = InvokeApi("", "f")
    assert api.address == ("https", "lambda-fips.us-west-2.amazonaws.com")
    assert "/us-west-2/lambda/aws4_request" in api.headers(b"{}")["Authorization"]
    assert api.headers(b"{}")["X-Amz-Security-Token"] == "of a role"
    monkeypatch.delenv("AWS_USE_FIPS_ENDPOINT")
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "https://Inside:8443/base/")
    api = InvokeApi("", "f")
    assert api.address == ("https", "inside:8443")
    assert api.path == "/base/2015-03-31/functions/f/invocations"


def test_nothing_heavy_is_imported_for_an_endpoint_of_ones_own() -> None:
    program = (
        "import sys\n"
        "from wukong.invocation.api import InvokeApi\n"
        "from wukong.invocation.requests import Requests\n"
        f"Requests(InvokeApi('http://127.0.0.1:1', 'f', {LOCAL!r}))\n"
        "assert not {'botocore', 'boto3', 'urllib3', 'numpy'} & sys.modules.keys(), sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
