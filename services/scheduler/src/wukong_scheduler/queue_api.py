"""The two requests of Amazon SQS that it takes to drain a queue (AWS's JSON protocol 1.0)."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from wukong.errors import ClusterUnavailable
from wukong.invocation.caller import Caller

#: The most messages of one request that SQS allows.
_MESSAGES = 10
#: Seconds that an answer may take beyond what it is asked to wait.
_MARGIN = 10.0
_ACCEPTED = 200


class QueueApi:
    """Requests about one queue, one after the other, on a connection that stays open.

    Args:
        url: The queue's.
        endpoint: The URL of SQS, empty for AWS's own.
        wait: Seconds that a request waits for messages; at most 20.

    Raises:
        ClusterUnavailable: There are no AWS credentials, or no region.
    """

    def __init__(self, url: str, endpoint: str, wait: int) -> None:
        self._caller = Caller("sqs", endpoint)
        self._url = url
        self._wait = wait
        parts = urlsplit(self._caller.endpoint)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.netloc, timeout=wait + _MARGIN)

    def receive(self) -> list[tuple[str, str]]:
        """Body and handle of the next messages; none where none came.

        Raises:
            ClusterUnavailable: SQS answered an error.
            OSError, http.client.HTTPException: It did not answer.
        """
        asked = {"QueueUrl": self._url, "MaxNumberOfMessages": _MESSAGES, "WaitTimeSeconds": self._wait}
        answer = json.loads(self._ask("ReceiveMessage", asked))
        return [(message["Body"], message["ReceiptHandle"]) for message in answer.get("Messages") or ()]

    def delete(self, handle: str) -> None:
        """Remove a message that was received. Errors are those of `receive`."""
        self._ask("DeleteMessage", {"QueueUrl": self._url, "ReceiptHandle": handle})

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _ask(self, operation: str, document: dict[str, Any]) -> bytes:
        payload = json.dumps(document).encode()
        headers = {"X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0"}
        signed = self._caller.signed(headers, f"{self._caller.endpoint}/", payload)
        try:
            self._connection.request("POST", "/", payload, signed)
            answer = self._connection.getresponse()
            body = answer.read()
        except BaseException:
            self._connection.close()  # the next request makes another one
            raise
        if answer.status != _ACCEPTED:
            said = body[:500].decode(errors="replace")
            raise ClusterUnavailable(f"SQS answered {operation} with status {answer.status}: {said}")
        return body
