"""Prints every option of the Python TaskCat and all its abbreviations, as JSON:
[{"command": ["test", "run"], "abbreviations": {"--test-names": ["--t", "--te", …]}, "takes_value": {…}}]."""

import argparse
import json
import warnings

warnings.simplefilter("ignore")

from taskcat import _cli, _cli_modules  # noqa: E402
from taskcat._cli_core import GLOBAL_ARGS, CliCore  # noqa: E402


def subparsers(parser):
    actions = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return actions[0].choices if actions else {}


def described(parser):
    options = [o for o in parser._option_string_actions if o.startswith("--")]
    abbreviations, takes_value = {}, {}
    for option in options:
        prefixes = [option[:end] for end in range(3, len(option) + 1)]
        meant = {p: [o for o in options if o.startswith(p)] for p in prefixes}
        abbreviations[option] = [p for p in prefixes if p == option or meant[p] == [option]]
        takes_value[option] = parser._option_string_actions[option].nargs != 0
    return {"abbreviations": abbreviations, "takes_value": takes_value}


core = CliCore("taskcat", _cli_modules, "", _cli.get_installed_version(), GLOBAL_ARGS.ARGS)
pages = [{"command": [], **described(core.parser)}]
for name, command in subparsers(core.parser).items():
    nested = subparsers(command)
    if not nested:
        pages.append({"command": [name], **described(command)})
    for subcommand, parser in nested.items():
        pages.append({"command": [name, subcommand], **described(parser)})
print(json.dumps(pages))
