from __future__ import annotations

import pytest

from wukong_scheduler.targets import Targets


@pytest.mark.parametrize(
    "targets", [Targets([3]), Targets([9, 0, 4_000_000_000]), Targets([2, 1], ["total", "größe"], "ab"), Targets([])]
)
def test_targets_survive_their_encoding(targets: Targets) -> None:
    decoded = Targets.decode(targets.encode())
    assert (list(decoded.tasks), list(decoded.names)) == (list(targets.tasks), list(targets.names))
    assert decoded.request == targets.request
