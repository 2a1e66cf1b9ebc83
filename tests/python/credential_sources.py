"""A logging fake of everything that credentials come from: STS, IAM Identity Center, sign-in, the metadata services of
containers and instances, and an HTTP proxy.

    python3 tests/python/credential_sources.py LOG

Prints three ports and serves for as long as its standard input stays open. The first answers as all of these; what it
is asked as a proxy it answers itself, and CONNECT, the way to every other host, is refused. The second is a proxy that
wants a user and a password. The third is the first with TLS for `localhost` and a certificate that it has signed itself,
`certificate.pem` beside the log. What a request is answered depends on the request alone:

    /imds-v1/...        an instance that knows version 1 only; /imds/... knows version 2
    /slow/...           answers after a second and a half
    /container          a container's credentials
    /unavailable/...    HTTP status 503
    forbidden-bucket    HTTP status 403 without a word; skewed-bucket the same, an hour later
    role/denied         can't be assumed; the session of other roles is named after them
    MFA code 000000     is wrong

A line of the log has `method`, `path`, `via` (proxy, strict-proxy, or direct), `host` (of the URL), `action`, `key`,
`region` and `service` (from the signature), `token` (the session's), `form` and `headers`.
"""

import http.server
import json
import os
import re
import ssl
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pipeline_certificate import certificate

ACCOUNT = "123456789012"


def in_an_hour(form="%Y-%m-%dT%H:%M:%SZ"):
    return (datetime.now(timezone.utc) + timedelta(hours=1)).strftime(form)


def xml(action, body, namespace="https://sts.amazonaws.com/doc/2011-06-15/"):
    return f'<{action}Response xmlns="{namespace}"><{action}Result>{body}</{action}Result></{action}Response>'


def sts_credentials(name):
    return (
        f"<Credentials><AccessKeyId>ASIA{name}</AccessKeyId><SecretAccessKey>secret-{name}</SecretAccessKey>"
        f"<SessionToken>token-{name}</SessionToken><Expiration>{in_an_hour()}</Expiration></Credentials>"
    )


def refused(code, message):
    return 403, "text/xml", f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"


def query_api(call):
    form = call["form"]
    action = call["action"]
    if action in ("AssumeRole", "AssumeRoleWithWebIdentity"):
        role = form["RoleArn"].rpartition("/")[2]
        if role == "denied":
            return refused("AccessDenied", f"not authorized to perform: sts:{action} on resource: {form['RoleArn']}")
        if form.get("TokenCode") == "000000":
            return refused("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.")
        arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{form['RoleSessionName']}"
        user = f"<AssumedRoleUser><AssumedRoleId>AROA:x</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser>"
        return 200, "text/xml", xml(action, sts_credentials(role) + user)
    if action == "GetCallerIdentity":
        arn = f"arn:aws:iam::{ACCOUNT}:user/{call['key']}"
        return 200, "text/xml", xml(action, f"<Arn>{arn}</Arn><UserId>U</UserId><Account>{ACCOUNT}</Account>")
    if action == "DescribeRegions":
        region = "<regionInfo><item><regionName>us-east-1</regionName></item></regionInfo>"
        return 200, "text/xml", f"<DescribeRegionsResponse>{region}</DescribeRegionsResponse>"
    if action in ("CreateStack", "CreateChangeSet"):
        message = "this is no CloudFormation"
        return 400, "text/xml", f"<ErrorResponse><Error><Code>ValidationError</Code><Message>{message}</Message></Error></ErrorResponse>"
    namespace = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
    return 200, "text/xml", xml(action, "<Stacks/><StackSummaries/>", namespace)


def metadata(name):
    return {
        "Code": "Success",
        "AccessKeyId": f"ASIA{name}",
        "SecretAccessKey": f"secret-{name}",
        "Token": f"token-{name}",
        "Expiration": in_an_hour(),
    }


def json_answer(content, status=200):
    return status, "application/json", json.dumps(content)


def instance(call, path, knows_tokens):
    if path.startswith("/latest/api/token"):
        return (200, "text/plain", "metadata-token") if knows_tokens else (404, "text/plain", "")
    if knows_tokens and call["headers"].get("x-aws-ec2-metadata-token") != "metadata-token":
        return 401, "text/plain", ""
    if path.endswith("/security-credentials/"):
        return 200, "text/plain", "instance"
    return json_answer(metadata("instance"))


