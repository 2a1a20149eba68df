"""What ECS answers, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber

from wukong.errors import ClusterUnavailable
from wukong_scheduler.ecs_service import EcsService, Fleet

SERVICE: dict[str, Any] = {"serviceName": "kvs", "status": "ACTIVE", "desiredCount": 3, "runningCount": 1}
EVENTS = [{"message": "(service kvs) was unable to place a task."}, {"message": "older"}]
ASKED = {"cluster": "wukong-dev", "services": ["kvs"]}


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """ECS, which answers what a test has added."""
    client = botocore.session.Session().create_client(
        "ecs", region_name="eu-central-1", aws_access_key_id="nobodys", aws_secret_access_key="nobodys"
    )
    monkeypatch.setattr(EcsService, "_client", staticmethod(lambda: client))
    with Stubber(client) as made:
        yield made
        made.assert_no_pending_responses()
    client.close()


def test_a_service_is_what_ecs_says_of_it(stub: Stubber) -> None:
    stub.add_response("describe_services", {"services": [{**SERVICE, "events": EVENTS}]}, ASKED)
    stub.add_response("describe_services", {"services": [SERVICE]}, ASKED)
    service = EcsService("wukong-dev/kvs")
    assert service.fleet() == Fleet(3, 1, "(service kvs) was unable to place a task.")
    assert service.fleet() == Fleet(3, 1)


def test_a_service_is_given_its_number(stub: Stubber) -> None:
    told = {"cluster": "wukong-dev", "service": "kvs", "desiredCount": 5}
    stub.add_response("update_service", {"service": SERVICE}, told)
    EcsService("wukong-dev/kvs").scale(5)


@pytest.mark.parametrize("services", [[], [{**SERVICE, "status": "INACTIVE"}]])
def test_a_service_that_is_not_there_is_named_with_the_setting(stub: Stubber, services: list[dict[str, Any]]) -> None:
    stub.add_response("describe_services", {"services": services}, ASKED)
    with pytest.raises(ClusterUnavailable, match="no ECS service 'wukong-dev/kvs' in this region; WUKONG_KVS_SERVICE"):
        EcsService("wukong-dev/kvs").fleet()


def test_a_role_that_may_not_is_told_what_to_allow(stub: Stubber) -> None:
    stub.add_client_error("update_service", "AccessDeniedException", "not authorized", 400)
    stub.add_client_error("describe_services", "ServerException", "try again", 500)
    with pytest.raises(ClusterUnavailable, match=r"not authorized.*Allow the scheduler's role ecs:DescribeServices"):
        EcsService("wukong-dev/kvs").scale(1)
    with pytest.raises(ClusterUnavailable, match=r"try again$"):
        EcsService("wukong-dev/kvs").fleet()
