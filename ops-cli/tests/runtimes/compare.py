"""Runs the same handlers on the endpoint's own runtimes and on AWS's runtime clients, and compares what comes of them.

Both are functions of the endpoint: AWS's client (`awslambdaric`, `aws-lambda-ric`) is the program of a function of the
runtime provided.al2023. Compared are the answer, whether it is an error, and the log events between Lambda's own.

usage: compare.py python|node18|node24 FOLDER-OF-AWS'S-CLIENT
"""

import base64
import concurrent.futures
import io
import json
import pathlib
import re
import shlex
import sys
import zipfile

import boto3
from botocore.config import Config

HERE = pathlib.Path(__file__).parent
FORMATS = {
    "text": {"LogFormat": "Text"},
    "trace": {"LogFormat": "JSON", "ApplicationLogLevel": "TRACE"},
    "warn": {"LogFormat": "JSON", "ApplicationLogLevel": "WARN"},
}
LAMBDA = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [LAMBDA]})
CONTEXT = {
    "client": {"installation_id": "i", "app_title": "t"},
    "custom": {"a": 1},
    "env": {"locale": "de"},
    "w3c": {"traceparent": "00-1-2-03", "other": "x"},
}

# A crash is answered once; a second attempt of boto3 would be another invocation.
config = Config(retries={"total_max_attempts": 1}, read_timeout=60)
functions = boto3.client("lambda", config=config)
logs = boto3.client("logs", config=config)
iam = boto3.client("iam", config=config)


class Runtime:
    """A language as its two clients run it."""

    def __init__(self, name, client):
        self.name = name
        self.language, version = ("python", "3.12") if name == "python" else ("node", name.removeprefix("node"))
        self.id = "python3.12" if name == "python" else f"nodejs{version}.x"
        run = f"{client}/bin/python3 -m awslambdaric \"$_HANDLER\""
        if self.language == "node":
            package = f"{client}/node_modules/aws-lambda-ric-{'4' if version == '24' else '3'}"
            run = shlex.join(["node", "--require", str(HERE / "poller.cjs"), str(HERE / "aws_client.mjs"), package])
        # The managed runtimes set this; provided.* leaves it to the program.
        self.bootstrap = f"#!/bin/sh\nexport AWS_EXECUTION_ENV=AWS_Lambda_{self.id}\nexec {run}\n"


def package(files, bootstrap=None):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        if bootstrap:
            program = zipfile.ZipInfo("bootstrap")
            program.external_attr = 0o755 << 16
            archive.writestr(program, bootstrap)
    return packed.getvalue()


class Function:
    """One function, of which every event is read once."""

    def __init__(self, name, runtime, bootstrap, files, handler, logging):
        self.name = name
        # After an error at init, client 4 of Node.js prints it too, unless its process has been ended by then.
        self.has_raw_output = "node24-init" not in name
        self.seen = 0
        functions.create_function(
            FunctionName=name, Runtime=runtime, Role=ROLE, Handler=handler, Timeout=10, MemorySize=512,
            Code={"ZipFile": package(files, bootstrap)}, LoggingConfig=logging,
            Environment={"Variables": {"OWN": "value"}},
        )

    def invoke(self, payload):
        context = base64.b64encode(json.dumps(CONTEXT).encode()).decode()
        answer = functions.invoke(FunctionName=self.name, Payload=json.dumps(payload), ClientContext=context)
        body = answer["Payload"].read()
        try:
            # The digits, as they are written.
            body = json.loads(body, parse_float="float {}".format)
        except ValueError:
            body = {"raw": body.decode("utf-8", "replace")}
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{self.name}")
        events = [event["message"] for page in pages for event in page["events"]]
        new, self.seen = events[self.seen :], len(events)
        own = [plain(decoded(event)) for event in new if is_own(event)]
        # A foreign frame that was printed is an event of its own.
        own = [event for event in own if event != "" and (self.has_raw_output or is_record(event))]
        # Raw output and records are separate channels: their order among each other is not defined.
        own = sorted(json.dumps(event, sort_keys=True, ensure_ascii=False) for event in own)
        return {"answer": plain(body), "error": answer.get("FunctionError"), "log": own}


def is_record(event):
    return isinstance(event, dict) or "\t" in event


def is_own(event):
    """Whether the function has written it, not Lambda."""
    return not re.match(r"(INIT_START|START|END|REPORT|INIT_REPORT) |\{\"time\":\"[^\"]*\",\"type\":\"platform\.", event)


def decoded(event):
    try:
        return json.loads(event)
    except ValueError:
        return event


# A line of a stack that is not the function's own: the runtime's, or its interpreter's.
FOREIGN_FRAME = re.compile(r"^ +at (?!.*/var/task/)|^ +\.\.\. \d+ lines matching cause stack trace")
FOREIGN_PYTHON_FRAME = re.compile(
    r'^[ \u00a0]{2}File "[^"]*(/bootstrap\.py|/awslambdaric/[^"]*|<frozen runpy>)", line .*\n([ \u00a0]{4}.*\n)*', re.M
)


