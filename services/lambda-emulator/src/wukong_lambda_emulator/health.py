"""Whether an emulator answers: `python -m wukong_lambda_emulator.health HOST:PORT`, the health check of its image."""

from __future__ import annotations

import argparse
import http.client
import sys

_SECONDS = 2.0


def answers(address: str) -> bool:
    """Whether the Invoke API at host:port lists its functions within two seconds."""
    connection = http.client.HTTPConnection(address, timeout=_SECONDS)
    try:
        connection.request("GET", "/2015-03-31/functions/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main() -> None:
    """Ask, and exit with 0 where it answers."""
    parser = argparse.ArgumentParser(prog="wukong_lambda_emulator.health", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("address", help="host:port of the Invoke API")
    sys.exit(not answers(parser.parse_args().address))


if __name__ == "__main__":
    main()
