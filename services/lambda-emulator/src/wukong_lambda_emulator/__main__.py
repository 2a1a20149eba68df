"""Run the emulator until it is told to end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys


async def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    # Here and not above: it takes a second, in which the process has to hear already that it shall end.
    from wukong_lambda_emulator.provider import ProviderUnavailable
    from wukong_lambda_emulator.server import serve

    try:
        service = await serve(os.environ)
    except (ProviderUnavailable, ValueError) as error:
        sys.exit(str(error))
    logging.info("the Lambda emulator listens on %s", service.address)
    try:
        await ended.wait()
    finally:
        await service.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main())
