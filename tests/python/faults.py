"""Faults that the proxy injects: which calls they hit, and what the client gets to see.

A fault is written `ACTION[@REGION]=WHAT[+SKIP][*TIMES][%PERCENT]`. ACTION is the API's name or a pattern (`*`,
`Describe*`). WHAT is one of

    STATUS:CODE     this error, before the call reaches the server
    throttle        the service's own throttling error
    rate:NUMBER     the same for what exceeds so many calls a second
    internal        the service's own internal error, with status 500
    body:PATH       success, with the body that the file at this path holds
    cut             the connection is closed without an answer
    hang            no answer until the client closes the connection, for 300 s at most
    after:WHAT      one of these after the server has carried out the call: its answer is lost
    delay:SECONDS   the answer is late

SKIP calls pass first, TIMES ends the fault after so many hits, and PERCENT of the calls are hit, drawn from a generator
with a fixed seed. Of the faults that match a call, the first that hits it counts.

`hide:bucket=SECONDS` and `hide:stack=SECONDS` imitate eventual consistency: calls that name a bucket or stack fail as if
it didn't exist, for so long after the answer to its creation. CreateBucket, CreateStack and DeleteStack see it at once.
"""

import fnmatch
import random
import re
import sys
import threading
import time
from urllib.parse import unquote

FAULT = re.compile(
    r"(?P<action>[\w*?\[\]]+)(?:@(?P<region>[\w-]+))?="
    r"(?P<what>(?:after:)?(?:\d+:\w+|throttle|rate:[\d.]+|internal|body:[^*+%]+|cut|hang)|delay:[\d.]+)"
    r"(?:\+(?P<skip>\d+))?(?:\*(?P<times>\d+))?(?:%(?P<percent>[\d.]+))?"
)
HIDE = re.compile(r"hide:(?P<kind>bucket|stack)=(?P<seconds>[\d.]+)")

# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/CommonErrors.html and the other services' own pages.
THROTTLES = {
    "s3": (503, "SlowDown", "Please reduce your request rate."),
    "ec2": (503, "RequestLimitExceeded", "Request limit exceeded."),
    "ssm": (400, "ThrottlingException", "Rate exceeded"),
    "secretsmanager": (400, "ThrottlingException", "Rate exceeded"),
    "codepipeline": (400, "ThrottlingException", "Rate exceeded"),
}
INTERNAL_ERRORS = {
    "s3": (500, "InternalError", "We encountered an internal error. Please try again."),
    "ec2": (500, "InternalError", "An internal error has occurred"),
    "ssm": (500, "InternalServerError", "An internal error occurred."),
    "secretsmanager": (500, "InternalServiceError", "An internal error occurred."),
}
# Calls that show a stack as it was just created; a deletion must find it.
SEES_STACKS_AT_ONCE = {"CreateStack", "DeleteStack"}


class Fault:
    def __init__(self, text, matched):
        self.text = text
        self.action = matched["action"]
        self.region = matched["region"]
        self.after = matched["what"].startswith("after:")
        self.what = matched["what"].removeprefix("after:")
        self.skip = int(matched["skip"] or 0)
        self.times = int(matched["times"]) if matched["times"] else None
        self.percent = float(matched["percent"]) if matched["percent"] else None
        self.rate = float(self.what[5:]) if self.what.startswith("rate:") else None
        self.tokens, self.refilled = self.rate, time.monotonic()

    def matches(self, call):
        return fnmatch.fnmatchcase(call["action"] or "", self.action) and self.region in (None, call["region"])

    def exceeds_rate(self):
        """Whether this call is one too many; takes a token otherwise. Refused calls cost nothing."""
        now = time.monotonic()
        self.tokens = min(self.tokens + (now - self.refilled) * self.rate, max(self.rate, 1))
        self.refilled = now
        if self.tokens < 1:
            return True
        self.tokens -= 1
        return False

    @property
    def delay(self):
        return float(self.what[6:]) if self.what.startswith("delay:") else 0

    def error(self, service):
        """Status and body of the error that the client sees; `None` where it sees none."""
        if self.what == "throttle" or self.rate is not None:
            answer = THROTTLES.get(service, (400, "Throttling", "Rate exceeded"))
        elif self.what == "internal":
            answer = INTERNAL_ERRORS.get(service, (500, "InternalFailure", "An internal error has occurred."))
        elif self.what.startswith("body:"):
            with open(self.what[5:], encoding="utf-8") as file:
                return 200, file.read()
        elif self.what[0].isdigit():
            status, code = self.what.split(":")
            answer = (int(status), code, f"refused by the test: {code}")
        else:
            return None
        status, code, message = answer
        return status, error_body(service, code, message)


class Faults:
    """The faults of a proxy, and what it knows of resources that can't be seen yet."""

    def __init__(self, texts, seed):
        self.lock = threading.Lock()
        self.generator = random.Random(seed)
        self.faults = []
        self.hidden_for = {}
        self.hidden_until = {}
        for text in texts:
            if matched := HIDE.fullmatch(text):
                self.hidden_for[matched["kind"]] = float(matched["seconds"])
            elif matched := FAULT.fullmatch(text):
                self.faults.append(Fault(text, matched))
            else:
                sys.exit(f"proxy: invalid fault: {text}")

    def of(self, call):
        """The fault that hits this call, which is counted."""
        with self.lock:
            for fault in self.faults:
                if fault.times == 0 or not fault.matches(call):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                elif fault.rate is not None and not fault.exceeds_rate():
                    continue
                elif fault.percent is None or self.generator.random() * 100 < fault.percent:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def created(self, call):
        """Notes a creation that the server has confirmed."""
        kind = {"CreateBucket": "bucket", "CreateStack": "stack"}.get(call["action"])
        if kind in self.hidden_for:
            with self.lock:
                name = (kind, call["region"] if kind == "stack" else None, resource(call))
                self.hidden_until.setdefault(name, time.monotonic() + self.hidden_for[kind])

    def not_yet_visible(self, call):
        """Status and body of the error for a call that names something created a moment ago."""
        kind = {"s3": "bucket", "cloudformation": "stack"}.get(call["service"])
        name = resource(call)
        if kind not in self.hidden_for or name is None:
            return None
        with self.lock:
            until = self.hidden_until.get((kind, call["region"] if kind == "stack" else None, name), 0)
        if time.monotonic() >= until:
            return None
        if kind == "bucket":
            if call["action"] == "CreateBucket":
                return None
            return 404, error_body("s3", "NoSuchBucket", "The specified bucket does not exist")
        if call["action"] in SEES_STACKS_AT_ONCE:
            return None
        wording = "Stack with id {} does not exist" if call["action"] == "DescribeStacks" else "Stack [{}] does not exist"
        return 400, error_body("cloudformation", "ValidationError", wording.format(name))


def resource(call):
    """Name of the bucket or stack that a call is about."""
    if call["service"] == "s3":
        return unquote(call["path"]).lstrip("/").partition("/")[0] or None
    name = call.get("form", {}).get("StackName")
    # arn:aws:cloudformation:us-east-1:123456789012:stack/NAME/ID
    return name.split("/")[1] if name and name.startswith("arn:") else name


def error_body(service, code, message):
    if service == "s3":
        return f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>0</RequestId></Error>"
    if service == "ec2":
        error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        return f"<Response><Errors>{error}</Errors><RequestID>0</RequestID></Response>"
    if service in ("ssm", "secretsmanager", "codepipeline"):
        return f'{{"__type": "{code}", "message": "{message}"}}'
    return (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>0</RequestId></ErrorResponse>"
    )
