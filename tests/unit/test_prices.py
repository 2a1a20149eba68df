"""What executors cost, against the examples of AWS."""

from __future__ import annotations

import pytest

from wukong.prices import Prices, dollars


def test_aws_own_example() -> None:
    """Page "AWS Lambda Pricing", example 1: 3 million requests of 120 ms at 1536 MB; its free tier added again."""
    mb_ms = 3_000_000 * 120 * 1536
    seconds, requests = 540_000, 3_000_000
    x86 = Prices.parse("x86_64")
    assert x86.cost(mb_ms, 0) == pytest.approx(seconds * 0.0000166667)
    assert x86.cost(0, requests) == pytest.approx(0.60)
    assert x86.cost(mb_ms, requests) == pytest.approx(9.60, abs=0.001)
    assert Prices.parse("arm64").cost(mb_ms, requests) == pytest.approx(7.80, abs=0.001)


def test_an_operator_has_prices_of_another_region() -> None:
    assert Prices.parse('{"gb_second": 0.00002, "request": 3e-7}') == Prices(0.00002, 3e-7)
    assert Prices.parse('{"gb_second": 0, "request": 0}').cost(10**9, 10**9) == 0


@pytest.mark.parametrize(
    "text",
    [
        *("", "sparc", "3", "[]", "{}", '{"gb_second": 1}', '{"gb_second": 1, "request": 1, "disk": 1}'),
        *('{"gb_second": -1, "request": 1}', '{"gb_second": NaN, "request": 1}', '{"gb_second": null, "request": 1}'),
    ],
)
def test_other_prices_are_refused_with_what_they_may_be(text: str) -> None:
    with pytest.raises(ValueError, match="x86_64 or arm64, or a JSON object with gb_second and request"):
        Prices.parse(text)


@pytest.mark.parametrize(
    ("usd", "text"),
    [(0, "$0.00"), (0.000310, "$0.000310"), (0.0123456, "$0.0123"), (3.0249, "$3.02"), (1234.5, "$1,234.50")],
)
def test_amounts_have_three_digits_that_count(usd: float, text: str) -> None:
    assert dollars(usd) == text
