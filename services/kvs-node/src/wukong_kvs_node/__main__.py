"""Runs the agent as a process: `python -m wukong_kvs_node`."""

from wukong.rpc.service import run
from wukong_kvs_node.server import serve

run(serve, "wukong_kvs_node")
