import importlib.metadata
import pickle

from wukong.client.failures import raised
from wukong.errors import (
    DeadlineExceeded,
    ExecutorLost,
    JobCancelled,
    MissingModule,
    TaskError,
    ValueRefused,
    WukongError,
)
from wukong.rpc.v1 import job_pb2

KEYS = ["a", ("x", 1)]


def of_task(exception: bytes, kind: str = "builtins.ValueError") -> job_pb2.Job:
    task = job_pb2.TaskError(
        task=1,
        key="('x', 1)",
        attempt=2,
        type=kind,
        message="no",
        remote_traceback="Traceback: no",
        exception=exception,
    )
    error = job_pb2.JobError(type="TaskError", message="no", task=task)
    return job_pb2.Job(job_id="j", state=job_pb2.JOB_STATE_FAILED, error=error)


def test_the_original_exception_is_caused_by_a_task_error() -> None:
    found = raised(of_task(pickle.dumps(ValueError("no", 3))), KEYS)
    assert type(found) is ValueError
    assert found.args == ("no", 3)
    cause = found.__cause__
    assert isinstance(cause, TaskError)
    assert (cause.key, cause.attempt, cause.remote_traceback) == (("x", 1), 2, "Traceback: no")


def test_an_exception_that_did_not_leave_the_executor_is_told_by_name() -> None:
    found = raised(of_task(b"", "lib.Odd"), KEYS)
    assert isinstance(found, TaskError)
    assert found.key == ("x", 1)
    assert "lib.Odd" in found.__notes__[0]


def test_an_exception_that_cannot_be_unpickled_is_told_by_name() -> None:
    found = raised(of_task(b"cabsent_module\nOdd\n.", "absent_module.Odd"), KEYS)
    assert isinstance(found, TaskError)
    assert "absent_module.Odd" in found.__notes__[0]
    assert "ModuleNotFoundError" in found.__notes__[0]


def test_what_would_end_the_program_is_not_raised_itself() -> None:
    for error in (SystemExit(3), KeyboardInterrupt()):
        assert isinstance(raised(of_task(pickle.dumps(error)), KEYS), TaskError)


def test_a_cancelled_job_says_why() -> None:
    error = job_pb2.JobError(type="JobCancelled", message="the job was cancelled: enough")
    found = raised(job_pb2.Job(job_id="j", state=job_pb2.JOB_STATE_CANCELLED, error=error), KEYS)
    assert type(found) is JobCancelled
    assert str(found) == "the job was cancelled: enough"


def test_a_job_that_was_released_meanwhile_has_no_results() -> None:
    found = raised(job_pb2.Job(job_id="j", state=job_pb2.JOB_STATE_GONE), KEYS)
    assert type(found) is JobCancelled
    assert "j was released" in str(found)


def test_errors_of_wukong_keep_class_message_and_attributes() -> None:
    for kind in (ExecutorLost, DeadlineExceeded, MissingModule, ValueRefused):
        error = job_pb2.JobError(type=kind.__name__, message="what happened")
        error.attributes.update({"task": "a"})
        found = raised(job_pb2.Job(job_id="j", state=job_pb2.JOB_STATE_FAILED, error=error), KEYS)
        assert type(found) is kind
        assert str(found) == "what happened"
        assert vars(found)["task"] == "a"


def test_a_lost_executor_names_its_task_as_the_graph_does() -> None:
    error = job_pb2.JobError(type="ExecutorLost", message="task 1")
    error.attributes.update({"task": 1, "probable_cause": "out of memory"})
    found = raised(job_pb2.Job(job_id="j", state=job_pb2.JOB_STATE_FAILED, error=error), KEYS)
    assert isinstance(found, ExecutorLost)
    assert (found.task, found.probable_cause) == (KEYS[1], "out of memory")
    assert f"ran task {KEYS[1]!r} was lost: out of memory" in str(found)


def test_an_error_of_another_version_is_at_least_one_of_wukong() -> None:
    for name in ("Unheard", "concurrent", "Any"):
        error = job_pb2.JobError(type=name, message="what happened")
        found = raised(job_pb2.Job(job_id="j", state=job_pb2.JOB_STATE_FAILED, error=error), KEYS)
        assert type(found) is WukongError
        assert str(found) == "what happened"


def test_a_missing_module_is_told_with_the_package_that_brings_it_here() -> None:
    error = job_pb2.JobError(type="MissingModule", message="cannot import 'sklearn.svm'")
    error.attributes.update({"module": "sklearn.svm"})
    found = raised(job_pb2.Job(job_id="j", state=job_pb2.JOB_STATE_FAILED, error=error), KEYS)
    version = importlib.metadata.version("scikit-learn")
    assert found.__notes__ == [
        "'sklearn' is of the package scikit-learn, which is installed here and not where executors run. "
        f"Add scikit-learn=={version} to their image, as docs/images.md shows."
    ]


def test_so_is_one_that_a_task_imports() -> None:
    missing = ModuleNotFoundError("No module named 'yaml'", name="yaml")
    found = raised(of_task(pickle.dumps(missing), "builtins.ModuleNotFoundError"), KEYS)
    assert type(found) is ModuleNotFoundError
    assert "'yaml' is of the package PyYAML" in found.__notes__[0]


def test_of_a_module_that_no_package_brings_nothing_is_said() -> None:
    missing = ModuleNotFoundError("No module named 'nowhere'", name="nowhere")
    found = raised(of_task(pickle.dumps(missing), "builtins.ModuleNotFoundError"), KEYS)
    assert not hasattr(found, "__notes__")
