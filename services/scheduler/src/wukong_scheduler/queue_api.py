"""The two requests of Amazon SQS that it takes to drain a queue (AWS's JSON protocol 1.0)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from wukong.errors import ClusterUnavailable
from wukong.invocation.caller import Caller
from wukong.invocation.connections import Connections
from wukong.invocation.signature import host

#: The most messages of one request that SQS allows.
_MESSAGES = 10
#: Seconds that an answer may take beyond what it is asked to wait.
_MARGIN = 10.0
_ACCEPTED = 200


class QueueApi:
    """Requests about one queue, on a connection that stays open.

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
        self._at = f"{self._caller.endpoint}/"
        parts = urlsplit(self._at)
        self._path = parts.path
        self._connections = Connections(parts.scheme, host(self._at), wait + _MARGIN)

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
        self._connections.close()

    def _ask(self, operation: str, document: dict[str, Any]) -> bytes:
        payload = json.dumps(document).encode()
        headers = {"X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": "application/x-amz-json-1.0"}
        answer = self._connections.post(self._path, payload, self._caller.signed(headers, self._at, payload))
        if answer.status != _ACCEPTED:
            said = answer.body[:500].decode(errors="replace")
            raise ClusterUnavailable(f"SQS answered {operation} with status {answer.status}: {said}")
        return answer.body
