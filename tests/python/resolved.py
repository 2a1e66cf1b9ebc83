"""Prints as JSON how the Python TaskCat resolves the configuration of the project in the current folder."""

import json
import logging
from pathlib import Path

from taskcat._config import Config

logging.disable(logging.CRITICAL)
print(json.dumps(Config.create(project_root=Path.cwd()).config.to_dict(), default=str))
