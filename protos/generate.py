"""Generates src/wukong/rpc/v1 from the protos, or checks that it is up to date.

The generated code is committed, so that installing Wukong needs no compiler. `make protos` writes it, and
`make check` runs `--check`, which generates into a temporary directory and compares.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROTOS = Path(__file__).resolve().parent
OUTPUT = PROTOS.parent / "src"
PACKAGE = Path("wukong/rpc/v1")


def sources() -> list[str]:
    """The proto files, relative to `PROTOS`."""
    return sorted(str(path.relative_to(PROTOS)) for path in (PROTOS / PACKAGE).glob("*.proto"))


def generate(output: Path) -> None:
    """Writes modules and type stubs below `output`. `SystemExit` if the compiler refuses a proto."""
    # The plug-ins of mypy-protobuf stand beside the interpreter, which need not be on the PATH.
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    command = [
        *(sys.executable, "-m", "grpc_tools.protoc"),
        f"--proto_path={PROTOS}",
        f"--python_out={output}",
        f"--mypy_out=quiet:{output}",
        f"--grpc_python_out={output}",
        f"--mypy_grpc_out=quiet:{output}",
        *sources(),
    ]
    if subprocess.run(command, env={**os.environ, "PATH": search}, check=False).returncode != 0:
        raise SystemExit("protoc refused the protos; its message stands above")
    # Empty service modules of the protos that hold only messages.
    for proto in sources():
        if "\nservice " not in (PROTOS / proto).read_text():
            stem = output / proto.removesuffix(".proto")
            for suffix in ("_pb2_grpc.py", "_pb2_grpc.pyi"):
                stem.with_name(stem.name + suffix).unlink(missing_ok=True)


def generated(root: Path) -> dict[str, bytes]:
    """The generated files below `root`, by name."""
    return {path.name: path.read_bytes() for path in (root / PACKAGE).glob("*_pb2*.py*")}


def differences() -> list[str]:
    """Names of committed files that are missing, superfluous or not what the protos say."""
    with tempfile.TemporaryDirectory() as temporary:
        generate(Path(temporary))
        expected = generated(Path(temporary))
    committed = generated(OUTPUT)
    return sorted(name for name in expected.keys() | committed.keys() if expected.get(name) != committed.get(name))


def main() -> int:
    """The command line. Answers the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if parser.parse_args().check:
        stale = differences()
        if stale:
            print(
                f"{PACKAGE} does not match the protos: {', '.join(stale)}. Run `make protos`.",
                file=sys.stderr,
            )
        return 1 if stale else 0
    for name in generated(OUTPUT):
        (OUTPUT / PACKAGE / name).unlink()
    generate(OUTPUT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
