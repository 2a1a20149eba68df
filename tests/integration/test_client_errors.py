"""What the user sees when something cannot work, on a real cluster."""

from __future__ import annotations

import sys
import threading
import time
from operator import add
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest
from dask._task_spec import Task, TaskRef

from wukong import Client, DeadlineExceeded, InvalidGraph, MissingModule, TaskError


class CustomError(ValueError):
    """A user's exception class, with arguments of its own."""

    def __init__(self, code: int, *, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __reduce__(self) -> Any:
        return _rebuild, (self.code, self.detail)


def _rebuild(code: int, detail: str) -> CustomError:
    return CustomError(code, detail=detail)


class UnpicklableError(Exception):
    """An exception that holds what cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("holds a lock")
        self.lock = threading.Lock()


def fail(error: Any, *_: Any) -> NoReturn:
    raise error


def fail_unpicklably() -> NoReturn:
    raise UnpicklableError


def test_the_original_exception_has_the_remote_traceback_as_its_cause(client: Client) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        client.get({"a": 1, ("b", 3): (divmod, "a", 0), "c": (add, ("b", 3), 1)}, "c")
    cause = caught.value.__cause__
    assert isinstance(cause, TaskError)
    assert cause.key == ("b", 3)
    assert cause.attempt == 1
    assert "ZeroDivisionError" in cause.remote_traceback


def test_the_remote_traceback_shows_the_users_own_code(client: Client) -> None:
    with pytest.raises(CustomError) as caught:
        client.get({"a": (fail, CustomError(7, detail="seven"))}, "a")
    assert (caught.value.code, caught.value.detail) == (7, "seven")
    assert isinstance(caught.value.__cause__, TaskError)
    assert "in fail" in caught.value.__cause__.remote_traceback


def test_an_exception_class_of_a_dynamic_module_comes_back(client: Client) -> None:
    module = ModuleType("made_up_here")
    exec("class Odd(Exception):\n    pass\n\ndef raise_odd(x):\n    raise Odd(x)\n", module.__dict__)
    with pytest.raises(Exception, match="12") as caught:
        client.get({"a": (module.raise_odd, 12)}, "a")
    assert type(caught.value).__name__ == "Odd"
    assert isinstance(caught.value.__cause__, TaskError)


def test_an_exception_that_cannot_be_pickled_is_told(client: Client) -> None:
    with pytest.raises(TaskError, match="holds a lock") as caught:
        client.get({"a": (fail_unpicklably,)}, "a")
    assert caught.value.key == "a"
    assert "UnpicklableError" in str(caught.value)


def test_sys_exit_in_a_task_does_not_end_the_program(client: Client) -> None:
    with pytest.raises(TaskError, match="SystemExit: 3"):
        client.get({"a": (sys.exit, 3)}, "a")
    assert client.get({"a": (add, 1, 2)}, "a") == 3


def test_a_task_that_cannot_be_pickled_is_named(client: Client) -> None:
    with pytest.raises(InvalidGraph, match=r"task 'locked' .*lock"):
        client.get({"locked": (str, threading.Lock()), "b": (add, 1, 1), "c": (fail, "locked", "b")}, "c")


def test_a_result_that_cannot_be_pickled_is_told(client: Client) -> None:
    with pytest.raises(Exception, match=r"lock.*cannot be pickled|cannot be pickled.*lock|cannot pickle.*lock"):
        client.get({"a": (threading.Lock,)}, "a")


def test_a_cycle_is_named(client: Client) -> None:
    with pytest.raises(InvalidGraph, match="cycle"):
        client.get({"a": (abs, "b"), "b": (abs, "a")}, "a")


def test_a_missing_dependency_is_named(client: Client) -> None:
    with pytest.raises(InvalidGraph, match="'nobody'"):
        client.get({"a": Task("a", abs, TaskRef("nobody"))}, "a")


def test_a_key_that_is_absent_is_named(client: Client) -> None:
    with pytest.raises(InvalidGraph, match="'z'"):
        client.get({"a": 1}, ["a", "z"])


def test_an_empty_graph_is_refused(client: Client) -> None:
    with pytest.raises(InvalidGraph, match="nothing to compute"):
        client.get({}, [])


def test_a_module_that_executors_do_not_have_is_named(client: Client, tmp_path: Path, monkeypatch: Any) -> None:
    # It lies where installed packages lie, so it is pickled by name.
    package = tmp_path / "site-packages"
    package.mkdir()
    (package / "only_installed_here.py").write_text("def double(x):\n    return 2 * x\n")
    monkeypatch.syspath_prepend(str(package))
    import only_installed_here  # type: ignore[import-not-found]

    with pytest.raises(MissingModule, match="only_installed_here"):
        client.get({"a": (only_installed_here.double, 2)}, "a")


def test_what_tasks_print_is_shown_with_their_key(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    def say(text: str) -> str:
        print("said", text)
        print("warned", text, file=sys.stderr)
        return text

    assert client.get({("say", 1): (say, "hello")}, ("say", 1)) == "hello"
    out, err = capsys.readouterr()
    assert out == "[('say', 1)] said hello\n"
    assert err == "[('say', 1)] warned hello\n"


def test_output_before_an_error_is_shown(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    def say_and_fail() -> NoReturn:
        print("last words")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        client.get({"a": (say_and_fail,)}, "a")
    assert capsys.readouterr().out == "[a] last words\n"


def test_a_passed_deadline_is_told(client: Client, tmp_path: Path) -> None:
    def wait(until: Path) -> None:
        while not until.exists():
            time.sleep(0.01)

    over = tmp_path / "over"
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        client.get({"a": (wait, over)}, "a", deadline=1.0)
    assert time.monotonic() - begun < 20
    # The environment is free again when its task ends.
    over.touch()


def test_after_an_error_the_client_goes_on(client: Client) -> None:
    with pytest.raises(ZeroDivisionError):
        client.get({"a": (divmod, 1, 0)}, "a")
    assert client.get({"a": (divmod, 7, 2)}, "a") == (3, 1)
