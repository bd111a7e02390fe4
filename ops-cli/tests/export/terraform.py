"""Parses exported Terraform modules, and checks that they have their resources and the values of this test's settings."""

import sys

import hcl2

WANTED = {
    "aws_kinesis_stream",
    "aws_cloudwatch_log_group",
    "aws_iam_role",
    "aws_lambda_function",
    "aws_lambda_alias",
    "aws_lambda_event_source_mapping",
}


def plain(value):
    """The value without the quotes that the parser leaves around texts and names."""
    if isinstance(value, dict):
        return {plain(name): plain(member) for name, member in value.items() if not name.startswith("__")}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1]
    return value


def resources(path):
    with open(path) as file:
        module = hcl2.load(file)
    found = {}
    for resource in plain(module["resource"]):
        for kind, named in resource.items():
            (found[kind],) = named.values()
    return found


modules = [resources(path) for path in sys.argv[1:]]
for module in modules:
    assert WANTED <= set(module), module.keys()
default, _, many, others = modules
assert default["aws_kinesis_stream"]["shard_count"] == 1, default
assert many["aws_lambda_function"]["memory_size"] == 256, many
variables = many["aws_lambda_function"]["environment"][0]["variables"]
assert variables["LOGGER_FIELDS"] == "compact", variables
assert "$${x}" in variables["NOTE"] and "%%{y}" in variables["NOTE"], variables
assert len(many["aws_lambda_event_source_mapping"]["filter_criteria"][0]["filter"]) == 2, many
assert "aws_kinesis_stream_consumer" in many, many.keys()
assert others["aws_kinesis_stream"]["stream_mode_details"][0]["stream_mode"] == "ON_DEMAND", others
assert others["aws_lambda_event_source_mapping"]["enabled"] is False, others
assert "aws_iam_role_policy_attachment" in others, others.keys()
print(f"{len(modules)} modules")
