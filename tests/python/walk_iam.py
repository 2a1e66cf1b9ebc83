"""IAM as the roles of a pipeline's stack meet it: what no statement allows is denied.

`Policies` reads the roles' own policies out of the deployed template and answers whether a role may make a call; it notes
which statements were needed, so that a test can ask for permissions that nothing uses. `Gate` is a proxy in front of the
simulator that asks it about every call: the access key's id names the role. It maps calls to actions and resources by the
Service Authorization Reference (https://docs.aws.amazon.com/service-authorization/latest/reference/), as far as these roles
call anything.

The managed policies that the user brings (`TestPolicyArn`, `ProductionPolicyArn`) say what stacks are made of; the walk
makes no such call.
"""

import fnmatch
import json
import re
import threading
from urllib.parse import parse_qs, unquote

import proxy
import yaml
from faults import Faults, error_body
from walk_template import Loader

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
S3_ACTIONS = {
    "AbortMultipartUpload": "AbortMultipartUpload",
    "CompleteMultipartUpload": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "UploadPart": "PutObject",
}
# Calls that need no permission at all.
FREE = {"sts:GetCallerIdentity"}


class Denied(Exception):
    """A role lacks a permission."""


class Policies:
    def __init__(self, template):
        self.template = template
        self.lock = threading.Lock()
        self.used, self.denied = set(), []
        self.statements = {role: [] for role in template.resources("AWS::IAM::Role")}
        for role in self.statements:
            for policy in template.properties(role).get("Policies", []):
                self.add(role, policy["PolicyName"], policy["PolicyDocument"])
        for logical_id in template.resources("AWS::IAM::RolePolicy"):
            policy = template.properties(logical_id)
            self.add(template.logical_id("AWS::IAM::Role", policy["RoleName"]), policy["PolicyName"], policy["PolicyDocument"])

    def add(self, role, name, document):
        for number, statement in enumerate(document["Statement"]):
            assert statement["Effect"] == "Allow", statement
            sid = statement.get("Sid", f"{name}[{number}]")
            self.statements[role].append((sid, statement))

    def require(self, role, action, resource="*", **context):
        """Denies what no statement of the role allows."""
        if not self.allows(role, action, resource, context):
            with self.lock:
                self.denied.append(f"{role} {action} {resource}")
            account = self.template.arns["AccountId"]
            raise Denied(
                f"User: arn:aws:sts::{account}:assumed-role/{role}/walk is not authorized to perform: {action} on resource:"
                f" {resource} because no identity-based policy allows the {action} action"
            )

    def allows(self, role, action, resource, context):
        if action in FREE:
            return True
        allowed = False
        for sid, statement in self.statements[role]:
            patterns = [it for it in listed(statement["Action"]) if matches(action, it, ignore_case=True)]
            if not patterns or not any(matches(resource, it) for it in listed(statement["Resource"])):
                continue
            if holds(statement.get("Condition", {}), context):
                allowed = True
                with self.lock:
                    self.used |= {(role, sid, pattern) for pattern in patterns}
        return allowed

    def assume(self, role, service):
        """Denies a service that the role's trust policy doesn't allow. CodeBuild, CodePipeline and EventBridge say for which
        account they assume a role, Lambda and CloudFormation aren't documented to:
        https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html"""
        context = {}
        if service in {"codebuild", "codepipeline", "events"}:
            context["aws:SourceAccount"] = self.template.arns["AccountId"]
        for statement in self.template.properties(role)["AssumeRolePolicyDocument"]["Statement"]:
            trusted = listed(statement["Principal"].get("Service", []))
            if f"{service}.amazonaws.com" in trusted and holds(statement.get("Condition", {}), context):
                return
        raise Denied(f"{service}.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: {role}")

    def unused(self):
        """`Role Sid action` of what no call has needed."""
        every = {
            (role, sid, action)
            for role, statements in self.statements.items()
            for sid, statement in statements
            for action in listed(statement["Action"])
        }
        return sorted(" ".join(it) for it in every - self.used)


