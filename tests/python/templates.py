"""Prints how many templates the Python TaskCat reads for the project in the current folder, nested ones too."""

import logging
from pathlib import Path

from taskcat._config import Config

logging.disable(logging.CRITICAL)
tests = Config.create(project_root=Path.cwd()).get_templates().values()
print(len({str(template.template_path) for test in tests for template in (test, *test.descendents)}))
