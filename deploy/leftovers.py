"""What AWS keeps of a deployment when Terraform has removed all that it made."""

from __future__ import annotations

from collections.abc import Mapping

import boto3
from botocore.exceptions import ClientError


def log_groups(client: Mapping[str, str]) -> list[str]:
    """The log groups that services write by themselves; Terraform's own are gone with it. Pure."""
    return [f"/aws/ecs/containerinsights/{client['ecs_cluster']}/performance"]


def remove_log_groups(client: Mapping[str, str]) -> list[str]:
    """Remove those that are there, given the environment's output `client`. Returns their names."""
    logs = boto3.client("logs", region_name=client["region"])
    removed = []
    for name in log_groups(client):
        try:
            logs.delete_log_group(logGroupName=name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
        else:
            removed.append(name)
    return removed


def still_listed(client: Mapping[str, str]) -> list[str]:
    """ARNs of everything that AWS lists with the deployment's tag; it lists some things for hours after their end."""
    tagging = boto3.client("resourcegroupstaggingapi", region_name=client["region"])
    pages = tagging.get_paginator("get_resources").paginate(
        TagFilters=[{"Key": "Deployment", "Values": [client["name"]]}]
    )
    return sorted(one["ResourceARN"] for page in pages for one in page["ResourceTagMappingList"])
