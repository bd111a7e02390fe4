#!/usr/bin/env python3
"""Writes the tables that src/validation reads: the input shapes of the operations the endpoint answers, and their constraints.

Run it at development time, and commit what it writes:

    python3 local-aws/models/generate.py PATH_TO_BOTOCORE/botocore

Inputs: botocore's service models in `data/SERVICE/VERSION/service-2.json.gz` (listed in SERVICES below), and the operations
in the table of docs/operations.md, which a test writes from the declarations. The version of botocore is written into each table.
"""

import gzip
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent

# Table, model, the service's row in docs/operations.md, the package in which its Java classes are, the error's code.
SERVICES = [
    ("kinesis", "kinesis/2013-12-02", "Kinesis", "com.amazonaws.kinesis.v20131202", "ValidationException"),
    ("lambda", "lambda/2015-03-31", "Lambda", "com.amazonaws.lambda", "ValidationException"),
    ("logs", "logs/2014-03-28", "CloudWatch Logs", "com.amazonaws.logs.v20140328", "InvalidParameterException"),
    # Unverified: the packages of IAM and STS.
    ("iam", "iam/2010-05-08", "IAM", "com.amazonaws.iam.v20100508", "ValidationError"),
    ("sts", "sts/2011-06-15", "STS", "com.amazonaws.sts.v20110615", "ValidationError"),
]

