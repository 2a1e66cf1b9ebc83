"""A deployed stack's template, resolved with what the stack has: physical ids for references, ARNs for `Arn` attributes.

Its Loader reads CloudFormation's short forms. `walk.py` and what it is made of look up the pipeline and its roles here.
"""

import re

import yaml


class Template:
    """The deployed template, whose references are resolved with what the stack has."""

    def __init__(self, cloudformation, stack):
        body = cloudformation.get_template(StackName=stack)["TemplateBody"]
        self.root = body if isinstance(body, dict) else yaml.load(body, Loader)
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        self.arns = {"StackName": found["StackName"], "StackId": found["StackId"]}
        _, partition, _, region, account, _ = found["StackId"].split(":", 5)
        self.arns |= {"Partition": partition, "Region": region, "AccountId": account, "URLSuffix": "amazonaws.com"}
        self.names = {it["ParameterKey"]: it["ParameterValue"] for it in found.get("Parameters", [])}
        resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
        self.names |= {it["LogicalResourceId"]: it["PhysicalResourceId"] for it in resources}

    def resources(self, kind):
        """Logical ids of the resources of a type that the stack has."""
        return [it for it, made in self.root["Resources"].items() if made["Type"] == kind and it in self.names]

    def logical_id(self, kind, name):
        """Of the resource with that physical id."""
        return next(it for it in self.resources(kind) if self.names[it] == name)

    def properties(self, logical_id):
        return self.value(self.root["Resources"][logical_id]["Properties"])

    def value(self, node):
        if isinstance(node, list):
            values = [self.value(item) for item in node]
            return [value for value in values if value is not None]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, argument), = node.items()
            function = getattr(self, "fn_" + name.removeprefix("Fn::").lower(), None)
            if name in ("Ref", "Condition") or name.startswith("Fn::"):
                return function(argument)
        values = {key: self.value(value) for key, value in node.items()}
        return {key: value for key, value in values.items() if value is not None}

    def fn_ref(self, name):
        if name == "AWS::NoValue":
            return None
        return self.arns[name[5:]] if name.startswith("AWS::") else self.names[name]

    def fn_getatt(self, argument):
        logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        kind, name = self.root["Resources"][logical_id]["Type"], self.names[logical_id]
        if (kind, attribute) == ("AWS::SQS::Queue", "QueueName"):
            return name.rpartition("/")[2]
        assert attribute == "Arn", argument
        partition, region, account = (self.arns[it] for it in ["Partition", "Region", "AccountId"])
        return {
            "AWS::CodeBuild::Project": f"arn:{partition}:codebuild:{region}:{account}:project/{name}",
            "AWS::Events::Rule": f"arn:{partition}:events:{region}:{account}:rule/{name}",
            "AWS::IAM::Role": f"arn:{partition}:iam::{account}:role/{name}",
            "AWS::KMS::Key": f"arn:{partition}:kms:{region}:{account}:key/{name}",
            "AWS::Lambda::Function": f"arn:{partition}:lambda:{region}:{account}:function:{name}",
            "AWS::Logs::LogGroup": f"arn:{partition}:logs:{region}:{account}:log-group:{name}:*",
            "AWS::S3::Bucket": f"arn:{partition}:s3:::{name}",
            "AWS::SQS::Queue": f"arn:{partition}:sqs:{region}:{account}:{name.rpartition('/')[2]}",
        }[kind]

    def fn_sub(self, argument):
        text, own = argument if isinstance(argument, list) else (argument, {})
        own = {key: self.value(value) for key, value in own.items()}

        def put(found):
            name = found.group(1)
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in own:
                return own[name]
            return self.fn_getatt(name) if "." in name else self.fn_ref(name)

        return re.sub(r"\$\{([^}]+)\}", put, text)

    def fn_if(self, argument):
        condition, yes, no = argument
        return self.value(yes if self.value(self.root["Conditions"][condition]) else no)

    def fn_equals(self, argument):
        one, other = self.value(argument)
        return str(one) == str(other)

    def fn_condition(self, name):
        return self.value(self.root["Conditions"][name])

    def fn_not(self, argument):
        return not self.value(argument)[0]

    def fn_and(self, argument):
        return all(self.value(argument))

    def fn_or(self, argument):
        return any(self.value(argument))

    def fn_select(self, argument):
        return self.value(argument[1])[int(argument[0])]

    def fn_split(self, argument):
        return self.value(argument[1]).split(argument[0])

    def fn_findinmap(self, argument):
        name, top, second = self.value(argument)
        return self.root["Mappings"][name][top][second]

    def fn_join(self, argument):
        return argument[0].join(self.value(argument[1]))


class Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms."""


def short_form(loader, tag, node):
    name = tag if tag == "Ref" else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", short_form)