def answer(call):
    path = call["path"]
    if path.startswith("/slow/"):
        time.sleep(1.5)
        path = path.removeprefix("/slow")
    for prefix, knows_tokens in (("/imds-v1", False), ("/imds", True)):
        if path.startswith(prefix + "/"):
            return instance(call, path.removeprefix(prefix), knows_tokens)
    if path == "/container":
        return json_answer(metadata("container"))
    if path == "/federation/credentials":
        if call["headers"].get("x-amz-sso_bearer_token") == "ended":
            return json_answer({"message": "Session token not found or invalid"}, 401)
        millis = int((time.time() + 3600) * 1000)
        keys = {"accessKeyId": "ASIAsso", "secretAccessKey": "secret-sso", "sessionToken": "token-sso"}
        return json_answer({"roleCredentials": keys | {"expiration": millis}})
    if path == "/token":
        return json_answer({"accessToken": "renewed", "expiresIn": 28800, "refreshToken": "refresh-2", "tokenType": "Bearer"})
    if path == "/v1/token":
        if json.loads(call["body"]).get("refreshToken") == "ended":
            return json_answer({"error": "TOKEN_EXPIRED", "message": "expired"}, 403)
        keys = {"accessKeyId": "ASIAlogin", "secretAccessKey": "secret-login", "sessionToken": "token-login"}
        return json_answer({"accessToken": keys, "expiresIn": 900, "refreshToken": "refresh-2", "tokenType": "aws_sigv4"})
    if path.startswith("/unavailable"):
        return 503, "text/xml", "<ErrorResponse><Error><Code>ServiceUnavailable</Code></Error></ErrorResponse>"
    if path.startswith(("/forbidden-bucket", "/skewed-bucket")):
        return 403, "application/xml", ""
    if call["action"]:
        return query_api(call)
    if call["method"] == "HEAD":
        return 403, "application/xml", ""
    return 200, "application/xml", "<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="replace")
        url = urlsplit(self.path)
        scope = re.search(r"Credential=([^,\s]+)", self.headers.get("Authorization", ""))
        scope = scope[1].split("/") if scope else [None] * 5
        form = {}
        if (self.headers.get("Content-Type") or "").startswith("application/x-www-form-urlencoded"):
            form = dict(parse_qsl(body, keep_blank_values=True))
        call = {
            "method": self.command,
            "path": url.path,
            "query": parse_qs(url.query),
            "via": ("strict-proxy" if self.server.is_strict else "proxy") if url.scheme else "direct",
            "host": url.netloc or self.headers.get("Host"),
            "action": form.get("Action"),
            "key": scope[0],
            "region": scope[2],
            "service": scope[3],
            "token": self.headers.get("X-Amz-Security-Token"),
            "form": form,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": body,
        }
        self.server.record(call)
        if self.server.is_strict and not self.headers.get("Proxy-Authorization"):
            return self.reply(407, "text/plain", "who are you?")
        hours = 1 if url.path.startswith("/skewed-bucket") else 0
        self.reply(*answer(call), time.time() + hours * 3600)

    def do_CONNECT(self):
        via = "strict-proxy" if self.server.is_strict else "proxy"
        self.server.record({"method": "CONNECT", "path": "", "via": via, "host": self.path, "action": None})
        self.reply(407 if self.server.is_strict else 403, "text/plain", "no")

    def reply(self, status, kind, body, now=None):
        self.send_response_only(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.send_header("Date", self.date_time_string(now))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    lock = threading.Lock()

    def __init__(self, log, is_strict):
        super().__init__(("127.0.0.1", 0), Handler)
        self.log = log
        self.is_strict = is_strict

    def record(self, call):
        with self.lock:
            self.log.write(json.dumps(call) + "\n")

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)


def secure(server, folder):
    """Lets a server speak TLS; its certificate is written into the folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = certificate("localhost", key, "localhost", key).public_bytes(serialization.Encoding.PEM)
    Path(folder, "certificate.pem").write_bytes(own)
    pkcs8 = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption())
    Path(folder, "server.pem").write_bytes(own + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(folder, "server.pem"))
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)


def start(log, folder):
    """The three servers; `log` is written a line for each request."""
    servers = [Server(log, is_strict) for is_strict in (False, True, False)]
    secure(servers[2], folder)
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    return servers


def end_with_standard_input():
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    log = open(sys.argv[1], "a", encoding="utf-8", buffering=1)
    servers = start(log, Path(sys.argv[1]).parent)
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    print(*(server.server_address[1] for server in servers), flush=True)
    threading.Event().wait()
