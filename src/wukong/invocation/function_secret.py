"""The secret of a Lambda function: what it is told beside its environment, which whoever may look at it can read.

ECS hands such values to a container's environment itself; Lambda does not, so a function reads its secret from AWS
Secrets Manager when an environment starts. Requests are signed here (docs/decisions/0009), with the credentials that
stand in every function's environment: to import botocore alone would double the time of a cold start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPException
from random import uniform
from time import sleep
from urllib.parse import urlsplit

from wukong import settings
from wukong.errors import AccessDenied, ClusterUnavailable, InvalidSetting, WukongError
from wukong.invocation.caller import Caller
from wukong.invocation.connections import Answer, Connections
from wukong.invocation.signature import at_hand, host

#: Seconds that an answer may take.
TIMEOUT = 5.0

#: Requests before the environment gives up, and the most seconds before the second; each further pause can be twice
#: as long.
ATTEMPTS, PAUSE = 4, 0.2

_OK = 200
_BUSY = frozenset({"ThrottlingException", "TooManyRequestsException", "InternalServiceError"})
#: Where AWS's endpoints are that are not under amazonaws.com, by partition.
_DOMAINS = {"aws-cn": "amazonaws.com.cn"}


def with_secret(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The settings of a function: its environment, and what its secret has for variables that are not there.

    Args:
        environ: The function's environment. Without `WUKONG_SECRETS_ARN` it is all there is.

    Raises:
        InvalidSetting: `WUKONG_SECRETS_ARN` is no ARN of a secret, or that holds no pairs of texts.
        AccessDenied: The function's role may not read it.
        ClusterUnavailable: Secrets Manager cannot be reached, or does not have it.
    """
    arn = settings.SECRETS_ARN.get(environ)
    return {**_pairs(arn, _read(arn, environ)), **environ} if arn else environ


def _read(arn: str, environ: Mapping[str, str]) -> str:
    parts = arn.split(":")
    if len(parts) != 7 or parts[:1] != ["arn"] or parts[2] != "secretsmanager" or not parts[3]:
        raise InvalidSetting(settings.SECRETS_ARN.name, f"it is {arn!r}, and must be: {settings.SECRETS_ARN.meaning}")
    region = parts[3]
    given = environ.get("AWS_ENDPOINT_URL_SECRETS_MANAGER") or environ.get("AWS_ENDPOINT_URL") or ""
    if not given and at_hand(environ) is None:
        raise ClusterUnavailable(
            f"the secret {arn!r} cannot be read: there are no AWS credentials in the environment. "
            f"{settings.SECRETS_ARN.name} is for Lambda functions, which have them; tell another part its settings "
            "by its environment"
        )
    endpoint = given or f"https://secretsmanager.{region}.{_DOMAINS.get(parts[1], 'amazonaws.com')}"
    caller = Caller("secretsmanager", endpoint, {**environ, "AWS_REGION": region})
    at = f"{caller.endpoint}/"
    split = urlsplit(at)
    connections = Connections(split.scheme, host(at), TIMEOUT, environ)
    try:
        return _ask(arn, region, at, caller, connections)
    finally:
        connections.close()


def _ask(arn: str, region: str, at: str, caller: Caller, connections: Connections) -> str:
    payload = json.dumps({"SecretId": arn}).encode()
    headers = {"X-Amz-Target": "secretsmanager.GetSecretValue", "Content-Type": "application/x-amz-json-1.1"}
    trouble: WukongError | None = None
    for attempt in range(ATTEMPTS):
        if attempt:
            sleep(uniform(0, PAUSE * 2**attempt))
        try:
            answer = connections.post(urlsplit(at).path, payload, caller.signed(headers, at, payload))
        except (OSError, HTTPException) as error:
            trouble = ClusterUnavailable(
                f"the secret {arn!r} cannot be read: {at} does not answer ({type(error).__name__}: {error}). A "
                'function in subnets without a way out needs the interface endpoint "secretsmanager" of its VPC'
            )
            continue
        if answer.status == _OK:
            return str(json.loads(answer.body).get("SecretString") or "")
        code, message = _said(answer)
        trouble = _refused(arn, region, code, message)
        if code not in _BUSY and answer.status < 500:
            break
    assert trouble is not None
    raise trouble


def _said(answer: Answer) -> tuple[str, str]:
    """AWS's name of an error, and its words."""
    try:
        said = json.loads(answer.body)
        code = str(said.get("__type") or answer.error_type).rpartition("#")[2]
        return code, str(said.get("Message") or said.get("message") or "")
    except (ValueError, AttributeError):
        return f"status {answer.status}", answer.body[:200].decode(errors="replace")


def _refused(arn: str, region: str, code: str, message: str) -> WukongError:
    said = f"the secret {arn!r} cannot be read: {code}: {message}"
    if code == "AccessDeniedException":
        return AccessDenied(
            f"{said}. Allow the function's role secretsmanager:GetSecretValue on this secret, and "
            "kms:Decrypt where it has a key of its own"
        )
    if code == "ResourceNotFoundException":
        return ClusterUnavailable(
            f"{said}. Look whether it is there, with a value, in the region {region}, and set "
            f"{settings.SECRETS_ARN.name} to its ARN"
        )
    return ClusterUnavailable(said)


def _pairs(arn: str, text: str) -> dict[str, str]:
    try:
        pairs = json.loads(text)
    except ValueError:
        pairs = None
    if not isinstance(pairs, dict) or not all(isinstance(value, str) for value in pairs.values()):
        raise InvalidSetting(
            settings.SECRETS_ARN.name,
            f'the secret {arn!r} must be a JSON object {{"VARIABLE": "value", ...}} whose values are texts, and is not',
        )
    return pairs
