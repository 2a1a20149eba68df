"""Runs the proxy as a process: `python -m wukong_kvs_proxy`."""

from wukong.rpc.service import run
from wukong_kvs_proxy.server import serve

run(serve, "wukong_kvs_proxy")