# The order in which AWS reports members and values, where it was recorded (kinesalite's tests, 2013 to 2018). The model is
# silent about it; what is not listed follows in the model's order.
RECORDED_ORDER = {
    "CreateStreamInput": ["ShardCount", "StreamName"],
    "DescribeStreamInput": ["Limit", "ExclusiveStartShardId", "StreamName"],
    "ListStreamsInput": ["Limit", "ExclusiveStartStreamName"],
    "ListTagsForStreamInput": ["Limit", "ExclusiveStartTagKey", "StreamName"],
    "PutRecordInput": ["SequenceNumberForOrdering", "PartitionKey", "ExplicitHashKey", "Data", "StreamName"],
    "PutRecordsInput": ["Records", "StreamName"],
    "PutRecordsRequestEntry": ["PartitionKey", "ExplicitHashKey", "Data"],
    "GetRecordsInput": ["Limit", "ShardIterator"],
    "GetShardIteratorInput": ["ShardId", "ShardIteratorType", "StartingSequenceNumber", "StreamName"],
    "AddTagsToStreamInput": ["Tags", "StreamName"],
    "RemoveTagsFromStreamInput": ["TagKeys", "StreamName"],
    "MergeShardsInput": ["ShardToMerge", "AdjacentShardToMerge", "StreamName"],
    "SplitShardInput": ["NewStartingHashKey", "StreamName", "ShardToSplit"],
    "IncreaseStreamRetentionPeriodInput": ["RetentionPeriodHours", "StreamName"],
    "DecreaseStreamRetentionPeriodInput": ["RetentionPeriodHours", "StreamName"],
    "ListShardsInput": ["ExclusiveStartShardId", "MaxResults", "NextToken", "StreamCreationTimestamp", "StreamName"],
    # Lambda: answers recorded in 2025-11.
    "EventSourcePosition": ["LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"],
    "ShardIteratorType": ["AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "TRIM_HORIZON"],
}

# Constraints that Lambda's model states and its standard functions do not have.
NOT_CHECKED = {
    # The service rejects a runtime with a code and a list of its own (recorded).
    "Runtime": ["enum"],
}
OTHER_LIMITS = {
    # Those of the model are for Managed Instances. The timeout is 1,800 s since 2026-11, the others are in
    # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    "Timeout": {"max": 1800},
    "MemorySize": {"max": 10240},
    "EphemeralStorageSize": {"max": 10240},
}

# Patterns that IAM reports in a sentence instead (recorded).
IAM_NAME = "It must contain only alphanumeric characters and/or the following: +=,.@_-"
SENTENCES = {
    "roleNameType": IAM_NAME,
    "policyNameType": IAM_NAME,
    "instanceProfileNameType": IAM_NAME,
    "pathType": "It must begin and end with / and contain only alphanumeric characters and/or / characters.",
}

# Lists and maps of whose elements AWS says that they must not be null (recorded; the model is silent).
ELEMENTS_NOT_NULL = ["AdditionalVersionWeights", "ArchitecturesList", "EnvironmentVariables", "FunctionResponseTypeList", "LayerList", "Tags"]


def in_recorded_order(shape_name, names):
    first = [name for name in RECORDED_ORDER.get(shape_name, []) if name in names]
    return first + [name for name in names if name not in first]


def answered_operations(service):
    page = (HERE / "../../docs/operations.md").read_text()
    return re.search(rf"^\| {service} \| (.*) \|$", page, re.MULTILINE).group(1).split(", ")


def location(member):
    """Where a REST request has a member that is not in its body."""
    return {"uri": "path", "querystring": "query", "header": "header"}[member["location"]], member["locationName"]


def table_shape(name, shape, service):
    """The part of a shape that requests are checked against, and the shapes it refers to."""
    table, refers = {"type": shape["type"]}, []
    limits = OTHER_LIMITS.get(name, {}) if service == "lambda" else {}
    for constraint in ("min", "max", "pattern"):
        if constraint in shape:
            table[constraint] = limits.get(constraint, shape[constraint])
    if "enum" in shape and not (service == "lambda" and "enum" in NOT_CHECKED.get(name, [])):
        table["enum"] = in_recorded_order(name, shape["enum"])
    if service == "iam" and name in SENTENCES:
        table["sentence"] = SENTENCES[name]
    if service == "lambda" and name in ELEMENTS_NOT_NULL:
        table["elements_not_null"] = True
    if service == "lambda" and shape.get("sensitive") and shape["type"] == "map":
        table["sensitive"] = True
    if shape["type"] == "structure":
        # A payload is a body of its own.
        members = {member: it for member, it in shape["members"].items() if member != shape.get("payload")}
        table["members"] = [[member, members[member]["shape"]] for member in in_recorded_order(name, list(members))]
        if shape.get("required"):
            table["required"] = shape["required"]
        if service == "lambda" and any("location" in member for member in members.values()):
            table["locations"] = [[name, *location(it)] for name, it in members.items() if "location" in it]
        refers = [shape for _, shape in table["members"]]
    elif shape["type"] == "list":
        table["member"] = shape["member"]["shape"]
        refers = [table["member"]]
    elif shape["type"] == "map":
        table["key"], table["value"] = shape["key"]["shape"], shape["value"]["shape"]
        refers = [table["key"], table["value"]]
    return table, refers


def table_of(model, operations, service):
    inputs = {name: model["operations"][name]["input"]["shape"] for name in operations if "input" in model["operations"][name]}
    shapes, waiting = {}, list(inputs.values())
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name], refers = table_shape(name, model["shapes"][name], service)
            waiting.extend(refers)
    return inputs, dict(sorted(shapes.items()))


def written(source, package, code, inputs, shapes):
    """One line per shape, so that the changes of a model can be read."""
    line = lambda value: json.dumps(value, ensure_ascii=False)
    lines = [f'"source": {line(source)}', f'"package": {line(package)}', f'"error": {line(code)}']
    for title, entries in (("operations", inputs), ("shapes", shapes)):
        body = ",\n".join(f"    {line(name)}: {line(entry)}" for name, entry in entries.items())
        lines.append(f'"{title}": {{\n{body}\n  }}')
    return "{\n  " + ",\n  ".join(lines) + "\n}\n"


def main(botocore):
    version = re.search(r"__version__ = '(.+)'", (botocore / "__init__.py").read_text()).group(1)
    for table, model, service, package, code in SERVICES:
        path = f"data/{model}/service-2.json.gz"
        with gzip.open(botocore / path) as file:
            inputs, shapes = table_of(json.load(file), answered_operations(service), table)
        (HERE / f"{table}.json").write_text(written(f"botocore {version}, {path}", package, code, inputs, shapes))
        print(f"{table}.json: {len(inputs)} operations, {len(shapes)} shapes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
