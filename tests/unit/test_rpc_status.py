import inspect
import pickle

import grpc
import pytest

from wukong import errors
from wukong.errors import WukongError
from wukong.rpc import status

EXAMPLES = [
    WukongError("something"),
    errors.TaskError(("x", 0, 1), 2, "Traceback: ..."),
    errors.ExecutorLost("sum-1", "probably out of memory"),
    errors.InputLost(("array-a1", 3)),
    errors.ResultMissing("j-1", 7, "ab" * 32),
    errors.VersionMismatch("Python 3.12 here, 3.11 there"),
    errors.MissingModule("xgboost", "No module named 'xgboost'"),
    errors.LimitExceeded("tasks of one graph", 2_000_000, 1_000_000, "Use larger chunks."),
    errors.TooManyCalls("submissions", "10.0.0.7", 20.0, 1.5),
    errors.StoreFull("kvs-0", "10.0.0.7:6379", "17", 4_000_000, 9_000_000, 10_000_000),
    errors.InvalidGraph("a cycle: 'a' → 'b' → 'a'"),
    errors.JobCancelled("by the user"),
    errors.DeadlineExceeded("after 5 s"),
    errors.BudgetExceeded(2.0, 3.0, 60.0, 4, 5),
    errors.ClusterUnavailable("no metadata store"),
    errors.ValueRefused("page 3"),
    errors.AccessDenied("no token"),
    errors.TlsFailed("the certificate has expired"),
    errors.UnknownJob("j-1"),
    errors.InvalidSetting("WUKONG_POLICY", "there is no such policy"),
]


def test_every_error_class_has_a_status_and_an_example() -> None:
    classes = {kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, WukongError)}
    assert classes == set(status.STATUS) == {type(example) for example in EXAMPLES}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_arrives_as_it_was_raised(error: WukongError) -> None:
    code, details, ((key, content),) = status.encode(error)
    assert (code, details, key) == (status.STATUS[type(error)], str(error), "wukong-error-bin")
    arrived = status.decode(content)
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    assert arrived.__dict__ == error.__dict__
    assert arrived.retryable == error.retryable
    assert pickle.loads(pickle.dumps(arrived)).__dict__ == error.__dict__


def test_a_subclass_arrives_as_its_ancestor_in_the_table() -> None:
    class PageTooLong(errors.LimitExceeded):
        pass

    code, _, ((_, content),) = status.encode(PageTooLong("page", 2, 1))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    arrived = status.decode(content)
    assert type(arrived) is errors.LimitExceeded
    assert arrived.maximum == 1


def test_what_json_cannot_hold_arrives_as_its_repr() -> None:
    error = errors.InputLost(frozenset({1}))
    assert status.decode(status.encode(error)[2][0][1]).__dict__ == {"key": "frozenset({1})"}


def test_a_class_of_a_newer_version_arrives_as_the_base() -> None:
    arrived = status.decode(b'{"class": "Newer", "message": "m", "attributes": {"a": 1}}')
    assert type(arrived) is WukongError
    assert str(arrived) == "m"


def test_long_texts_are_cut_to_what_metadata_can_hold() -> None:
    error = errors.TaskError("k", 1, "é" * 100_000)
    _, details, ((_, content),) = status.encode(error)
    assert len(details.encode()) <= 2048
    arrived = status.decode(content)
    assert isinstance(arrived, errors.TaskError)
    assert arrived.remote_traceback.startswith("ééé")
    assert arrived.remote_traceback.endswith("…")
    assert len(arrived.remote_traceback.encode()) <= 8192
