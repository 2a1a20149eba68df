"""The arithmetic of a slow network: times are the test's own."""

from __future__ import annotations

import math

import pytest

from wukong_lambda_emulator.link import Link


def test_a_link_without_limit_only_delays() -> None:
    link = Link(0.25)
    assert link.arrival(1.0, 10**9) == 1.25
    assert link.arrival(1.0, 10**9) == 1.25


def test_what_is_sent_together_waits_together() -> None:
    """A pipeline pays the latency once, and the bandwidth for all of it."""
    link = Link(0.25, rate=1000)
    assert link.arrival(0.0, 500) == pytest.approx(0.75)
    assert link.arrival(0.0, 500) == pytest.approx(1.25)
    assert link.arrival(0.1, 100) == pytest.approx(1.35)


def test_a_link_that_was_idle_saves_nothing_up() -> None:
    link = Link(0.0, rate=100)
    assert link.arrival(0.0, 100) == 1.0
    assert link.arrival(10.0, 100) == 11.0


def test_nothing_leaves_before_its_connection_is_open() -> None:
    link = Link(0.25)
    assert link.arrival(0.0, 1, earliest=0.5) == 0.75
    assert link.arrival(1.0, 1, earliest=0.5) == 1.25


def test_a_window_fills_the_link_and_little_more() -> None:
    assert Link(0.00025, rate=75e6).window == int(75e6 * 0.00225)
    assert Link(0.00025, rate=1000).window == 64 * 1024
    assert Link(0.1, rate=math.inf).window == 4 * 1024**2
