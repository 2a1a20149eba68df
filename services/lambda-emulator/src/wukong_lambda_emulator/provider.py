"""Who starts environments: the border between the emulator and processes, containers or whatever runs them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from wukong.errors import ClusterUnavailable
from wukong_lambda_emulator.launch import Launch


class ProviderUnavailable(ClusterUnavailable):
    """The provider cannot start environments; the message says why."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How an environment ended."""

    #: Exit status, or minus the number of the signal that killed it.
    status: int
    #: It was ended because it held more memory than it may.
    out_of_memory: bool = False
    #: Set when the provider broke down and the environment with it: what happened.
    trouble: str = ""


class Sandbox(Protocol):
    """A running environment."""

    pid: int
    #: From which IP address it calls its Runtime API.
    address: str
    #: Done once the environment has ended.
    exited: asyncio.Future[Exit]

    def kill(self) -> None:
        """End it at once, with everything that it started. May be repeated, also after its end."""

    def used_bytes(self) -> int:
        """The most memory that it was seen to hold, the present moment included."""


class Provider(Protocol):
    """Starts environments on this machine."""

    #: The name under which they reach this machine; empty for the loopback interface.
    host: str

    async def start(self, launch: Launch, output: int) -> Sandbox:
        """Start an environment whose standard output and error are the descriptor `output`, which the caller closes.

        Raises:
            ProviderUnavailable: It cannot be started, for a reason that lies with the provider.
        """

    async def close(self) -> None:
        """End every environment, and return when they are gone."""
