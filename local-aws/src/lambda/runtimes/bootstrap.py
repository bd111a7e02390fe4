"""Runs a Python handler behind Lambda's Runtime API, as the runtimes python3.* do.

https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html
"""

import http.client
import importlib
import json
import logging
import os
import sys
import time
import traceback

BASE = "/2018-06-01/runtime"
# Stands for a newline within an event: the endpoint makes one of it again.
NEWLINE = "\x1e"
IS_JSON = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"
request_id = None


class RuntimeApi:
    def __init__(self):
        self.connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(self, method, route, headers=None, body=None):
        self.connection.request(method, BASE + route, body, headers or {})
        response = self.connection.getresponse()
        return response.headers, response.read()


class LogFormatter(logging.Formatter):
    """One event a record: `[INFO]\t2019-12-13T00:00:00.000Z\t<request id>\tmessage`."""

    converter = time.gmtime

    def format(self, record):
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        if not IS_JSON:
            text = record.getMessage()
            if record.exc_info:
                text += "\n" + self.formatException(record.exc_info)
            return f"[{record.levelname}]\t{now}.{int(record.msecs):03d}Z\t{request_id or ''}\t{text}".replace("\n", NEWLINE)
        document = {"timestamp": now + "Z", "level": record.levelname, "message": record.getMessage(), "logger": record.name}
        if request_id:
            document["requestId"] = request_id
        if record.exc_info:
            document["errorType"] = record.exc_info[0].__name__
            document["errorMessage"] = str(record.exc_info[1])
            document["stackTrace"] = traceback.format_tb(record.exc_info[2])
        return json.dumps(document)


class ClientContext:
    def __init__(self, document):
        self.custom = document.get("custom")
        self.env = document.get("env")
        self.client = type("Client", (), document.get("client") or {})()


class Context:
    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = None
        client_context = headers.get("Lambda-Runtime-Client-Context")
        self.client_context = ClientContext(json.loads(client_context)) if client_context else None
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(self._deadline - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))


class RuntimeFailure(Exception):
    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def load():
    """`folder/module.function`, with dots or slashes between the packages."""
    name = os.environ["_HANDLER"]
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        raise RuntimeFailure("Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except SyntaxError as error:
        raise RuntimeFailure("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}") from error
    except ImportError as error:
        raise RuntimeFailure("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}") from error
    try:
        return getattr(module, function_name)
    except AttributeError as error:
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        raise RuntimeFailure("Runtime.HandlerNotFound", message) from error


def describe(error):
    kind = getattr(error, "kind", type(error).__name__)
    # The first frame is this file's.
    frames = traceback.extract_tb(error.__traceback__)[1:]
    return {
        "errorMessage": str(error),
        "errorType": kind,
        "requestId": request_id or "",
        "stackTrace": traceback.format_list(frames),
    }


def log_error(document):
    if IS_JSON:
        line = json.dumps({"timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "log_level": "ERROR", **document})
    else:
        # As AWS does: one event, with spaces that nothing trims.
        lines = [f"[ERROR] {document['errorType']}: {document['errorMessage']}".replace("\n", NEWLINE)]
        if document["stackTrace"]:
            lines.append("Traceback (most recent call last):")
            lines += [frame.rstrip("\n").replace(" " * 2, "\u00a0" * 2).replace("\n", NEWLINE) for frame in document["stackTrace"]]
        line = NEWLINE.join(lines)
    print(line, flush=True)


def error_headers(document):
    return {"Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": document["errorType"]}


def flush():
    """What the handler wrote stands in the log before the answer does."""
    sys.stdout.flush()
    sys.stderr.flush()


def invoke(api, handler, headers, body):
    global request_id
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    os.environ["_X_AMZN_TRACE_ID"] = headers.get("Lambda-Runtime-Trace-Id", "")
    echo = {"Lambda-Runtime-Invocation-Id": headers.get("Lambda-Runtime-Invocation-Id", "")}
    route = f"/invocation/{request_id}"
    try:
        result = json.dumps(handler(json.loads(body), Context(headers)), ensure_ascii=False).encode()
    except Exception as error:
        document = describe(error)
        log_error(document)
        flush()
        api.call("POST", route + "/error", {**echo, **error_headers(document)}, json.dumps(document).encode())
        return
    flush()
    api.call("POST", route + "/response", {**echo, "Content-Type": "application/json"}, result)


def set_up_logging():
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(LogFormatter())
    logging.getLogger().addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL")
    if level:
        logging.getLogger().setLevel({"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(level, level))


def main():
    # stdout is a pipe: line by line, so that lines can be read while the handler runs.
    sys.stdout.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)
    sys.stderr.reconfigure(encoding="utf-8", errors="replace", line_buffering=True)
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    set_up_logging()
    api = RuntimeApi()
    try:
        handler = load()
    except Exception as error:
        document = describe(error)
        log_error(document)
        flush()
        api.call("POST", "/init/error", error_headers(document), json.dumps(document).encode())
        sys.exit(1)
    while True:
        invoke(api, handler, *api.call("GET", "/invocation/next"))


if __name__ == "__main__":
    main()
