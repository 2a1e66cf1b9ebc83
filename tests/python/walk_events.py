"""EventBridge, as far as a pipeline's stack uses it: rules by pattern or schedule, and what their targets need.

A topic or a queue takes a message by its own policy and by that of its key, and a pipeline starts with the rights of the
target's role. EventBridge gives no context to conditions in the policy of a topic or of a key:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
"""

import datetime
import json
import re

from walk_iam import Denied, allowed_by

SERVICE = "events.amazonaws.com"


class Events:
    """`start` starts an execution of the pipeline, `messages` gets what is published."""

    def __init__(self, template, policies, start, messages):
        self.template, self.policies = template, policies
        self.start, self.messages = start, messages
        # Why targets could not be called.
        self.refused = []
        self.rules = {name: template.properties(name) for name in template.resources("AWS::Events::Rule")}

    def stage_failed(self, execution, stage):
        """https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html"""
        detail = {
            "pipeline": self.template.names["Pipeline"],
            "execution-id": execution,
            "stage": stage,
            "state": "FAILED",
            "version": 1.0,
        }
        self.emit("aws.codepipeline", "CodePipeline Stage Execution State Change", detail)

    def object_created(self, bucket, key):
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html"""
        properties = self.template.properties(self.template.logical_id("AWS::S3::Bucket", bucket))
        sends = properties.get("NotificationConfiguration", {}).get("EventBridgeConfiguration", {})
        if str(sends.get("EventBridgeEnabled")).lower() == "true":
            self.emit("aws.s3", "Object Created", {"bucket": {"name": bucket}, "object": {"key": key}})

    def emit(self, source, kind, detail):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {"source": source, "detail-type": kind, "time": now, "detail": detail}
        for rule, properties in self.rules.items():
            if "EventPattern" in properties and matches(properties["EventPattern"], event):
                self.fire(rule, event)

    def tick(self):
        """The time of every schedule has come; the answer names the schedules."""
        scheduled = {name: it["ScheduleExpression"] for name, it in self.rules.items() if "ScheduleExpression" in it}
        for rule in scheduled:
            self.fire(rule, {})
        return scheduled

    def fire(self, rule, event):
        for target in self.rules[rule]["Targets"]:
            try:
                self.call(target, event)
            except Denied as denied:
                self.refused.append(f"{rule}: {denied}")

    def call(self, target, event):
        service = target["Arn"].split(":")[2]
        if service == "sns":
            self.publish(target, event)
        else:
            assert service == "codepipeline", target
            role = self.template.logical_id("AWS::IAM::Role", target["RoleArn"].rpartition("/")[2])
            self.policies.assume(role, "events")
            self.policies.require(role, "codepipeline:StartPipelineExecution", target["Arn"])
            self.start()

    def publish(self, target, event):
        topic = self.template.logical_id("AWS::SNS::Topic", target["Arn"])
        self.require("AWS::SNS::TopicPolicy", "Topics", target["Arn"], "sns:Publish", {})
        self.require_key(self.template.properties(topic).get("KmsMasterKeyId"))
        self.messages.append(transformed(target["InputTransformer"], event))

    def undelivered(self, rule):
        """A target of the rule that could not be called: its event goes to the dead-letter queue."""
        for target in self.rules[rule]["Targets"]:
            arn = target["DeadLetterConfig"]["Arn"]
            queue = next(
                it for it in self.template.resources("AWS::SQS::Queue") if self.template.fn_getatt(f"{it}.Arn") == arn
            )
            # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
            context = {"aws:SourceArn": self.template.fn_getatt(f"{rule}.Arn")}
            try:
                self.require("AWS::SQS::QueuePolicy", "Queues", self.template.names[queue], "sqs:SendMessage", context)
                self.require_key(self.template.properties(queue).get("KmsMasterKeyId"))
            except Denied as denied:
                self.refused.append(f"{rule}: {denied}")

    def require(self, kind, subjects, subject, action, context):
        """Denies what the policy of a topic or a queue doesn't allow EventBridge."""
        for logical_id in self.template.resources(kind):
            properties = self.template.properties(logical_id)
            if subject in properties[subjects] and allowed_by(properties["PolicyDocument"], SERVICE, action, context):
                return
        raise Denied(f"{SERVICE} is not authorized to perform: {action} on resource: {subject}")

    def require_key(self, key):
        """The key of an encrypted topic or queue; one of the service's own needs nothing."""
        if key is None:
            return
        logical_id = next(it for it in self.template.resources("AWS::KMS::Key") if self.template.fn_getatt(f"{it}.Arn") == key)
        document = self.template.properties(logical_id)["KeyPolicy"]
        for action in ["kms:Decrypt", "kms:GenerateDataKey"]:
            if not allowed_by(document, SERVICE, action, {}):
                raise Denied(f"{SERVICE} is not authorized to perform: {action} on resource: {key}")


def matches(pattern, event):
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html"""
    return all(
        matches(wanted, event.get(name, {})) if isinstance(wanted, dict) else event.get(name) in wanted
        for name, wanted in pattern.items()
    )


def transformed(transformer, event):
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html"""

    def looked_up(path):
        value = event
        for name in path.removeprefix("$.").split("."):
            value = value[name]
        return value

    values = {name: looked_up(path) for name, path in transformer["InputPathsMap"].items()}
    text = re.sub(r"<([A-Za-z0-9_-]+)>", lambda found: values[found[1]], transformer["InputTemplate"])
    return json.loads(text)
