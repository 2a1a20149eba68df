"""What AWS asks for the parts of a deployment while they are there, by region. Pure.

Executors cost only what they run: their prices are in `wukong.prices`. Left out everywhere is what depends on use, and
is cents for most: traffic, stored bytes, log lines, load balancer units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Hours of a month, as AWS counts them in its examples.
MONTH_HOURS = 730.0


@dataclass(frozen=True, slots=True)
class Fargate:
    """US dollars for one hour of a Linux task.

    Attributes:
        vcpu: For one vCPU.
        gb: For one GB of memory.
    """

    vcpu: float
    gb: float

    def hourly(self, vcpus: float, gb: float) -> float:
        """For a task of this size."""
        return vcpus * self.vcpu + gb * self.gb


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices on demand, without free tiers, savings plans and taxes.

    Attributes:
        region: Where they hold.
        date: When they were looked up.
        fargate: Architecture, as ECS names it -> prices of tasks.
        hourly: What else is billed by time -> US dollars for one of it for an hour.
    """

    region: str
    date: str
    fargate: Mapping[str, Fargate]
    hourly: Mapping[str, float]


#: Sources: aws.amazon.com, pages "AWS Fargate Pricing", "Elastic Load Balancing pricing", "AWS PrivateLink pricing",
#: "Amazon VPC pricing", "AWS Secrets Manager Pricing", "Amazon CloudWatch Pricing", "AWS Key Management Service
#: pricing". What is billed by the month there is divided by `MONTH_HOURS`.
_TABLES = {
    "us-east-1": PriceTable(
        region="us-east-1",
        date="November 2025",
        fargate={"X86_64": Fargate(vcpu=0.04048, gb=0.004445), "ARM64": Fargate(vcpu=0.03238, gb=0.00356)},
        hourly={
            "load_balancer": 0.0225,
            "interface_endpoint": 0.01,  # for each subnet that it is in
            "nat_gateway": 0.045,
            "public_address": 0.005,
            "secret": 0.40 / MONTH_HOURS,
            "alarm": 0.10 / MONTH_HOURS,
            "dashboard": 3.00 / MONTH_HOURS,
            "key": 1.00 / MONTH_HOURS,
        },
    ),
}

#: Whose prices are shown for a region that has no table.
REFERENCE = "us-east-1"


def table(region: str) -> PriceTable:
    """The prices of a region; those of `REFERENCE` where it has no table, as its field says."""
    return _TABLES.get(region, _TABLES[REFERENCE])
