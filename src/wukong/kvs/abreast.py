"""Work on several nodes at the same time, so that whoever waits waits for the slowest of them and not for each in turn.

Threads are made for one call and end with it: they take some ten microseconds, little beside the megabytes that they
are made for, and nothing is left that a forked child would miss.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence


def abreast(lanes: Sequence[Iterable[Callable[[], object]]]) -> None:
    """Carry out lanes at the same time, and the steps of each one after the other; one lane needs no thread.

    When it returns or raises, no step is under way. After the first error, Ctrl-C too, no lane begins another step.

    Raises:
        BaseException: What was raised first.
    """
    errors: list[BaseException] = []

    def run(lane: Iterable[Callable[[], object]]) -> None:
        try:
            for step in lane:
                if errors:
                    return
                step()
        except BaseException as error:
            errors.append(error)

    threads: list[threading.Thread] = []
    try:
        for lane in lanes[1:]:
            thread = threading.Thread(target=run, args=(lane,), name="wukong-lane", daemon=True)
            thread.start()
            threads.append(thread)
        for lane in lanes[:1]:
            run(lane)
        for thread in threads:
            thread.join()
    except BaseException as error:
        errors.append(error)
        for thread in threads:
            thread.join()
    if errors:
        first = errors[0]
        errors.clear()  # its frames refer to this list, and to what is large
        try:
            raise first
        finally:
            del first
