"""Where things are."""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / "target/venvs/moto/bin/python"
PROXY = ROOT / "tests/python/proxy.py"
