"""The ways in which callers name a function: its name, a partial or a full ARN, each with or without a qualifier."""

from __future__ import annotations

import re

from wukong_lambda_emulator.api_error import invalid_parameter

ACCOUNT = "000000000000"
LATEST = "$LATEST"

_FORM = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:)?(?:[a-z]{2}(?:-[a-z]+)+-\d:)?(?:\d{12}:)?(?:function:)?"
    r"(?P<name>[a-zA-Z0-9-_]{1,64})(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]{1,128}))?"
)


def parse(text: str, qualifier: str | None = None) -> tuple[str, str]:
    """The name and the qualifier in `text`; `qualifier` is the one that was given beside it.

    Raises:
        ApiError: It is not a function's name, or names two different qualifiers.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise invalid_parameter(
            f"1 validation error detected: Value '{text[:200]}' at 'functionName' failed to satisfy constraint: "
            "Member must be a function name, or a partial or full function ARN"
        )
    inner = found["qualifier"]
    if inner and qualifier and inner != qualifier:
        raise invalid_parameter("The derived qualifier from the function name does not match the specified qualifier.")
    return found["name"], inner or qualifier or LATEST


def arn(region: str, name: str, qualifier: str = "") -> str:
    """The ARN of a function."""
    return f"arn:aws:lambda:{region}:{ACCOUNT}:function:{name}" + (f":{qualifier}" if qualifier else "")
