"""A certificate for the load balancer, for who has no domain: of an authority that is made here."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

from deploy.environment import Environment
from wukong.cluster import certificates

#: In the environment's folder, where Terraform reads it by itself; not in git.
FILE = "certificate.auto.tfvars.json"
#: Beside it: the authority, whose key is needed to make the next certificate.
AUTHORITY = ".authority"
#: How long a certificate is good.
DAYS = 365


def certify(environment: Environment, region: str) -> None:
    """Make a certificate and give it to ACM; the next one takes its place there, and clients notice nothing.

    It is for all names that AWS gives load balancers of the region, so it can be made before there is one. Only clients
    that are told of the authority trust it.

    Raises:
        WukongError: There is no `openssl`.
    """
    kept = environment.folder / AUTHORITY
    acm = boto3.client("acm", region_name=region)
    before = _variables(environment).get("certificate_arn")
    with tempfile.TemporaryDirectory(prefix="wukong-certificate-") as temporary:
        folder = Path(temporary)
        for name in certificates.AUTHORITY:
            if (kept / name).exists():
                (folder / name).write_bytes((kept / name).read_bytes())
        certificates.make(folder, [f"*.elb.{region}.amazonaws.com"], DAYS)
        certificate, key = ((folder / name).read_bytes() for name in certificates.SERVER)
        authority = (folder / certificates.AUTHORITY[0]).read_text()
        given = {"Certificate": certificate, "PrivateKey": key, "CertificateChain": authority.encode()}
        if before:
            acm.import_certificate(CertificateArn=before, **given)
        else:
            tags = [{"Key": "Deployment", "Value": f"wukong-{environment.name}"}]
            before = acm.import_certificate(**given, Tags=tags)["CertificateArn"]
        kept.mkdir(mode=0o700, exist_ok=True)
        for name in certificates.AUTHORITY:
            (kept / name).touch(mode=0o600)
            (kept / name).write_bytes((folder / name).read_bytes())
    variables = {"certificate_arn": before, "certificate_authority": authority}
    (environment.folder / FILE).write_text(json.dumps(variables, indent=2) + "\n")
    print(f"{before} is good for {DAYS} days; `make certificate` makes the next one", file=sys.stderr)


def withdraw(environment: Environment) -> None:
    """Remove the certificate that was made for an environment, and its authority, if there is one."""
    if arn := _variables(environment).get("certificate_arn"):
        try:
            boto3.client("acm", region_name=arn.split(":")[3]).delete_certificate(CertificateArn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
    (environment.folder / FILE).unlink(missing_ok=True)
    for name in certificates.AUTHORITY:
        (environment.folder / AUTHORITY / name).unlink(missing_ok=True)
    if (environment.folder / AUTHORITY).exists():
        (environment.folder / AUTHORITY).rmdir()


def _variables(environment: Environment) -> dict[str, str]:
    file = environment.folder / FILE
    found: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    return found
