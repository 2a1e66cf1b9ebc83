"""Lambda's Runtime API, as a function on `provided.al2023` sees it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import queue
import re
import time
import uuid

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:git-merge"


class Runtime:
    def __init__(self):
        self.waiting = queue.Queue()
        self.answers = {}

    def invoke(self, event, seconds):
        request = str(uuid.uuid4())
        self.answers[request] = queue.Queue()
        self.waiting.put((request, event, int((time.time() + seconds) * 1000)))
        try:
            # Lambda would end the function then; here the test sees that it ran too long.
            return self.answers[request].get(timeout=seconds)
        except queue.Empty:
            return {"timeout": seconds}

    def answer(self, method, path, headers, body):
        if (method, path) == ("GET", "/2018-06-01/runtime/invocation/next"):
            request, event, deadline = self.waiting.get()
            return 200, {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": request,
                "Lambda-Runtime-Deadline-Ms": str(deadline),
                "Lambda-Runtime-Invoked-Function-Arn": FUNCTION,
                "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
            }, event
        said = re.fullmatch(r"/2018-06-01/runtime/invocation/([^/]+)/(response|error)", path)
        if method == "POST" and said and said[1] in self.answers:
            self.answers[said[1]].put({said[2]: json.loads(body)})
            return 202, {}, {"status": "OK"}
        return 404, {}, {"errorMessage": f"{method} {path}", "errorType": "NotFound"}
