"""watchtower: what Python's logging writes is in CloudWatch Logs, in order, plain and as JSON."""
import json
import logging

import boto3
import watchtower

GROUP = "/clients/watchtower"
logs = boto3.client("logs")
handler = watchtower.CloudWatchLogHandler(
    log_group_name=GROUP,
    log_stream_name="{logger_name}",
    boto3_client=logs,
    send_interval=1,
    log_group_retention_days=7,
    log_group_tags={"tool": "watchtower"},
)
logger = logging.getLogger("app")
logger.setLevel(logging.INFO)
logger.addHandler(handler)
logger.info("begun")
logger.warning({"order": 7, "name": "grüße"})
for number in range(300):
    logger.info("line %d %s", number, "x" * 1000)
logger.debug("not shown")
handler.close()

[group] = logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]
assert group["retentionInDays"] == 7, group
assert logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"] == {"tool": "watchtower"}
pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, logStreamNames=["app"])
messages = [event["message"] for page in pages for event in page["events"]]
assert messages[0] == "begun" and json.loads(messages[1]) == {"order": 7, "name": "grüße"}, messages[:2]
assert [message.split()[1] for message in messages[2:]] == [str(number) for number in range(300)], len(messages)
print("logged")
