"""Runs the function under the Lambda runtime interface client, as in a container image."""

from __future__ import annotations

from awslambdaric.__main__ import main

if __name__ == "__main__":
    main(["awslambdaric", "wukong_executor.handler.handler"])
