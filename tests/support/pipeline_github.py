"""The routes of GitHub's REST API that a merge takes, over bare repositories that git itself merges in.

A repository is `<folder>/<owner>/<repo>.git`. https://docs.github.com/en/rest/branches/branches

A fault is an object; the first one that fits a call and has times left decides its answer:

    method, path    of the calls that it fits; `path` is a regular expression that the whole path must match
    times           how often; without it, always
    status          of the answer, with `headers` and `message`
    delay           seconds before the answer, which is the right one if there is no `status`
    drop            "before" or "after": the connection closes without an answer, before or after all is done
"""

import hmac
import json
import os
import re
import subprocess
import threading
import time
from urllib.parse import unquote

IDENTITY = {
    "GIT_AUTHOR_NAME": "Octocat",
    "GIT_AUTHOR_EMAIL": "octocat@example.com",
    "GIT_COMMITTER_NAME": "GitHub",
    "GIT_COMMITTER_EMAIL": "noreply@example.com",
}


class GitHub:
    def __init__(self, folder, token):
        self.folder = folder
        self.token = token
        self.lock = threading.Lock()
        self.faults = []
        self.calls = []

    def set_faults(self, faults):
        with self.lock:
            self.faults = faults

    def answer(self, method, path, headers, body):
        authorized = hmac.compare_digest(headers.get("Authorization", ""), f"Bearer {self.token}")
        others = {name.lower(): value for name, value in headers.items() if name.lower() != "authorization"}
        call = {"method": method, "path": path, "headers": others, "body": body.decode(), "authorized": authorized}
        fault = self.fault_of(method, path)
        with self.lock:
            self.calls.append(call)
        time.sleep(fault.get("delay", 0))
        if fault.get("drop") == "before":
            return None
        if "status" in fault:
            message = {"message": fault["message"]} if "message" in fault else None
            status, headers, content = fault["status"], fault.get("headers", {}), message
        else:
            status, content = self.routed(method, path, body) if authorized else refusal(401, "Bad credentials")
            headers = {"Content-Type": "application/json; charset=utf-8", "X-RateLimit-Remaining": "4999"}
        call["status"] = status
        return None if fault.get("drop") == "after" else (status, headers, content)

    def fault_of(self, method, path):
        with self.lock:
            for fault in self.faults:
                fits = fault.get("method", method) == method and re.fullmatch(fault.get("path", ".*"), path)
                if fits and fault.get("times", 1) > 0:
                    if "times" in fault:
                        fault["times"] -= 1
                    return fault
        return {}

    def routed(self, method, path, body):
        parts = path.removeprefix("/api/v3").split("/")
        if len(parts) < 4 or parts[1] != "repos":
            return refusal(404, "Not Found")
        repository = os.path.join(self.folder, unquote(parts[2]), unquote(parts[3]) + ".git")
        if not os.path.isdir(repository):
            return refusal(404, "Not Found")
        match method, parts[4:]:
            case "GET", []:
                return 200, {"full_name": f"{parts[2]}/{parts[3]}"}
            case "GET", ["branches", name]:
                return branch(repository, unquote(name))
            case "POST", ["merges"]:
                with self.lock:
                    return merge(repository, json.loads(body))
        return refusal(404, "Not Found")


def refusal(status, message):
    return status, {"message": message, "documentation_url": "https://docs.github.com/rest", "status": str(status)}


def git(repository, *args):
    return subprocess.run(
        ["git", "--git-dir", repository, *args],
        env={**os.environ, **IDENTITY},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def commit_of(repository, name):
    found = git(repository, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    return found.stdout.strip() if found.returncode == 0 else None


def branch(repository, name):
    commit = commit_of(repository, f"refs/heads/{name}")
    if commit is None:
        return refusal(404, "Branch not found")
    return 200, {"name": name, "commit": {"sha": commit}, "protected": False}


def merge(repository, asked):
    ref = f"refs/heads/{asked['base']}"
    base = commit_of(repository, ref)
    if base is None:
        return refusal(404, "Base does not exist")
    head = commit_of(repository, f"refs/heads/{asked['head']}") or commit_of(repository, asked["head"])
    if head is None:
        return refusal(404, "Head does not exist")
    if git(repository, "merge-base", "--is-ancestor", head, base).returncode == 0:
        return 204, None
    merged = git(repository, "merge-tree", "--write-tree", base, head)
    if merged.returncode == 1:
        return refusal(409, "Merge conflict")
    tree = merged.stdout.split()[0]
    commit = git(repository, "commit-tree", tree, "-p", base, "-p", head, "-m", asked["commit_message"]).stdout.strip()
    git(repository, "update-ref", ref, commit, base)
    return 201, {"sha": commit, "parents": [{"sha": base}, {"sha": head}], "commit": {"message": asked["commit_message"]}}
