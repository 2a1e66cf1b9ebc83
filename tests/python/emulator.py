"""What AWS Emulator's guide says of it, in front of another server: HTTPS with a certificate of its own, access keys that
it makes at its start, requests with a valid signature only, and HTTP status 501 for calls that it lacks.

    python3 tests/python/emulator.py UPSTREAM_PORT HOME [LACKING...]

Prints its port and serves for as long as its standard input stays open. `HOME/.aws/emulator/PORT` holds `ca.pem`,
`config` and `emulator_credentials`. LACKING are names of calls, such as `CreateStack`. The calls that have passed are in
`calls.ndjson` beside them, as `proxy.py` writes them.

https://docs.aws.amazon.com/emulator/latest/userguide/cli-reference.html (files, keys),
https://docs.aws.amazon.com/emulator/latest/userguide/point-sdk-to-emulator.html (signatures, variables)
"""

import hashlib
import hmac
import re
import secrets
import ssl
import sys
import tempfile
import threading
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

from faults import Faults, error_body
from pipeline_certificate import context
from proxy import Handler, Proxy, end_with_standard_input

HEALTH = "/__admin/health"
AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256 Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]+)")
# For query APIs, S3 and JSON APIs: the errors of AWS for a key that doesn't exist.
UNKNOWN_KEY = {"s3": "InvalidAccessKeyId", "ssm": "UnrecognizedClientException"}


def quoted(text):
    return quote(text, safe="-_.~")


def digest(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(secret, request, scope, signed_headers, body):
    """The signature of version 4:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"""
    url = urlsplit(request.path)
    _, date, region, service, _ = scope.split("/")
    # S3 signs the path as it is sent; other services escape it once more.
    path = url.path if service == "s3" else quote(url.path, safe="/-_.~")
    query = sorted((quoted(name), quoted(value)) for name, value in parse_qsl(url.query, keep_blank_values=True))
    headers = [f"{name}:{' '.join((request.headers.get(name) or '').split())}\n" for name in signed_headers.split(";")]
    hashed = request.headers.get("x-amz-content-sha256") or hashlib.sha256(body).hexdigest()
    canonical = [request.command, path or "/", "&".join("=".join(pair) for pair in query), "".join(headers)]
    canonical = "\n".join([*canonical, signed_headers, hashed])
    to_sign = [request.headers.get("x-amz-date") or "", scope.partition("/")[2]]
    to_sign = "\n".join(["AWS4-HMAC-SHA256", *to_sign, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = digest(key, part)
    return digest(key, to_sign).hex()


class EmulatorHandler(Handler):
    def handle_any(self):
        if self.path == HEALTH:
            return self.answer(200, [("Content-Type", "text/plain")], b"ok")
        return super().handle_any()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

    def forward(self, body):
        if refusal := self.refusal(body):
            code, message = refusal
            service = self.describe(body)["service"]
            return 403, [("Content-Type", "text/xml")], error_body(service, code, message).encode()
        status, headers, answer = super().forward(body)
        # It doesn't call itself a simulation.
        return status, [(name, value) for name, value in headers if name.lower() != "x-taskcat-simulated"], answer

    def refusal(self, body):
        """Code and message for a request that isn't signed with the keys."""
        signed = AUTHORIZATION.match(self.headers.get("Authorization") or "")
        if not signed:
            return "MissingAuthenticationToken", "Request is missing Authentication Token"
        scope, headers, given = signed.groups()
        key, service = scope.split("/")[0], scope.split("/")[3]
        if key != self.server.key:
            code = UNKNOWN_KEY.get(service, "InvalidClientTokenId")
            return code, "The security token included in the request is invalid."
        hashed = self.headers.get("x-amz-content-sha256") or ""
        is_other_body = len(hashed) == 64 and hashed != hashlib.sha256(body).hexdigest()
        if is_other_body or given != signature(self.server.secret, self, scope, headers, body):
            return "SignatureDoesNotMatch", "The request signature we calculated does not match the one you provided."
        return None


class Emulator(Proxy):
    def __init__(self, upstream_port, home, lacking):
        with tempfile.TemporaryDirectory() as folder:
            self.tls = context(folder, "127.0.0.1")
            authority = Path(folder, "ca.pem").read_text()
        faults = Faults([f"{call}=501:NotImplemented" for call in lacking], 1)
        log = tempfile.NamedTemporaryFile(delete=False, dir=home)
        super().__init__(upstream_port, log.name, faults)
        self.RequestHandlerClass = EmulatorHandler
        self.socket = self.tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        folder = Path(home, ".aws/emulator", str(self.server_address[1]))
        folder.mkdir(parents=True)
        Path(log.name).rename(folder / "calls.ndjson")
        self.key, self.secret = f"EMULATOR{secrets.token_hex(6).upper()}", secrets.token_urlsafe(30)
        (folder / "ca.pem").write_text(authority)
        (folder / "config").write_text(f"[default]\nregion = us-east-1\nca_bundle = {folder / 'ca.pem'}\n")
        keys = f"aws_access_key_id = {self.key}\naws_secret_access_key = {self.secret}\n"
        (folder / "emulator_credentials").write_text(f"[default]\n{keys}")

    def handle_error(self, request, client_address):
        # Clients that don't trust the certificate end the handshake.
        if not isinstance(sys.exc_info()[1], ssl.SSLError):
            super().handle_error(request, client_address)


if __name__ == "__main__":
    port, home, *lacking = sys.argv[1:]
    emulator = Emulator(int(port), home, lacking)
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    print(emulator.server_address[1], flush=True)
    emulator.serve_forever()
