"""A stand-in for a zygote that cannot start."""

import sys

sys.exit("no room in the burrow")
