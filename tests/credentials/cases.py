"""The cases of `compare.py`: files and variables, and where taskcat differs from boto3 on purpose, why.

`files` are below the home, `{port}` is the fake's port, `{strict}` that of the proxy that wants a password, `{tls}` that
with TLS, `{certificate}` its certificate, `{home}` the home. A variable of `None` is not set. `differs` gives the reason of a difference; `says` what taskcat has to say.
"""

STATIC = "aws_access_key_id = AKIA{0}\naws_secret_access_key = s3cr3t\n"


def keys(name):
    return STATIC.replace("{0}", name)


def files(config="", credentials="", **more):
    return {".aws/config": config, ".aws/credentials": credentials} | more


ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "AKIAenv", "AWS_SECRET_ACCESS_KEY": "s3cr3t"}
TLS = ENVIRONMENT | {"AWS_ENDPOINT_URL": "https://localhost:{tls}"}
CERTIFICATE = {"c": "{certificate}"}
ROLE = "role_arn = arn:aws:iam::123456789012:role/{0}\nsource_profile = base\n"
BASE = "[base]\n" + keys("base")
SSO_TOKEN = '{"startUrl": "https://s", "region": "us-east-1", "accessToken": "%s", "expiresAt": "%s"}'
SSO_PROFILE = "sso_account_id = 123456789012\nsso_role_name = r\n"
SSO_SESSION = "[sso-session s]\nsso_start_url = https://s\nsso_region = us-east-1\n"
# sha1("s") and sha1("https://s")
SESSION_CACHE = ".aws/sso/cache/a0f1490a20d0211c997b44bc357e1972deab8ae3.json"
LEGACY_CACHE = ".aws/sso/cache/9ea3c043881f6bad486147713ae23b0b566d0360.json"
PROCESS = "credential_process = {home}/process\n"


def process(keys, expiration="2099-01-01T00:00:00Z"):
    answer = f'"Version": 1, "AccessKeyId": "{keys}", "SecretAccessKey": "s3cr3t", "Expiration": "{expiration}"'
    return "#!/bin/sh\necho '{" + answer + "}'\n"


def role(name, more=""):
    return f"[profile {name}]\n" + ROLE.replace("{0}", name) + more


