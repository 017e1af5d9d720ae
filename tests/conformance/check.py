#!/usr/bin/env python3
"""Judges the raw replies that `record.py` wrote, by the models that botocore carries.

    check.py FOLDER

A client takes a misspelt element for an absent one and says nothing. So here each element or key of a reply has to be
in the model, under the name and of the type that the model gives it; each operation has to be recorded once answered
and once refused; a refusal has to carry a code that the model names or that the service is known to use besides.
"""

import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree
from email.utils import parsedate_to_datetime

import botocore.session

# Codes that the services use although their models do not name them. EC2 models no errors at all.
UNMODELLED = {
    "elasticbeanstalk": {"InvalidParameterValue", "InvalidParameterCombination", "MissingParameter", "InvalidAction"},
    "ssm": {"ValidationException", "SerializationException", "UnknownOperationException"},
    "sts": {"InvalidAction"},
}
# They are asked for only to be refused.
ABSENT = {"GetSessionToken", "DescribeVpcs", "ListDocuments", "RebuildEnvironment"}
# Nothing in these can be refused.
NEVER_REFUSED = {"GetCallerIdentity", "ListPlatformVersions", "DescribeApplications", "CreateStorageLocation"}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
SESSION = botocore.session.get_session()


class Reply:
    """One reply, with what is wrong with it."""

    def __init__(self, folder, entry):
        self.entry = entry
        self.body = (folder / entry["file"]).read_bytes()
        self.model = SESSION.get_service_model(entry["service"])
        self.operation = self.model.operation_model(entry["operation"])
        self.wrong = []

    def check(self):
        self.check_headers()
        protocol = self.model.metadata["protocol"]
        if self.entry["status"] >= 300:
            self.check_refusal(protocol)
        elif protocol == "json":
            shape = self.operation.output_shape
            body = json.loads(self.body)
            self.json(shape, body, "") if shape else None
        else:
            self.check_xml(protocol)

    def check_headers(self):
        headers = self.entry["headers"]
        try:
            parsedate_to_datetime(headers.get("date", ""))
        except (TypeError, ValueError):
            self.wrong.append(f"no Date header: {headers}")
        if not headers.get("x-amzn-requestid"):
            self.wrong.append("no request id in the headers")

    def check_refusal(self, protocol):
        if protocol == "json":
            code = json.loads(self.body).get("__type")
        else:
            root = ElementTree.fromstring(self.body)
            code = next((one.text for one in root.iter() if plain(one) == "Code"), None)
            if not any(plain(one) in ("RequestId", "RequestID") for one in root.iter()):
                self.wrong.append("the refusal has no request id")
        if not code:
            self.wrong.append("the refusal has no code")
            return
        modelled = {one.metadata.get("error", {}).get("code", one.name) for one in self.operation.error_shapes}
        known = modelled | UNMODELLED.get(self.entry["service"], set())
        if self.entry["service"] != "ec2" and code not in known:
            self.wrong.append(f"the code {code} is not known: {sorted(known)}")

    def check_xml(self, protocol):
        root = ElementTree.fromstring(self.body)
        if not root.tag.startswith("{"):
            self.wrong.append("no namespace")
        if plain(root) != f"{self.entry['operation']}Response":
            self.wrong.append(f"the root is {plain(root)}")
        ids = [one.text for one in root.iter() if plain(one) in ("requestId", "RequestId")]
        if self.entry["headers"].get("x-amzn-requestid") not in ids:
            self.wrong.append("the request ids of header and body differ")
        shape = self.operation.output_shape
        if shape is None:
            return
        wrapper = shape.serialization.get("resultWrapper")
        node = root if wrapper is None else next((one for one in root if plain(one) == wrapper), None)
        if node is None:
            self.wrong.append(f"no {wrapper}")
        else:
            own = {"requestId"} if protocol == "ec2" else set()
            self.structure(shape, [one for one in node if plain(one) not in own], "")

    def structure(self, shape, children, path):
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        seen = set()
        for child in children:
            name = plain(child)
            if name not in members:
                self.wrong.append(f"{path}/{name} is not in the model")
                continue
            if name in seen:
                self.wrong.append(f"{path}/{name} is there twice")
            seen.add(name)
            self.xml(members[name], child, f"{path}/{name}")
        for name in shape.required_members:
            if shape.members[name].serialization.get("name", name) not in seen:
                self.wrong.append(f"{path}/{name} is required")

    def xml(self, shape, node, path):
        kind = shape.type_name
        if kind == "structure":
            self.structure(shape, list(node), path)
        elif kind == "list":
            each = shape.member.serialization.get("name", "item" if self.model.metadata["protocol"] == "ec2" else "member")
            for number, child in enumerate(node):
                if plain(child) != each:
                    self.wrong.append(f"{path} holds {plain(child)} and not {each}")
                else:
                    self.xml(shape.member, child, f"{path}[{number}]")
        else:
            self.scalar(shape, node.text or "", path)

    def scalar(self, shape, text, path):
        kind = shape.type_name
        good = {
            "boolean": lambda: text in ("true", "false"),
            "integer": lambda: re.fullmatch(r"-?\d+", text),
            "long": lambda: re.fullmatch(r"-?\d+", text),
            "double": lambda: re.fullmatch(r"-?\d+(\.\d+)?", text),
            "timestamp": lambda: TIMESTAMP.match(text),
            "string": lambda: not getattr(shape, "enum", None) or text in shape.enum,
        }.get(kind, lambda: True)()
        if not good:
            self.wrong.append(f"{path}: {text!r} is no {kind} of {shape.name}")

    def json(self, shape, value, path):
        kind = shape.type_name
        if kind == "structure":
            if not isinstance(value, dict):
                self.wrong.append(f"{path} is no structure")
                return
            for name, inner in value.items():
                if name in shape.members:
                    self.json(shape.members[name], inner, f"{path}.{name}")
                else:
                    self.wrong.append(f"{path}.{name} is not in the model")
        elif kind == "list":
            for number, inner in enumerate(value):
                self.json(shape.member, inner, f"{path}[{number}]")
        elif kind == "map":
            for key, inner in value.items():
                self.json(shape.value, inner, f"{path}[{key}]")
        else:
            types = {"string": str, "boolean": bool, "integer": int, "long": int, "double": float,
                     "timestamp": (int, float)}
            enum = getattr(shape, "enum", None) or []
            if not isinstance(value, types.get(kind, object)) or (enum and value not in enum):
                self.wrong.append(f"{path}: {value!r} is no {kind} of {shape.name}")


def plain(node):
    return node.tag.split("}")[-1]


def main():
    folder = pathlib.Path(sys.argv[1])
    index = json.loads((folder / "index.json").read_text())
    wrong = 0
    answered, refused = set(), set()
    for entry in index:
        reply = Reply(folder, entry)
        reply.check()
        (answered if entry["status"] < 300 else refused).add(entry["operation"])
        for what in reply.wrong:
            wrong += 1
            print(f"{entry['file']} ({entry['status']}): {what}")
    for operation in sorted((answered | refused) - ABSENT):
        if operation not in answered:
            print(f"{operation} was never answered")
            wrong += 1
        if operation not in refused | NEVER_REFUSED:
            print(f"{operation} was never refused")
            wrong += 1
    print(f"{len(index)} replies checked, {wrong} faults")
    sys.exit(1 if wrong or not index else 0)


main()
