"""Generated from protos/wukong/rpc/v1 by protos/generate.py."""
