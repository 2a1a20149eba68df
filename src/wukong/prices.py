"""What AWS asks for executors, and what a job costs at that."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

#: The unit that is counted, one MB for one millisecond, as a part of a GB-second.
MB_MS_OF_GB_SECOND = 1024 * 1000


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars.

    Attributes:
        gb_second: For one GB (1024 MB) of a function's memory for one second.
        request: For one invocation.
    """

    gb_second: float
    request: float

    def cost(self, mb_ms: int, requests: int) -> float:
        """US dollars for memory times duration and for invocations. `sync.lua` computes the same."""
        return mb_ms * self.mb_ms + requests * self.request

    @property
    def mb_ms(self) -> float:
        """For one MB for one millisecond."""
        return self.gb_second / MB_MS_OF_GB_SECOND

    @classmethod
    def parse(cls, text: str) -> Prices:
        """Prices by the name of an architecture, or as a JSON object with the fields of this class.

        Raises:
            ValueError: It is neither, or a price is no number from 0 on.
        """
        if text in _OF_AWS:
            return _OF_AWS[text]
        try:
            fields = json.loads(text)
            prices = cls(**{name: float(value) for name, value in fields.items()})
        except (ValueError, TypeError, AttributeError):
            prices = cls(math.nan, math.nan)
        if not all(0 <= price < math.inf for price in asdict(prices).values()):
            raise ValueError(
                f"prices are {' or '.join(_OF_AWS)}, or a JSON object with gb_second and request in US dollars, "
                f"not {text!r}"
            )
        return prices


#: Lambda on demand in us-east-1, the first tier, without free tier, savings plans and ephemeral storage above 512 MB.
#: Source: aws.amazon.com, page "AWS Lambda Pricing", prices of November 2025.
_OF_AWS = {
    "x86_64": Prices(gb_second=0.0000166667, request=0.0000002),
    "arm64": Prices(gb_second=0.0000133334, request=0.0000002),
}


def dollars(usd: float) -> str:
    """An amount with three digits that count, however small it is, and at least whole cents."""
    digits = 2 - math.floor(math.log10(usd)) if usd > 0 else 0
    return f"${usd:,.{max(2, digits)}f}"