def allowed_by(document, service, action, context):
    """Whether a resource's own policy allows a service to do something. Its statements hold for the resource."""
    for statement in document["Statement"]:
        principal = statement["Principal"]
        trusted = listed(principal.get("Service", [])) if isinstance(principal, dict) else []
        if statement["Effect"] != "Allow" or service not in trusted:
            continue
        if any(matches(action, it, ignore_case=True) for it in listed(statement["Action"])):
            if holds(statement.get("Condition", {}), context):
                return True
    return False


def listed(value):
    return value if isinstance(value, list) else [value]


def matches(text, pattern, ignore_case=False):
    if ignore_case:
        text, pattern = text.lower(), pattern.lower()
    # A policy knows no `[…]`.
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def holds(condition, context):
    """Whether the context meets a condition; a key that the context lacks meets none."""
    for operator, wanted in condition.items():
        test = {
            "ArnEquals": matches,
            "ArnLike": matches,
            "StringEquals": lambda value, it: value == it,
            "StringLike": matches,
        }[operator]
        for key, values in wanted.items():
            value = context.get(key)
            if value is None or not any(test(value, it) for it in listed(values)):
                return False
    return True


class Gate(proxy.Proxy):
    """The proxy, to be started with the simulator's port."""

    def __init__(self, port, log, policies, cloudformation, s3):
        super().__init__(port, log, self)
        self.policies, self.cloudformation, self.s3 = policies, cloudformation, s3
        self.RequestHandlerClass = GateHandler
        # Faults of calls that are allowed, as the proxy takes them.
        self.injected = Faults([], 0)
        # What was published to topics.
        self.messages = []
        # Keys of the buckets that a key of the stack encrypts, by the bucket's name.
        self.kms = {}
        for bucket in policies.template.resources("AWS::S3::Bucket"):
            encryption = policies.template.properties(bucket)["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            key = encryption[0]["ServerSideEncryptionByDefault"].get("KMSMasterKeyID")
            if key is not None:
                self.kms[policies.template.names[bucket]] = key
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    # As `proxy.py` asks its faults.

    def of(self, call):
        try:
            for action, resource, context in self.needs(call):
                self.policies.require(call["key"], action, resource, **context)
        except Denied as denied:
            return Refusal(str(denied))
        return self.injected.of(call)

    def not_yet_visible(self, _):
        return None

    def created(self, _):
        pass

    def needs(self, call):
        """Action, resource and context of what a call needs."""
        service, action = call["service"], call["action"]
        if service == "cloudformation":
            yield from self.cloudformation_needs(action, call["form"], call["region"])
        elif service == "s3":
            yield from self.s3_needs(call)
        elif service in ("secretsmanager", "ssm"):
            resource = call["json"].get("SecretId") or call["json"].get("Name") or "*"
            yield f"{service}:{action}", resource, {}
        elif service == "sns":
            yield f"sns:{action}", call["form"]["TopicArn"], {}
            # An encrypted topic wants its key, too: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
            for needed in ["kms:Decrypt", "kms:GenerateDataKey"]:
                yield needed, self.policies.template.fn_getatt("Key.Arn"), {}
        else:
            yield f"{service}:{action}", "*", {}

    def cloudformation_needs(self, action, form, region):
        arns = self.policies.template.arns
        prefix = f"arn:{arns['Partition']}:cloudformation:{region}"
        stack, change_set = form.get("StackName"), form.get("ChangeSetName", "")
        if stack is None and change_set.startswith("arn:"):
            # A change set belongs to its stack, which is the resource.
            stack = self.cloudformation(region).describe_change_set(ChangeSetName=change_set)["StackId"]
        if stack is None:
            yield f"cloudformation:{action}", "*", {}
            if action == "DescribeStacks":
                # https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
                yield "cloudformation:ListStacks", "*", {}
            return
        resource = stack if stack.startswith("arn:") else f"{prefix}:{arns['AccountId']}:stack/{stack}/*"
        yield f"cloudformation:{action}", resource, {}
        if "RoleARN" in form:
            yield "iam:PassRole", form["RoleARN"], {"iam:PassedToService": "cloudformation.amazonaws.com"}
        if any(name.startswith("Tags.member.1.") for name in form):
            yield "cloudformation:TagResource", resource, {}
        if "TemplateURL" in form:
            # CloudFormation reads the template with the rights of its caller:
            # https://repost.aws/knowledge-center/cfn-s3-access-denied-error
            bucket, key = self.template_object(form)
            yield "s3:GetObject", f"arn:{arns['Partition']}:s3:::{bucket}/{key}", {}
            if bucket in self.kms:
                yield "kms:Decrypt", self.kms[bucket], {}
        if action in ("CreateStack", "CreateChangeSet", "UpdateStack"):
            for name in self.transforms(form):
                yield "cloudformation:CreateChangeSet", f"{prefix}:aws:transform/{name}", {}

    def transforms(self, form):
        """Names of the macros of AWS's that the template in a call uses."""
        text = form.get("TemplateBody")
        if text is None:
            bucket, key = self.template_object(form)
            text = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        return listed((yaml.load(text, Loader) or {}).get("Transform", []))

    def template_object(self, form):
        """Bucket and key of the template in a call."""
        host, key = unquote(form["TemplateURL"]).split("://", 1)[1].split("?")[0].split("/", 1)
        return (host.split(".s3")[0], key) if ".s3" in host else tuple(key.split("/", 1))

    def s3_needs(self, call):
        partition = self.policies.template.arns["Partition"]
        bucket, _, key = unquote(call["path"]).lstrip("/").partition("/")
        arn = f"arn:{partition}:s3:::{bucket}" + (f"/{key}" if key else "")
        query = parse_qs(call["query"], keep_blank_values=True)
        if call["action"] == "DeleteObjects":
            for deleted, version in call["deleted"]:
                yield f"s3:{'DeleteObjectVersion' if version else 'DeleteObject'}", f"{arn}/{deleted}", {}
            return
        action = S3_ACTIONS.get(call["action"], call["action"])
        if "versionId" in query and action in ("GetObject", "DeleteObject"):
            action += "Version"
        yield f"s3:{action}", arn, {}
        if action == "CreateBucket" and "Tag" in call["text"]:
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-create-tag.html
            yield "s3:TagResource", arn, {}
        if bucket in self.kms and action in ("PutObject", "GetObject", "GetObjectVersion"):
            yield "kms:GenerateDataKey" if action == "PutObject" else "kms:Decrypt", self.kms[bucket], {}
        if bucket in self.kms and call["action"] in ("UploadPart", "CompleteMultipartUpload"):
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
            yield "kms:Decrypt", self.kms[bucket], {}


class Refusal:
    """A fault as `proxy.py` takes it."""

    after = delay = False
    what = text = "denied"

    def __init__(self, message):
        self.message = message

    def error(self, service):
        code = {"s3": "AccessDenied", "ec2": "UnauthorizedOperation"}.get(service, "AccessDenied")
        if service in ("ssm", "secretsmanager"):
            code = "AccessDeniedException"
        return 403, error_body(service, code, self.message)


class GateHandler(proxy.Handler):
    def forward(self, body):
        if self.call["service"] != "sns":
            return super().forward(body)
        # The simulator has no topics.
        self.server.messages.append(self.call["form"]["Message"])
        answer = "<PublishResponse><PublishResult><MessageId>0</MessageId></PublishResult></PublishResponse>"
        return 200, [("Content-Type", "text/xml")], answer.encode()

    def describe(self, body):
        call = self.call = super().describe(body)
        call["text"] = body.decode(errors="replace") if len(body) < 100_000 else ""
        if self.headers.get("X-Amz-Target"):
            call["json"] = json.loads(body)
        if call["action"] == "DeleteObjects":
            objects = re.findall(r"<Object>(.*?)</Object>", call["text"], re.S)
            call["deleted"] = [
                (re.search(r"<Key>(.*?)</Key>", it, re.S)[1], "<VersionId>" in it) for it in objects
            ]
        return call
