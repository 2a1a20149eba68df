"""How many processes there are, and which records each one takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: Lambda gives a function one vCPU for so much memory, in MB.
#: Source: AWS Lambda Developer Guide, "Configure Lambda function memory".
MB_PER_VCPU = 1769

#: One process waits for answers half of the time even where there is one vCPU.
LEAST = 2


def processes(memory_mb: int, cores: int | None) -> int:
    """How many processes invoke: one for each vCPU that the function has, as far as the machine has so many cores."""
    return max(LEAST, min(-(-memory_mb // MB_PER_VCPU), cores or LEAST))


def deal(records: Mapping[str, Sequence[int]], count: int) -> list[dict[str, Sequence[int]]]:
    """The records in turn for each of `count` processes, so that the first ones are invoked first. None is empty."""
    items = list(records.items())
    return [dict(items[number::count]) for number in range(min(count, len(items)))]
