from __future__ import annotations

import _thread
import threading
from collections.abc import Generator

import pytest

from wukong.client.aside import Aside


@pytest.fixture
def aside() -> Aside:
    return Aside()


def test_the_main_threads_calls_are_made_by_another_which_is_kept(aside: Aside) -> None:
    first = aside.call(threading.get_ident)
    assert first != threading.get_ident()
    assert aside.call(threading.get_ident) == first
    aside.close()


def test_other_threads_call_themselves(aside: Aside) -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(aside.call(threading.get_ident)))
    thread.start()
    thread.join()
    assert found == [thread.ident]


def test_what_the_call_raises_is_raised(aside: Aside) -> None:
    with pytest.raises(ZeroDivisionError):
        aside.call(lambda: 1 // 0)
    aside.close()


def test_an_interrupt_leaves_the_call_to_its_end_and_the_next_one_to_another_thread(aside: Aside) -> None:
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        go.wait(10)
        ended.set()

    def interrupt() -> None:
        begun.wait(10)
        _thread.interrupt_main()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        aside.call(call)
    thread.join()
    go.set()
    assert ended.wait(10)
    aside.close()


def test_a_call_inside_a_call_needs_no_further_thread(aside: Aside) -> None:
    outer, inner = aside.call(lambda: (threading.get_ident(), aside.call(threading.get_ident)))
    assert outer == inner
    aside.close()


def test_the_items_of_a_generator_are_asked_for_by_another_thread(aside: Aside) -> None:
    closed: list[bool] = []

    def idents() -> Generator[int, None, None]:
        try:
            for _ in range(3):
                yield threading.get_ident()
        finally:
            closed.append(True)

    assert threading.get_ident() not in set(aside.each(idents()))
    assert closed == [True]
    items = aside.each(idents())
    next(items)
    items.close()
    assert closed == [True, True]
    aside.close()


def test_an_interrupt_leaves_a_generator_that_waits_for_its_next_item(aside: Aside) -> None:
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    def items() -> Generator[int, None, None]:
        begun.set()
        go.wait(10)
        ended.set()
        yield 1

    def interrupt() -> None:
        begun.wait(10)
        _thread.interrupt_main()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        list(aside.each(items()))
    thread.join()
    go.set()
    assert ended.wait(10)
    aside.close()
