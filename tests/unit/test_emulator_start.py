"""The emulator hears that it shall end before it has imported all that it is made of.

As the first process of a container it would miss the signal else, start environments all the same, and be killed.
"""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import runpy, signal, sys

class Look:
    def find_spec(self, name, *rest):
        if name in ("aiohttp", "docker", "wukong_lambda_emulator.server"):
            print(signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL, flush=True)
            raise SystemExit(0)

sys.meta_path.insert(0, Look())
runpy.run_module("wukong_lambda_emulator", run_name="__main__")
"""


def test_the_signal_to_end_is_heard_before_the_imports() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout) == (0, "True\n"), ran.stderr
