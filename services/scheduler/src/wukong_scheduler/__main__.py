"""Runs the scheduler as a process."""

from __future__ import annotations

from wukong.rpc.service import run
from wukong_scheduler.server import serve

if __name__ == "__main__":
    run(serve, "wukong_scheduler")
