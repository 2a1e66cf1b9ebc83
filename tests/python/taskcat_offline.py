"""The Python TaskCat, run where only a local server can be reached. Arguments are TaskCat's own.

    target/venvs/taskcat/bin/python tests/python/taskcat_offline.py test run -l

Three things are answered here, because they would leave this machine; all else is TaskCat as it is on PyPI:

- `requests.get`: the newest version on PyPI, and the style sheet of the report;
- `docker.from_env`: TaskCat connects to Docker before it knows whether a Lambda function needs it;
- the URL of a template: a bucket as a host name under amazonaws.com means nothing to a local server, so the bucket
  stands in the path.
"""

import os
import sys

import docker
import requests

import taskcat._cfn.stack
from taskcat._cli import get_installed_version, main


class Answer:
    text = "/* no style sheet: offline */"

    def json(self):
        return {"info": {"version": get_installed_version()}}


def path_style_url(bucket, key, *_):
    port = os.environ["AWS_ENDPOINT_URL"].rsplit(":", 1)[1]
    return f"http://localhost:{port}/{bucket}/{key}"


if __name__ == "__main__":
    requests.get = lambda *_, **__: Answer()
    docker.from_env = lambda *_, **__: None
    taskcat._cfn.stack.s3_url_maker = path_style_url
    sys.argv[0] = "taskcat"
    sys.exit(main())
