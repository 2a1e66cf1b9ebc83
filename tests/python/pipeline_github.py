"""The routes of GitHub's REST API that a merge takes, over bare repositories that git itself merges in.

A repository is `<folder>/<owner>/<repo>.git`. https://docs.github.com/en/rest/branches/branches

A fault is an object; the first one that fits a call and has times left decides its answer:

    method, path    of the calls that it fits; `path` is a regular expression that the whole path must match
    times           how often; without it, always
    status          of the answer, with `headers`, `message` and `documentation_url`
    delay           seconds before the answer, which is the right one if there is no `status`
    drop            "before" or "after": the connection closes without an answer, before or after all is done
"""

import base64
import hmac
import json
import os
import re
import subprocess
import threading
import time
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

IDENTITY = {
    "GIT_AUTHOR_NAME": "Octocat",
    "GIT_AUTHOR_EMAIL": "octocat@example.com",
    "GIT_COMMITTER_NAME": "GitHub",
    "GIT_COMMITTER_EMAIL": "noreply@example.com",
}


# The id of the GitHub App, and of its installation in every repository.
APP, INSTALLATION = "4711", 815


class GitHub:
    """`app_key` is the public key of the App."""

    def __init__(self, folder, token, app_key):
        self.folder = folder
        self.token = token
        self.app_key = app_key
        self.lock = threading.Lock()
        self.faults = []
        self.calls = []

    def set_faults(self, faults):
        with self.lock:
            self.faults = faults

    def answer(self, method, path, headers, body):
        sent = headers.get("Authorization", "").removeprefix("Bearer ")
        for_app = re.fullmatch(r"(/api/v3)?(/repos/[^/]+/[^/]+/installation|/app/.*)", path)
        authorized = self.is_app(sent) if for_app else hmac.compare_digest(sent, self.token)
        others = {name.lower(): value for name, value in headers.items() if name.lower() != "authorization"}
        call = {"method": method, "path": path, "headers": others, "body": body.decode(), "authorized": authorized}
        fault = self.fault_of(method, path)
        with self.lock:
            self.calls.append(call)
        time.sleep(fault.get("delay", 0))
        if fault.get("drop") == "before":
            return None
        if "status" in fault:
            message = {name: fault[name] for name in ("message", "documentation_url") if name in fault} or None
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

    def is_app(self, proof):
        """Whether this is a JSON Web Token of the App's, which holds for ten minutes at most."""
        try:
            signed, signature = proof.rsplit(".", 1)
            claims = json.loads(decoded(signed.split(".")[1]))
            self.app_key.verify(decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except (ValueError, IndexError, InvalidSignature):
            return False
        return claims["iss"] == APP and claims["iat"] <= time.time() < claims["exp"] <= claims["iat"] + 600

    def routed(self, method, path, body):
        if (method, path) == ("POST", f"/app/installations/{INSTALLATION}/access_tokens"):
            asked = json.loads(body)
            assert asked["permissions"] == {"contents": "write"} and len(asked["repositories"]) == 1, asked
            return 201, {"token": self.token, "expires_at": "2030-01-01T00:00:00Z"}
        parts = path.removeprefix("/api/v3").split("/")
        if len(parts) < 4 or parts[1] != "repos":
            return refusal(404, "Not Found")
        repository = os.path.join(self.folder, unquote(parts[2]), unquote(parts[3]) + ".git")
        if not os.path.isdir(repository):
            return refusal(404, "Not Found")
        match method, parts[4:]:
            case "GET", ["installation"]:
                return 200, {"id": INSTALLATION, "app_id": int(APP)}
            case "GET", []:
                return 200, {"full_name": f"{parts[2]}/{parts[3]}"}
            case "GET", ["branches", name]:
                return branch(repository, unquote(name))
            case "GET", ["git", "commits", sha]:
                tree = git(repository, "rev-parse", "--verify", "--quiet", f"{sha}^{{tree}}").stdout.strip()
                return (200, {"sha": sha, "tree": {"sha": tree}}) if tree else refusal(404, "Not Found")
            case "POST", ["merges"]:
                with self.lock:
                    return merge(repository, json.loads(body))
        return refusal(404, "Not Found")


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


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
