"""CodePipeline, as far as a job's worker answers to it: JSON 1.1, with the limits that the API reference gives.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutJobSuccessResult.html
https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutJobFailureResult.html
"""

import json
import re
import threading

FAILURES = {
    "JobFailed",
    "ConfigurationError",
    "PermissionError",
    "RevisionOutOfSync",
    "RevisionUnavailable",
    "SystemUnavailable",
}


def faults_of_success(call):
    token, variables = call.get("continuationToken"), call.get("outputVariables", {})
    summary = call.get("executionDetails", {}).get("summary", "")
    if token is not None and variables:
        yield "outputVariables can be included only when there is no continuation token"
    if token is not None and not 1 <= len(token) <= 2048:
        yield "continuationToken: 1 to 2048 characters"
    if len(summary) > 2048:
        yield "executionDetails.summary: at most 2048 characters"
    for name, value in variables.items():
        if not re.fullmatch(r"[A-Za-z0-9@\-_]+", name) or not isinstance(value, str):
            yield f"outputVariables: {name}"


def faults_of_failure(call):
    details = call.get("failureDetails", {})
    if details.get("type") not in FAILURES:
        yield "failureDetails.type"
    if not 1 <= len(details.get("message", "")) <= 5000:
        yield "failureDetails.message: 1 to 5000 characters"


class CodePipeline:
    def __init__(self):
        self.lock = threading.Lock()
        self.calls = []

    def answer(self, method, path, headers, body):
        call = json.loads(body)
        action = headers.get("X-Amz-Target", "").removeprefix("CodePipeline_20150709.")
        check = {"PutJobSuccessResult": faults_of_success, "PutJobFailureResult": faults_of_failure}.get(action)
        if check is None:
            return refusal("UnknownOperationException", action)
        faults = list(check(call))
        with self.lock:
            if faults or not call.get("jobId"):
                return refusal("ValidationException", "; ".join(faults) or "jobId")
            if any(said["jobId"] == call["jobId"] for said in self.calls):
                return refusal("InvalidJobStateException", f"the job {call['jobId']} has its result")
            self.calls.append({"action": action, **call})
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, {}


def refusal(code, message):
    return 400, {"Content-Type": "application/x-amz-json-1.1"}, {"__type": code, "message": message}
