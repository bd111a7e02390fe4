"""Runs a Python handler behind Lambda's Runtime API, as the runtimes python3.* do.

Responses, errors and log records equal those of AWS's runtime client (`awslambdaric`). A test compares them.
https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html
"""

import decimal
import http.client
import importlib
import io
import json
import logging
import os
import re
import sys
import threading
import time
import traceback
import uuid

BASE = "/2018-06-01/runtime"
IS_JSON = os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"
# Since Python 3.12, characters outside ASCII are not escaped in responses.
HAS_ESCAPES = os.environ.get("AWS_EXECUTION_ENV", "").rpartition(".")[2] in ("6", "7", "8", "9", "10", "11")
INIT_WARNING = (
    "LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code. However, in rare "
    "cases, a Lambda runtime update can cause unexpected function behavior. For functions using managed runtimes, "
    "runtime updates can be triggered by a function change, or can be applied automatically. To determine if the "
    "runtime has been updated, check the runtime version in the INIT_START log entry. If this error correlates with a "
    "change in the runtime version, you may be able to mitigate this error by temporarily rolling back to the previous "
    "runtime version. For more information, see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html\r"
)
request_id = None
tenant_id = None


class RecordChannel:
    """Sends each record to the endpoint in one frame: a type, the length, the time in microseconds, the record."""

    RAW, JSON, TEXT = 1, 2, 3

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.lock = threading.Lock()

    def send(self, kind, data, level=logging.NOTSET):
        number = 0 if level < logging.DEBUG else min(level // 10 + 1, 6)
        header = 0xA55A0000 | number << 2 | kind
        frame = header.to_bytes(4, "big") + len(data).to_bytes(4, "big") + (time.time_ns() // 1000).to_bytes(8, "big")
        frame = memoryview(frame + data)
        with self.lock:
            while frame:
                frame = frame[os.write(self.descriptor, frame) :]

    def log(self, text, kind=TEXT, level=logging.NOTSET):
        self.send(kind, text.encode(), level)


class PrintedOutput(io.RawIOBase):
    """Sends printed output as raw output through the channel of the records, so that their order is preserved."""

    def __init__(self, channel, descriptor):
        self.channel = channel
        self.descriptor = descriptor

    def writable(self):
        return True

    def fileno(self):
        return self.descriptor

    def write(self, data):
        data = bytes(data)
        if data:
            self.channel.send(RecordChannel.RAW, data)
        return len(data)


class JsonFormatter(logging.Formatter):
    def format(self, record):
        level = rounded(record.levelno)
        is_object = isinstance(record.msg, dict) and not record.args
        document = {
            # AWS's client omits the milliseconds, but its documentation shows them.
            "timestamp": timestamp(record.created),
            "level": logging.getLevelName(level),
            "message": record.msg if is_object else record.getMessage(),
            "logger": record.name,
            "stackTrace": None,
            "errorType": None,
            "errorMessage": None,
            "requestId": getattr(record, "aws_request_id", None),
            "location": None,
        }
        tenant = getattr(record, "tenant_id", None)
        if tenant is not None:
            document["tenantId"] = tenant
        if record.exc_info:
            kind, error, frames = record.exc_info
            document["stackTrace"] = traceback.format_tb(frames)
            document["errorType"] = kind.__name__
            document["errorMessage"] = str(error)
            document["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        for name, value in record.__dict__.items():
            if name not in OWN_ATTRIBUTES and name not in document:
                document[name] = value
        document = {name: value for name, value in document.items() if value is not None}
        # Values that JSON cannot represent are written as text, so no record is lost.
        return json.dumps(document, ensure_ascii=False, default=str) + "\n"


# The attributes that every record has. All others come from `extra`.
OWN_ATTRIBUTES = {*logging.LogRecord("", 0, "", 0, "", (), None).__dict__, "aws_request_id", "tenant_id", "_frame_type"}
OWN_ATTRIBUTES -= {"taskName"}


def rounded(level):
    """Rounds a level down to a standard one."""
    return min(50, max(0, level)) // 10 * 10


def timestamp(seconds):
    milliseconds = int(seconds * 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000)) + f".{milliseconds % 1000:03d}Z"


class LambdaLoggerHandler(logging.Handler):
    def __init__(self, channel):
        super().__init__()
        self.log_sink = channel

    def emit(self, record):
        kind = RecordChannel.JSON if isinstance(self.formatter, JsonFormatter) else RecordChannel.TEXT
        self.log_sink.log(self.format(record), kind, rounded(record.levelno))


class LambdaLoggerFilter(logging.Filter):
    def filter(self, record):
        record.aws_request_id = request_id or ""
        record.tenant_id = tenant_id
        return True


def set_up_logging(channel):
    logging.Formatter.converter = time.gmtime
    handler = LambdaLoggerHandler(channel)
    text = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
    handler.setFormatter(JsonFormatter() if IS_JSON else logging.Formatter(text, "%Y-%m-%dT%H:%M:%S"))
    handler.addFilter(LambdaLoggerFilter())
    logger = logging.getLogger()
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = "DEBUG" if level == "TRACE" else level
    if level in logging._nameToLevel:
        logger.setLevel(level)
    logger.addHandler(handler)


class Failure(Exception):
    """An error that the runtime reports, without frames of the runtime."""

    def __init__(self, kind, message, trace=None):
        super().__init__(message)
        self.kind = kind
        self.trace = trace or []


class Members:
    """An object with fixed members. Missing members are None."""

    __slots__ = ()

    def __init__(self, document):
        for name in self.__slots__:
            setattr(self, name, document.get(name))

    def __repr__(self):
        return f"{type(self).__name__}([{','.join(f'{name}={getattr(self, name)}' for name in self.__slots__)}])"


class Client(Members):
    __slots__ = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class ClientContext(Members):
    __slots__ = ("custom", "env", "client")

    def __init__(self, document):
        super().__init__(document)
        self.client = None if self.client is None else Client(self.client)


class CognitoIdentity(Members):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


class LambdaContext:
    def __init__(self, headers):
        client = header_object(headers, "Lambda-Runtime-Client-Context", "Client Context")
        identity = header_object(headers, "Lambda-Runtime-Cognito-Identity", "Cognito Identity") or {}
        w3c = client.pop("w3c", None) if isinstance(client, dict) else None
        w3c = w3c if isinstance(w3c, dict) else {}
        names = ("traceparent", "tracestate", "baggage")
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.tenant_id = headers.get("Lambda-Runtime-Aws-Tenant-Id")
        self.client_context = None if client is None else ClientContext(client)
        self.identity = CognitoIdentity({
            "cognito_identity_id": identity.get("cognitoIdentityId"),
            "cognito_identity_pool_id": identity.get("cognitoIdentityPoolId"),
        })
        self._w3c_fields = {name: w3c[name] for name in names if isinstance(w3c.get(name), str)}
        self._epoch_deadline_time_in_ms = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def w3c(self):
        return dict(self._w3c_fields)

    def log(self, message):
        for handler in logging.getLogger().handlers:
            if hasattr(handler, "log_sink"):
                handler.log_sink.log(str(message))
                return
        sys.stdout.write(str(message))

    def __repr__(self):
        shown = [f"{name}={value}" for name, value in self.__dict__.items() if not name.startswith("_")]
        return f"{type(self).__name__}([{','.join(shown)}])"


def header_object(headers, name, what):
    text = headers.get(name)
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        raise Failure("Runtime.LambdaContextUnmarshalError", f"Unable to parse {what} JSON: {error}") from error


def load():
    """Loads the handler `folder/module.function`, with dots or slashes between the packages."""
    name = os.environ["_HANDLER"]
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        reason = "not enough values to unpack (expected 2, got 1)"
        raise Failure("Runtime.MalformedHandlerName", f"Bad handler '{name}': {reason}")
    if module_name.split(".")[0] in sys.builtin_module_names:
        message = f"Cannot use built-in module {module_name} as a handler module"
        raise Failure("Runtime.BuiltInModuleConflict", message)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        raise Failure("Runtime.ImportModuleError", message) from error
    except SyntaxError as error:
        place = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        message = f"Syntax error in module '{module_name}': {error}"
        raise Failure("Runtime.UserCodeSyntaxError", message, [place]) from error
    try:
        return getattr(module, function_name)
    except AttributeError as error:
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        raise Failure("Runtime.HandlerNotFound", message) from error


def unmarshal(body):
    try:
        return json.loads(body)
    except Exception as error:
        raise Failure("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from error


# Marks a number in the text of a response. No text of the function can equal the mark.
NUMBER = f"number-{uuid.uuid4()}:"


def plain(value, above=()):
    """Replaces values that `json` cannot write, or writes differently from AWS."""
    if isinstance(value, decimal.Decimal):
        return float("nan") if value.is_nan() else NUMBER + str(value)
    if isinstance(value, bytes):
        return value.decode()
    if value is None or isinstance(value, (str, int, float)):
        return value
    converted = as_dict(value)
    if converted is None and not isinstance(value, (dict, list, tuple)):
        return value
    if id(value) in above:
        raise ValueError("Circular reference detected")
    above = (*above, id(value))
    if converted is not None:
        (value,) = converted
        if not isinstance(value, dict):
            raise TypeError(f"_asdict() must return a dict, not {type(value).__name__}")
    if isinstance(value, dict):
        return {member_name(key): plain(member, above) for key, member in value.items()}
    return [plain(member, above) for member in value]


def as_dict(value):
    """The result of the method `_asdict` as the only element, or None if the method is missing or needs arguments."""
    method = getattr(value, "_asdict", None)
    try:
        return (method(),) if callable(method) else None
    except TypeError:
        return None


def member_name(key):
    if isinstance(key, bytes):
        return key.decode()
    if key is not None and not isinstance(key, (str, int, float)):
        raise TypeError(f"keys must be str, int, float, bool or None, not {type(key).__name__}")
    return key


def marshal(value):
    if isinstance(value, bytes):
        return value
    try:
        text = json.dumps(plain(value), ensure_ascii=HAS_ESCAPES)
        return re.sub(f'"{NUMBER}([^"]*)"', r"\1", text).encode()
    except Exception as error:
        raise Failure("Runtime.MarshalError", f"Unable to marshal response: {error}") from error


def describe(error):
    if isinstance(error, Failure):
        kind, trace = error.kind, error.trace
    else:
        frames = traceback.extract_tb(error.__traceback__)
        while frames and frames[0].filename == __file__:
            frames.pop(0)
        # As tuples, without the columns that newer versions of Python would mark.
        frames = [(frame.filename, frame.lineno, frame.name, frame.line) for frame in frames]
        kind, trace = type(error).__name__, traceback.format_list(frames)
    return {"errorMessage": str(error), "errorType": kind, "requestId": request_id or "", "stackTrace": trace}


def log_error(channel, document):
    if IS_JSON:
        document = {"timestamp": timestamp(time.time()), "level": "ERROR", **document}
        return channel.log(json.dumps(document, ensure_ascii=HAS_ESCAPES), RecordChannel.JSON, logging.ERROR)
    head = ": ".join(part for part in (document["errorType"], document["errorMessage"]) if part)
    lines = ["[ERROR] " + head, "Traceback (most recent call last):"]
    for frame in document["stackTrace"]:
        # Non-breaking spaces, as AWS writes them, because they are not trimmed.
        lines += [re.sub("^ +", lambda spaces: "\u00a0" * len(spaces[0]), line) for line in frame.splitlines() or [""]]
    channel.log("\n".join(lines), level=logging.ERROR)


class RuntimeApi:
    def __init__(self):
        self.connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(self, method, route, headers=None, body=None):
        self.connection.request(method, BASE + route, body, headers or {})
        response = self.connection.getresponse()
        return response, response.read()

    def next(self):
        response, body = self.call("GET", "/invocation/next")
        return response.headers, body

    def post_response(self, route, headers, result):
        response, body = self.call("POST", route, {**headers, "Content-Type": "application/json"}, result)
        if response.status >= 300:
            # AWS's client ends too.
            what = f"Failed to post handler success response. Http response code: {response.status}. {body.decode()}"
            print(f"[ERROR] [{time.time_ns() // 1_000_000}] LAMBDA_RUNTIME {what}", file=sys.stderr)
            raise RuntimeError("Failed to post invocation response")

    def post_error(self, route, document, headers):
        self.send_error(route, headers, document, error_text(document).encode("utf-8", "replace"))

    def post_init_error(self, document):
        # As text, which the HTTP client sends as Latin-1. With other characters AWS's client ends without its report.
        self.send_error("/init/error", {}, document, error_text(document))

    def send_error(self, route, headers, document, body):
        kind = {"Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": document["errorType"]}
        self.call("POST", route, {**headers, **kind}, body)


def error_text(document):
    return json.dumps(document, ensure_ascii=HAS_ESCAPES)


def invoke(api, channel, handler, headers, body):
    global request_id, tenant_id
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    tenant_id = headers.get("Lambda-Runtime-Aws-Tenant-Id")
    os.environ.pop("_X_AMZN_TRACE_ID", None)
    if "Lambda-Runtime-Trace-Id" in headers:
        os.environ["_X_AMZN_TRACE_ID"] = headers["Lambda-Runtime-Trace-Id"]
    echo = {"Lambda-Runtime-Invocation-Id": headers.get("Lambda-Runtime-Invocation-Id", "")}
    route = f"/invocation/{request_id}"
    try:
        context = LambdaContext(headers)
        result = marshal(handler(unmarshal(body), context))
    except Exception as error:
        document = describe(error)
        log_error(channel, document)
        return api.post_error(route + "/error", document, echo)
    api.post_response(route + "/response", echo, result)


def main():
    channel = RecordChannel(int(os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD")))
    sys.stdout = io.TextIOWrapper(PrintedOutput(channel, 1), "utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(PrintedOutput(channel, 2), "utf-8", "backslashreplace", write_through=True)
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    set_up_logging(channel)
    api = RuntimeApi()
    try:
        handler = load()
    except Exception as error:
        document = describe(error)
        logging.warning(INIT_WARNING)
        log_error(channel, document)
        api.post_init_error(document)
        sys.exit(1)
    while True:
        invoke(api, channel, handler, *api.next())


if __name__ == "__main__":
    main()
