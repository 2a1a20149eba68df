"""Clients of AWS's services, or of an endpoint that stands in for them."""

from __future__ import annotations

from typing import Any


def connect(service: str, endpoint: str, **options: Any) -> Any:
    """boto3's client of a service, whose requests are not repeated.

    Args:
        service: Its name, as boto3 has it.
        endpoint: Its URL; empty for AWS's own.
        options: More of botocore's `Config`.
    """
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    common = {"retries": {"total_max_attempts": 1}, "connect_timeout": 5, "read_timeout": 30, **options}
    if not endpoint:
        return boto3.client(service, config=Config(**common))
    # An endpoint of our own checks no signatures, and there are no AWS credentials to sign with.
    config = Config(signature_version=UNSIGNED, **common)
    return boto3.client(service, endpoint_url=endpoint, region_name="us-east-1", config=config)