CASES = [
    # Who is called
    {"name": "variables", "env": ENVIRONMENT},
    {"name": "variables with a token", "env": ENVIRONMENT | {"AWS_SESSION_TOKEN": "t"}},
    {"name": "variables with the old token", "env": ENVIRONMENT | {"AWS_SECURITY_TOKEN": "old"}},
    {"name": "both tokens", "env": ENVIRONMENT | {"AWS_SECURITY_TOKEN": "old", "AWS_SESSION_TOKEN": "t"}},
    {"name": "variables that have expired", "env": ENVIRONMENT | {"AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"}},
    {"name": "an id without a secret", "env": {"AWS_ACCESS_KEY_ID": "AKIAenv"}, "says": ["AWS_SECRET_ACCESS_KEY"]},
    {"name": "empty variables", "env": {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
     "files": files(credentials="[default]\n" + keys("default"))},
    {"name": "the default profile", "files": files(credentials="[default]\n" + keys("default"))},
    {"name": "variables before the default profile", "env": ENVIRONMENT,
     "files": files(credentials="[default]\n" + keys("default"))},
    {"name": "AWS_PROFILE", "env": {"AWS_PROFILE": "p"}, "files": files(credentials="[p]\n" + keys("p"))},
    {"name": "AWS_DEFAULT_PROFILE", "env": {"AWS_DEFAULT_PROFILE": "p"},
     "files": files(credentials="[default]\n" + keys("default") + "[p]\n" + keys("p"))},
    {"name": "AWS_DEFAULT_PROFILE before AWS_PROFILE", "env": {"AWS_DEFAULT_PROFILE": "p", "AWS_PROFILE": "q"},
     "files": files(credentials="[p]\n" + keys("p") + "[q]\n" + keys("q"))},
    {"name": "variables before AWS_PROFILE", "env": ENVIRONMENT | {"AWS_PROFILE": "p"},
     "files": files(credentials="[p]\n" + keys("p"))},
    {"name": "an argument before variables", "env": ENVIRONMENT, "profile": "p",
     "files": files(credentials="[p]\n" + keys("p"))},
    {"name": "the argument default before variables", "env": ENVIRONMENT | {"AWS_PROFILE": "p"}, "profile": "default",
     "files": files(credentials="[p]\n" + keys("p") + "[default]\n" + keys("default"))},
    {"name": "the argument default that no file has", "env": ENVIRONMENT, "profile": "default",
     "files": files(credentials="[p]\n" + keys("p")),
     "differs": "as Python's TaskCat, which then asks the environment"},
    {"name": "an empty AWS_PROFILE", "env": ENVIRONMENT | {"AWS_PROFILE": ""},
     "differs": "an empty variable is not set, as everywhere else"},
    {"name": "an AWS_PROFILE default that no file has", "env": ENVIRONMENT | {"AWS_PROFILE": "default"}, "says": ["AWS_PROFILE"]},
    {"name": "a profile with a carriage return", "env": {"AWS_PROFILE": "base\r"}, "files": files(credentials=BASE),
     "says": ["`base\\r`", "did you mean `base`?"]},
    {"name": "a profile that no file has", "profile": "nope", "files": files(credentials=BASE),
     "says": ["`nope`", ".aws/config", ".aws/credentials"]},
    {"name": "an AWS_PROFILE that no file has", "env": ENVIRONMENT | {"AWS_PROFILE": "bass"},
     "files": files(credentials=BASE), "says": ["`bass`", "AWS_PROFILE", "did you mean `base`?"]},
    {"name": "keys of a profile with the old token", "profile": "p",
     "files": files(credentials="[p]\n" + keys("p") + "aws_security_token = old\naws_session_token = t\n")},
    {"name": "keys in the configuration file", "profile": "p", "files": files("[profile p]\n" + keys("p"))},
    {"name": "keys in both files", "profile": "p", "files": files("[profile p]\n" + keys("q"), "[p]\n" + keys("p"))},
    {"name": "an id without a secret in a profile", "profile": "p",
     "files": files(credentials="[p]\naws_access_key_id = AKIAp\n"), "says": [".aws/credentials:2"]},
    {"name": "boto 2's file", "files": {".boto": "[Credentials]\n" + keys("boto")}},
    {"name": "the first tools' file", "env": {"AWS_CREDENTIAL_FILE": "{home}/f"},
     "files": {"f": "AWSAccessKeyId=AKIAold\nAWSSecretKey=s3cr3t\n"}},
    {"name": "no credentials"},
    # Files
    {"name": "a comment below a key", "files": files(credentials="[default]\n" + keys("default") + "   # why\n")},
    {"name": "indented keys", "files": files(credentials="[default]\n" + "  " + keys("default").replace("\n", "\n  "))},
    {"name": "keys with colons", "files": files(credentials="[default]\n" + keys("default").replace(" =", ":"))},
    {"name": "keys in upper case", "files": files(credentials="[default]\n" + keys("default").replace("aws", "AWS"))},
    {"name": "a blank in the name", "profile": "my own", "files": files(credentials="[my own]\n" + keys("own"))},
    {"name": "a quoted name", "profile": "my own", "files": files('[profile "my own"]\n' + keys("own"))},
    {"name": "a blank without quotes", "profile": "my own", "files": files("[profile my own]\n" + keys("own"))},
    {"name": "brackets and an ampersand", "profile": "(it&me)", "files": files("[profile (it&me)]\n" + keys("own"))},
    {"name": "an umlaut", "profile": "zürich", "files": files("[profile zürich]\n" + keys("z"), "")},
    {"name": "an open quote in a name", "profile": "base", "files": files("[profile it's]\nregion = x\n", BASE)},
    {"name": "carriage returns", "files": files(credentials=("[default]\n" + keys("default")).replace("\n", "\r\n"))},
    {"name": "a byte order mark", "files": files(credentials=("\ufeff[default]\n" + keys("default")).encode()),
     "differs": "boto3 can't read the file; the mark says nothing"},
    {"name": "Latin-1", "files": {".aws/credentials": "[zürich]\n".encode("latin-1")}, "says": [".aws/credentials:1"]},
    {"name": "UTF-16", "files": {".aws/credentials": "[default]\n".encode("utf-16")}, "says": ["UTF-16"]},
    {"name": "no section", "files": files(credentials=keys("x")), "says": [".aws/credentials:1"]},
    {"name": "a line that is no key", "files": files(credentials="[default]\ns3cr3t\n"), "says": [".aws/credentials:2"]},
    {"name": "a section twice", "files": files(credentials="[default]\n" + keys("a") + "[default]\n" + keys("b")),
     "says": [".aws/credentials:4", "line 1"]},
    {"name": "a section of defaults", "profile": "p", "files": files(credentials="[DEFAULT]\n" + keys("d") + "[p]\n")},
    {"name": "files elsewhere", "env": {"AWS_SHARED_CREDENTIALS_FILE": "$HOME/c", "AWS_CONFIG_FILE": "~/none"},
     "files": {"c": "[default]\n" + keys("c")}},
    # Regions
    {"name": "a region with a carriage return", "env": ENVIRONMENT | {"AWS_REGION": "eu-west-1\r"},
     "says": ["AWS_REGION", "\\r"],
     "differs": "a region that can't be meant is an error, also where another one is called"},
    {"name": "a quoted region", "files": files('[default]\nregion = "eu-west-1"\n' + keys("default")),
     "says": [".aws/config:2", "remove the quotes: eu-west-1"],
     "differs": "a region that can't be meant is an error, also where another one is called"},
    {"name": "an id with a carriage return", "env": ENVIRONMENT | {"AWS_ACCESS_KEY_ID": "AKIA\r"},
     "says": ["AWS_ACCESS_KEY_ID"]},
    {"name": "China", "no_endpoint": True, "region": "cn-north-1", "env": ENVIRONMENT},
    {"name": "a role in China", "no_endpoint": True, "region": "cn-north-1", "profile": "r",
     "files": files("[profile r]\nrole_arn = arn:aws-cn:iam::123456789012:role/r\nsource_profile = base\n", BASE)},
    {"name": "a role in GovCloud", "no_endpoint": True, "region": "us-gov-west-1", "profile": "r",
     "env": {"AWS_REGION": "us-east-1"},
     "files": files("[profile r]\nrole_arn = arn:aws-us-gov:iam::123456789012:role/r\nsource_profile = base\n", BASE)},
    {"name": "FIPS endpoints", "no_endpoint": True, "env": ENVIRONMENT | {"AWS_USE_FIPS_ENDPOINT": "true"}},
    {"name": "dual-stack endpoints of a profile", "no_endpoint": True,
     "files": files("[default]\nuse_dualstack_endpoint = true\n" + keys("default"))},
    {"name": "FIPS endpoints and an endpoint", "env": ENVIRONMENT | {"AWS_USE_FIPS_ENDPOINT": "true"}},
    {"name": "dual-stack endpoints of a profile and an endpoint",
     "files": files("[default]\nuse_dualstack_endpoint = true\n" + keys("default"))},
    {"name": "FIPS and dual-stack endpoints in GovCloud", "no_endpoint": True, "region": "us-gov-west-1",
     "env": ENVIRONMENT | {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"}},
    {"name": "an SSO session with FIPS endpoints", "no_endpoint": True, "profile": "s",
     "files": files("[profile s]\nuse_fips_endpoint = true\nsso_session = s\n" + SSO_PROFILE + SSO_SESSION,
                    **{SESSION_CACHE: SSO_TOKEN % ("open", "2099-01-01T00:00:00Z")})},
    {"name": "STS's global endpoint", "no_endpoint": True, "env": ENVIRONMENT | {"AWS_STS_REGIONAL_ENDPOINTS": "legacy"},
     "differs": "STS is asked in the region that is called"},
    # Roles
    {"name": "a role", "profile": "r", "files": files(role("r"), BASE)},
    {"name": "a role with an external id and a duration", "profile": "r",
     "files": files(role("r", "external_id = ext\nduration_seconds = 7200\nrole_session_name = name\n"), BASE)},
    {"name": "a duration that is no number", "profile": "r", "files": files(role("r", "duration_seconds = x\n"), BASE)},
    {"name": "a role of a role", "profile": "r",
     "files": files(role("r").replace("= base", "= q") + role("q"), BASE)},
    {"name": "a role with keys of its own", "profile": "r",
     "files": files("[profile r]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = r\n", "[r]\n" + keys("r"))},
    {"name": "roles in a circle", "profile": "r",
     "files": files(role("r").replace("= base", "= q") + role("q").replace("= base", "= r")), "says": [".aws/config:"]},
    {"name": "a source_profile that no file has", "profile": "r", "files": files(role("r").replace("= base", "= bas"), BASE),
     "says": ["`bas`", ".aws/config:3", "did you mean `base`?"]},
    {"name": "a source_profile without credentials", "profile": "r", "files": files(role("r") + "[profile base]\n"),
     "says": ["`base`", ".aws/config:3"]},
    {"name": "a role of the environment", "profile": "r", "env": ENVIRONMENT,
     "files": files(role("r").replace("source_profile = base", "credential_source = Environment"))},
    {"name": "a role of an unknown source", "profile": "r",
     "files": files(role("r").replace("source_profile = base", "credential_source = Nobody")), "says": [".aws/config:3"]},
    {"name": "a role with two sources", "profile": "r",
     "files": files(role("r", "credential_source = Environment\n"), BASE)},
    {"name": "a role without a source", "profile": "r",
     "files": files("[profile r]\nrole_arn = arn:aws:iam::123456789012:role/r\n")},
    {"name": "a role that is denied", "profile": "denied", "files": files(role("denied"), BASE),
     "says": ["role arn:aws:iam::123456789012:role/denied", "AccessDenied", "not authorized"]},
    {"name": "MFA without a terminal", "profile": "r",
     "files": files(role("r", "mfa_serial = arn:aws:iam::123456789012:mfa/m\n"), BASE), "says": ["MFA", "--mfa-code"]},
    {"name": "MFA with a code", "profile": "r", "mfa_code": "123456", "leaves": [".aws/cli/cache"],
     "files": files(role("r", "mfa_serial = arn:aws:iam::123456789012:mfa/m\n"), BASE),
     "differs": "the session is kept where the AWS CLI keeps it; boto3 alone keeps none"},
    {"name": "MFA with a wrong code", "profile": "r", "mfa_code": "000000",
     "files": files(role("r", "mfa_serial = arn:aws:iam::123456789012:mfa/m\n"), BASE), "says": ["invalid MFA"]},
    {"name": "a token file of EKS", "env": {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r",
                                             "AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/t"}, "files": {"t": "web-token"}},
    {"name": "a token file of a profile", "profile": "r",
     "files": files("[profile r]\nrole_arn = arn:aws:iam::123456789012:role/r\nweb_identity_token_file = {home}/t\n", t="web-token")},
    {"name": "a token file that is missing", "env": {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r",
                                                      "AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/t"},
     "says": ["/t", "AWS_WEB_IDENTITY_TOKEN_FILE"]},
    {"name": "a token file without a role", "env": {"AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/t"}, "files": {"t": "x"}},
    # Processes
    {"name": "a process", "profile": "p", "files": files("[profile p]\n" + PROCESS, process=process("AKIAproc"))},
    {"name": "a process with shell words", "profile": "p", "says": [".aws/config:2"],
     "files": files("[profile p]\ncredential_process = $HOME/process | cat\n", process=process("AKIAproc"))},
    {"name": "a process with quoted words", "profile": "p",
     "files": files("[profile p]\ncredential_process = sh -c 'exec {home}/process;'\n", process=process("AKIAproc"))},
    {"name": "a process whose credentials have expired", "profile": "p", "says": ["expired at 2020"],
     "files": files("[profile p]\n" + PROCESS, process=process("AKIAproc", "2020-01-01T00:00:00Z"))},
    {"name": "a process that fails", "profile": "p", "says": ["exit status: 3", "no luck"],
     "files": files("[profile p]\n" + PROCESS, process="#!/bin/sh\necho no luck >&2\nexit 3\n")},
    {"name": "a process that prints no JSON", "profile": "p", "says": [".aws/config:2"],
     "files": files("[profile p]\n" + PROCESS, process="#!/bin/sh\necho s3cr3t\n")},
    {"name": "a process that doesn't exist", "profile": "p", "files": files("[profile p]\n" + PROCESS), "says": ["no such file"]},
    {"name": "a process beside keys", "profile": "p",
     "files": files("[profile p]\n" + PROCESS, "[p]\n" + keys("p"), process=process("AKIAproc"))},
    {"name": "a process beside keys in the configuration file", "profile": "p",
     "files": files("[profile p]\n" + PROCESS + keys("p"), process=process("AKIAproc"))},
    # IAM Identity Center and sign-in
    {"name": "an SSO session", "profile": "s",
     "files": files("[profile s]\nsso_session = s\n" + SSO_PROFILE + SSO_SESSION,
                    **{SESSION_CACHE: SSO_TOKEN % ("open", "2099-01-01T00:00:00Z")})},
    {"name": "an SSO session with a repeated URL", "profile": "s",
     "files": files("[profile s]\nsso_session = s\nsso_start_url = https://s\n" + SSO_PROFILE + SSO_SESSION,
                    **{SESSION_CACHE: SSO_TOKEN % ("open", "2099-01-01T00:00:00Z")})},
    {"name": "an SSO session with another URL", "profile": "s", "says": [".aws/config:3", "sso_start_url"],
     "files": files("[profile s]\nsso_session = s\nsso_start_url = https://other\n" + SSO_PROFILE + SSO_SESSION,
                    **{SESSION_CACHE: SSO_TOKEN % ("open", "2099-01-01T00:00:00Z")})},
    {"name": "an SSO session until UTC", "profile": "s",
     "files": files("[profile s]\nsso_start_url = https://s\nsso_region = us-east-1\n" + SSO_PROFILE,
                    **{LEGACY_CACHE: SSO_TOKEN % ("open", "2099-01-01T00:00:00UTC")})},
    {"name": "an SSO session that has expired", "profile": "s", "says": ["`aws sso login --profile s`"],
     "files": files("[profile s]\nsso_start_url = https://s\nsso_region = us-east-1\n" + SSO_PROFILE,
                    **{LEGACY_CACHE: SSO_TOKEN % ("open", "2020-01-01T00:00:00Z")})},
    {"name": "an SSO session that is renewed", "profile": "s",
     "files": files("[profile s]\nsso_session = s\n" + SSO_PROFILE + SSO_SESSION, **{SESSION_CACHE: (
         SSO_TOKEN % ("old", "2020-01-01T00:00:00Z"))[:-1] + ', "clientId": "c", "clientSecret": "s3cr3t", '
         '"refreshToken": "r", "registrationExpiresAt": "2099-01-01T00:00:00Z"}'})},
    {"name": "an SSO session that nobody has opened", "profile": "s", "says": ["`aws sso login --profile s`"],
     "files": files("[profile s]\nsso_session = s\n" + SSO_PROFILE + SSO_SESSION)},
    {"name": "an SSO session that has been closed", "profile": "s", "says": ["`aws sso login --profile s`"],
     "files": files("[profile s]\nsso_session = s\n" + SSO_PROFILE + SSO_SESSION,
                    **{SESSION_CACHE: SSO_TOKEN % ("ended", "2099-01-01T00:00:00Z")})},
    {"name": "an SSO profile without a region", "profile": "s", "says": ["sso_region"],
     "files": files("[profile s]\nsso_start_url = https://s\n" + SSO_PROFILE)},
    {"name": "a login session that nobody has opened", "profile": "l", "says": ["`aws login --profile l`"],
     "files": files("[profile l]\nlogin_session = arn:aws:iam::123456789012:user/u\n")},
    # Containers and instances
    {"name": "a container", "env": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:{port}/container"}},
    {"name": "a container behind a proxy", "env": {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:{port}/container",
        "NO_PROXY": None, "HTTP_PROXY": "http://127.0.0.1:{port}"}},
    {"name": "a container with a token file", "files": {"t": "container-token"}, "env": {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:{port}/container",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{home}/t"}},
    {"name": "a container's token file that is missing", "says": ["/t", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"], "env": {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:{port}/container",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{home}/t"}},
    {"name": "a container elsewhere", "env": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/"},
     "says": ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "example.com"]},
    {"name": "a profile in a container", "profile": "p", "files": files("[profile p]\nregion = us-east-1\n"),
     "env": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:{port}/container"}},
    {"name": "an instance", "env": {"AWS_EC2_METADATA_DISABLED": None,
                                     "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:{port}/imds/"}},
    {"name": "an instance of version 1", "env": {"AWS_EC2_METADATA_DISABLED": None,
                                                  "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:{port}/imds-v1/"}},
    {"name": "an instance of version 1 that is disabled", "env": {
        "AWS_EC2_METADATA_DISABLED": None, "AWS_EC2_METADATA_V1_DISABLED": "true",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:{port}/imds-v1/"}},
    {"name": "a slow instance", "env": {
        "AWS_EC2_METADATA_DISABLED": None, "AWS_METADATA_SERVICE_TIMEOUT": "4",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:{port}/slow/imds/"}},
    {"name": "an instance behind a proxy", "env": {
        "AWS_EC2_METADATA_DISABLED": None, "NO_PROXY": None,
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:{port}/imds/"},
     "differs": "metadata never goes through a proxy"},
    {"name": "a role of an instance", "profile": "r", "env": {
        "AWS_EC2_METADATA_DISABLED": None, "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:{port}/imds/"},
     "files": files(role("r").replace("source_profile = base", "credential_source = Ec2InstanceMetadata"))},
    # Endpoints and proxies
    {"name": "AWS itself", "no_endpoint": True, "env": ENVIRONMENT},
    {"name": "the endpoint of a service", "no_endpoint": True,
     "env": ENVIRONMENT | {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:{port}"}},
    {"name": "the endpoint of a profile", "no_endpoint": True, "profile": "p",
     "files": files("[profile p]\nendpoint_url = http://127.0.0.1:{port}\n", "[p]\n" + keys("p"))},
    {"name": "the endpoint of a profile's services", "no_endpoint": True, "profile": "p", "files": files(
        "[profile p]\nservices = s\n[services s]\nsts =\n  endpoint_url = http://127.0.0.1:{port}\n", "[p]\n" + keys("p"))},
    {"name": "a host that doesn't exist", "no_endpoint": True, "says": ["http://no-such-host.invalid"],
     "env": ENVIRONMENT | {"AWS_ENDPOINT_URL_STS": "http://no-such-host.invalid", "HTTP_PROXY": None}},
    {"name": "endpoints that are ignored", "env": ENVIRONMENT | {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}},
    {"name": "an endpoint as an argument", "no_endpoint": True, "env": ENVIRONMENT,
     "args": ["--endpoint-url", "http://127.0.0.1:{port}"], "boto3": ["http://127.0.0.1:{port}"]},
    {"name": "an endpoint as an argument with a role", "no_endpoint": True, "profile": "r", "files": files(role("r"), BASE),
     "args": ["--endpoint-url", "http://127.0.0.1:{port}"], "boto3": ["http://127.0.0.1:{port}"],
     "differs": "with --endpoint-url no call leaves for another host, AssumeRole included"},
    # Certificates
    {"name": "an unknown certificate", "no_endpoint": True, "env": TLS, "says": ["certificate", "--ca-bundle"]},
    {"name": "AWS_CA_BUNDLE", "no_endpoint": True, "env": TLS | {"AWS_CA_BUNDLE": "{home}/c"}, "files": CERTIFICATE},
    {"name": "REQUESTS_CA_BUNDLE", "no_endpoint": True, "env": TLS | {"REQUESTS_CA_BUNDLE": "{home}/c"}, "files": CERTIFICATE},
    {"name": "ca_bundle", "no_endpoint": True, "env": TLS, "files": CERTIFICATE | files("[default]\nca_bundle = {home}/c\n")},
    {"name": "AWS_CA_BUNDLE before ca_bundle", "no_endpoint": True, "env": TLS | {"AWS_CA_BUNDLE": "{home}/none"},
     "files": CERTIFICATE | files("[default]\nca_bundle = {home}/c\n"), "says": ["/none", "AWS_CA_BUNDLE", "no such file"]},
    {"name": "a bundle without certificates", "no_endpoint": True, "env": TLS | {"AWS_CA_BUNDLE": "{home}/c"},
     "files": {"c": "nothing"}, "says": ["no certificates"]},
    {"name": "a certificate for another host", "no_endpoint": True, "files": CERTIFICATE,
     "env": TLS | {"AWS_CA_BUNDLE": "{home}/c", "AWS_ENDPOINT_URL": "https://127.0.0.1:{tls}"}},
    {"name": "a proxy", "env": ENVIRONMENT | {"NO_PROXY": None}},
    {"name": "lower case before upper case", "env": ENVIRONMENT | {
        "NO_PROXY": None, "HTTP_PROXY": "http://127.0.0.1:{strict}", "http_proxy": "http://127.0.0.1:{port}"}},
    {"name": "lower case that is empty", "env": ENVIRONMENT | {"NO_PROXY": None, "http_proxy": ""}},
    {"name": "NO_PROXY with the port", "env": ENVIRONMENT | {"NO_PROXY": "127.0.0.1:{port}"}},
    {"name": "NO_PROXY with another port", "env": ENVIRONMENT | {"NO_PROXY": "127.0.0.1:1"}},
    {"name": "NO_PROXY of all", "env": ENVIRONMENT | {"NO_PROXY": "*"}},
    {"name": "NO_PROXY with the end of an address", "env": ENVIRONMENT | {"NO_PROXY": ".0.0.1"}},
    {"name": "NO_PROXY with a network", "env": ENVIRONMENT | {"NO_PROXY": "127.0.0.0/8"}},
    {"name": "a proxy for all", "env": ENVIRONMENT | {
        "NO_PROXY": None, "HTTP_PROXY": None, "ALL_PROXY": "http://127.0.0.1:{port}"}},
    {"name": "a proxy with a password", "env": ENVIRONMENT | {"NO_PROXY": None, "HTTP_PROXY": "http://u:p@127.0.0.1:{strict}"}},
    {"name": "AWS itself behind a proxy that wants a password", "no_endpoint": True, "says": ["HTTPS_PROXY", "407"],
     "env": ENVIRONMENT | {"HTTPS_PROXY": "http://127.0.0.1:{strict}"}},
    {"name": "a proxy that nobody is at", "no_endpoint": True, "says": ["proxy http://127.0.0.1:1 (HTTPS_PROXY)"],
     "env": ENVIRONMENT | {"HTTPS_PROXY": "http://127.0.0.1:1"}},
    {"name": "a SOCKS proxy", "no_endpoint": True, "says": ["socks5://127.0.0.1:1 (HTTPS_PROXY)"],
     "env": ENVIRONMENT | {"HTTPS_PROXY": "socks5://127.0.0.1:1"}},
]