def plain(value):
    """The value without what differs between any two runs."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value if not (isinstance(member, str) and is_foreign(no_paths(member)))]
    if not isinstance(value, str):
        return value
    if value.startswith(("{", "\"", "[")):
        try:
            return json.dumps(plain(json.loads(value)), sort_keys=True, ensure_ascii=False)
        except ValueError:
            pass
    text = no_paths(value)
    # An object of JSON within a line of text.
    inner = re.search(r"\t(\{.*\})\n?$", text, re.DOTALL)
    if inner:
        try:
            text = text[: inner.start(1)] + json.dumps(plain(json.loads(inner[1])), sort_keys=True) + "\n"
        except ValueError:
            pass
    text = FOREIGN_PYTHON_FRAME.sub("", text)
    # The class of AWS's client that calls it.
    text = re.sub(r"at (?:async )?(?:\w+\.)?handler \((\S+)\)", r"at \1", text)
    lines = [line for line in text.split("\n") if not FOREIGN_FRAME.match(line)]
    text = "\n".join(lines)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>", text)
    text = re.sub(r"\[(\$LATEST)\][0-9a-f]{32}", r"[\1]<stream>", text)
    return re.sub(r"0x[0-9a-f]{6,}", "<address>", text)


def is_foreign(frame):
    return FOREIGN_FRAME.match(frame) or FOREIGN_PYTHON_FRAME.fullmatch(frame)


def no_paths(text):
    text = re.sub(r"(file://)?/[^\s'\":()]*/local-aws-\w+/[^/\s'\":]+/task/", "/var/task/", text)
    return re.sub(r"/[^\s'\":()]*/(runtime/handler|aws-lambda-ric-\d(/dist)?/index)\.mjs", "/var/runtime/index.mjs", text)


def both(runtime, name, files, handler, logging, payloads):
    """What each of the payloads gives, on our runtime and on AWS's client."""
    def on(kind, id, bootstrap):
        function = Function(f"{kind}-{runtime.name}-{name}", id, bootstrap, files, handler, logging)
        return [function.invoke(payload) for payload in payloads]
    return on("ours", runtime.id, None), on("aws", "provided.al2023", runtime.bootstrap)


def comparisons(runtime):
    """Each a name, files, a handler, a format and payloads."""
    corpus = HERE / runtime.language
    sources = {path.name: path.read_text() for path in corpus.iterdir() if path.is_file()}
    for main in sorted(name for name in sources if name.startswith("cases")):
        stem, extension = main.split(".")
        names = re.findall(r"^(?:export )?(?:async )?(?:def|function) case_(\w+)\(", sources[main], re.M)
        for format, logging in FORMATS.items():
            payloads = [{"case": name} for name in names]
            yield f"{stem}-{format}", sources, f"{stem}.handler", logging, payloads
    for file in sorted(corpus.glob("inits/*")):
        first, *rest = re.split(r"^(?:#|//) --- (.*)\n", file.read_text(), flags=re.M)
        if f"not for: {runtime.name}" in first:
            continue
        handler = re.search(r"handler: (.*)", first)[1]
        files = dict(zip(rest[::2], rest[1::2]))
        for format in ("text", "trace"):
            yield f"init-{file.stem}-{format}", files, handler, FORMATS[format], [{"a": 1}, {"a": 2}]


def difference(ours, awss, path=""):
    """The first place where the two differ."""
    if isinstance(ours, dict) and isinstance(awss, dict) and ours.keys() == awss.keys():
        parts = ((f"{path}.{name}", ours[name], awss[name]) for name in ours)
    elif isinstance(ours, list) and isinstance(awss, list) and len(ours) == len(awss) and path != ".log":
        parts = ((f"{path}[{at}]", *pair) for at, pair in enumerate(zip(ours, awss)))
    elif path == ".log" and ours != awss:
        only = [[event for event in one if event not in other] for one, other in ((ours, awss), (awss, ours))]
        ours, awss = ("\n      ".join(["", *events]) for events in only)
        return f".log\n    ours only: {ours}\n    AWS's only: {awss}"
    else:
        ours, awss = json.dumps(ours, ensure_ascii=False), json.dumps(awss, ensure_ascii=False)
        return None if ours == awss else f"{path}\n    ours: {ours}\n    AWS's: {awss}"
    found = (difference(one, other, path) for path, one, other in parts)
    return next(filter(None, found), None)


def main():
    global ROLE
    name, client = sys.argv[1:]
    runtime = Runtime(name, client)
    ROLE = iam.create_role(RoleName="compared", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    compared = differing = 0
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        runs = [(what, threads.submit(both, runtime, *what)) for what in comparisons(runtime)]
        for (name, *_, payloads), run in runs:
            for payload, ours, awss in zip(payloads, *run.result()):
                compared += 1
                found = difference(ours, awss)
                if found:
                    differing += 1
                    print(f"{name} {payload.get('case', payload)}: {found}", flush=True)
    print(f"{differing} of {compared} differ")
    assert compared > 50
    sys.exit(differing > 0)


if __name__ == "__main__":
    main()
