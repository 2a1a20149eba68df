"""A stand-in for the zygote: holds its lifeline, starts nothing."""

import argparse
import os

parser = argparse.ArgumentParser()
parser.add_argument("--socket")
parser.add_argument("--preload")
parser.add_argument("--lifeline", type=int)
os.read(parser.parse_args().lifeline, 1)
