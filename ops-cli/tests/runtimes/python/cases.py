"""Handlers whose answers, errors and log records are compared with those of AWS's client."""

import asyncio
import collections
import contextlib
import datetime
import decimal
import enum
import json
import logging
import os
import subprocess
import sys
import threading
import uuid
import warnings

# It quotes the line of the runtime that has dropped the coroutine.
warnings.filterwarnings("ignore", "coroutine")
log = logging.getLogger(__name__)
print("printed at init")
logging.warning("logged at init")
Point = collections.namedtuple("Point", "x y")


def handler(event, context):
    return globals()["case_" + event["case"]](event, context)


# --- Answers


def case_nothing(event, context):
    pass


def case_values(event, context):
    return {"text": "grün 🦀 \u2028 \x00", "number": 1.5, "big": 10**30, "none": None, "list": [True, False], "e": 1e300, "neg": -0.0}


def case_decimals(event, context):
    return {"n": decimal.Decimal("1.50"), "list": [decimal.Decimal("1E+3"), decimal.Decimal("0.1")], "nan": decimal.Decimal("NaN")}


def case_decimal_alone(event, context):
    return decimal.Decimal("2.500")


def case_set(event, context):
    return {1, 2}


def case_nested_set(event, context):
    return {"a": [{"b": {1}}]}


def case_bytes(event, context):
    return b"raw"


def case_bytes_inside(event, context):
    return {"a": b"inside", b"key": 1}


def case_bytes_not_text(event, context):
    return {"a": b"\xff"}


def case_bytearray(event, context):
    return bytearray(b"raw")


def case_nan(event, context):
    return [float("nan"), float("inf"), float("-inf")]


def case_datetime(event, context):
    return {"at": datetime.datetime(2026, 1, 2)}


def case_uuid(event, context):
    return uuid.UUID(int=1)


def case_enum(event, context):
    class Color(enum.IntEnum):
        RED = 1

    class Name(str, enum.Enum):
        A = "a"

    return [Color.RED, Name.A]


def case_plain_enum(event, context):
    return enum.Enum("Color", "RED").RED


class AsDict:
    def _asdict(self):
        return {"k": [1, Point(1, 2)]}


class AsDictList(list):
    def _asdict(self):
        return {"k": list(self)}


class NotAsDict:
    def _asdict(self):
        return 7


def case_as_dict(event, context):
    return AsDict()


def case_as_dict_in_a_list(event, context):
    return [AsDict(), AsDictList([1])]


def case_not_as_dict(event, context):
    return NotAsDict()


def case_class_as_dict(event, context):
    return AsDict


def case_namedtuple(event, context):
    return [Point(1, decimal.Decimal("2.0")), (3, 4)]


def case_keys(event, context):
    return {1: "int", 1.5: "float", None: "none", True: "bool"}


def case_tuple_key(event, context):
    return {(1, 2): 3}


def case_decimal_key(event, context):
    return {decimal.Decimal(1): 3}


def case_circular(event, context):
    a = []
    a.append(a)
    return a


def case_shared(event, context):
    a = [1]
    return {"one": a, "two": a}


def case_generator(event, context):
    yield 1


async def case_coroutine(event, context):
    return 1


def case_asyncio(event, context):
    async def work():
        await asyncio.sleep(0.001)
        return "done"

    return asyncio.run(work())


def case_function(event, context):
    return case_function


def case_defaultdict(event, context):
    return collections.defaultdict(int, a=1)


def case_deque(event, context):
    return collections.deque([1])


def case_marker_like(event, context):
    return {"a": 'number-1:2"', "b": decimal.Decimal("1")}


# --- Errors


def case_error(event, context):
    raise ValueError("bad\nvalue ü")


def case_error_without_message(event, context):
    raise KeyError


def case_key_error(event, context):
    return {}["missing"]


def case_deep_error(event, context):
    def deeper(n):
        if n == 0:
            return 1 / n
        return deeper(n - 1)

    return deeper(3)


def case_chained_error(event, context):
    try:
        json.loads("{")
    except ValueError as error:
        raise RuntimeError("outer") from error


def case_error_during_error(event, context):
    try:
        1 / 0
    except ZeroDivisionError:
        [][1]


def case_own_error(event, context):
    class Refused(Exception):
        def __str__(self):
            return f"refused: {self.args}"

    raise Refused(1, "two")


def case_group(event, context):
    raise ExceptionGroup("several", [ValueError(1), TypeError(2)])


def case_nested_function_error(event, context):
    return list(map(lambda value: value.missing, [1]))


def case_assertion(event, context):
    assert event is None, "an assertion"


def case_unicode_error(event, context):
    raise Exception("\x1e\x1b[31m\t🦀")


def case_exit(event, context):
    sys.exit(3)


def case_exit_zero(event, context):
    sys.exit(0)


def case_hard_exit(event, context):
    print("before the end", end="")
    log.error("logged before the end")
    os._exit(7)


def case_abort(event, context):
    os.abort()


def case_error_in_thread(event, context):
    failed = []
    threading.excepthook = lambda args: failed.append(str(args.exc_value))
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    return failed


# --- Log records


def case_levels(event, context):
    for level in (logging.debug, logging.info, logging.warning, logging.error, logging.critical):
        level("at %s", level.__name__)


def case_every_level(event, context):
    root = logging.getLogger()
    before = root.level
    root.setLevel(1)
    try:
        for level in (1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60):
            log.log(level, "level %d", level)
    finally:
        root.setLevel(before)


def case_named_level(event, context):
    logging.addLevelName(35, "LOUD")
    log.log(35, "loud")


def case_extra(event, context):
    log.error("grüße", extra={"order": 7, "nested": {"a": [1]}, "none": None, "level": "mine"})


def case_log_extra_of_the_client(event, context):
    log.error("own", extra={"tenantId": "t", "requestId": "r", "_frame_type": None})


def case_log_surrogate(event, context):
    try:
        log.error("a surrogate: \ud800")
    except UnicodeEncodeError as error:
        # Without the position, which depends on the length of the timestamp.
        return error.reason


def case_extra_odd(event, context):
    log.error("odd", extra={"a set": {1}, "at": datetime.date(2026, 1, 2), "money": decimal.Decimal("1.5"), "taskName": "t"})


def case_dict_message(event, context):
    log.error({"a": 1, "ü": [None]})


def case_dict_message_with_args(event, context):
    log.error({"a": 1}, "arg")


def case_dict_argument(event, context):
    log.error("%(a)s is %(b)d", {"a": "x", "b": 2})


def case_odd_messages(event, context):
    log.error(7)
    log.error(None)
    log.error([1, "two"])
    log.error(ValueError("an error"))
    log.error("100%")
    log.error({"at": datetime.date(2026, 1, 2)})


def case_wrong_arguments(event, context):
    log.error("%d", "no number")


def case_multi_line(event, context):
    log.error("one\ntwo\r\n\n  three\n")
    log.error("\t tab \x1e \x1b[0m")


def case_exc_info(event, context):
    try:
        [][1]
    except IndexError:
        log.exception("it failed with %s", "x")
        log.error("again", exc_info=True, stack_info=False)
        log.warning("only warned", exc_info=True)


def case_exc_info_without_exception(event, context):
    log.error("no exception", exc_info=True)


def case_stack_info(event, context):
    log.error("where", stack_info=True)


def case_child_logger(event, context):
    logging.getLogger("a.b.c").warning("from afar")


def case_formatter(event, context):
    handler = logging.getLogger().handlers[0]
    before = handler.formatter
    handler.setFormatter(logging.Formatter("%(aws_request_id)s|%(levelname)s|%(message)s"))
    try:
        log.error("formatted")
        log.info("formatted less")
    finally:
        handler.setFormatter(before)


def case_own_handler(event, context):
    handler = logging.StreamHandler(sys.stdout)
    log.addHandler(handler)
    try:
        log.error("twice")
    finally:
        log.removeHandler(handler)


def case_basic_config(event, context):
    logging.basicConfig(level=logging.DEBUG, format="never used: there is a handler")
    log.error("once")


def case_set_level(event, context):
    root = logging.getLogger()
    before = root.level
    root.setLevel("DEBUG")
    try:
        log.debug("debugged")
    finally:
        root.setLevel(before)


def case_capture_warnings(event, context):
    logging.captureWarnings(True)
    warnings.warn_explicit("careful", UserWarning, "file.py", 7)
    logging.captureWarnings(False)


def case_log_from_thread(event, context):
    thread = threading.Thread(target=lambda: log.error("from a thread"))
    thread.start()
    thread.join()


def case_context_log(event, context):
    context.log("through the context\n")
    context.log(7)


def case_long_record(event, context):
    log.error("ü" * 200_000)


# --- Raw output


def case_print(event, context):
    print("one", "two", 3)
    print("two\nlines")
    print("grün", file=sys.stderr)


def case_print_unfinished(event, context):
    print("unfinished", end="")
    log.error("a record")
    log.critical("another")
    print(" and finished")


def case_stderr_unfinished(event, context):
    sys.stderr.write("unfinished")
    log.error("a record")


def case_write_bytes(event, context):
    sys.stdout.buffer.write(b"bytes\n")
    sys.stdout.flush()
    os.write(1, b"by descriptor\n")
    sys.stdout.writelines(["a", "b\n"])


def case_print_json(event, context):
    print(json.dumps({"level": "ERROR", "timestamp": "2026-01-02T03:04:05Z", "message": "own"}))
    print(json.dumps({"level": "WARNING", "timestamp": "2026-01-02T03:04:05.123Z", "message": "own"}))
    print(json.dumps({"level": "DEBUG", "timestamp": "2026-01-02T03:04:05Z", "message": "own"}))
    print(json.dumps({"level": "ERROR", "message": "without a time"}))


def case_child_process(event, context):
    subprocess.run(["sh", "-c", "echo from a child; echo to stderr >&2"], check=True)


def case_print_empty(event, context):
    print()
    print("", end="")
    print("   ")


def case_redirected(event, context):
    with contextlib.redirect_stdout(sys.stderr):
        print("redirected")


def case_stream_properties(event, context):
    return [sys.stdout.encoding, sys.stdout.fileno(), sys.stderr.fileno(), sys.stdout.isatty(), sys.stdout.writable()]


# --- What the handler is given


def case_context(event, context):
    names = [name for name in dir(context) if not name.startswith("_")]
    remaining = context.get_remaining_time_in_millis()
    return [
        names,
        0 < remaining <= 10_000 and type(remaining).__name__,
        context.function_version,
        context.memory_limit_in_mb,
        context.invoked_function_arn.split(":")[-2],
        context.identity.cognito_identity_id,
        repr(context.identity),
    ]


def case_client_context(event, context):
    client = context.client_context
    return [client.custom, client.env, client.client.installation_id, client.client.app_package_name, repr(client), context.w3c()]


def case_trace_id(event, context):
    return os.environ["_X_AMZN_TRACE_ID"].split("=")[0]


def case_environment(event, context):
    return sorted(name for name in os.environ if name.startswith(("AWS_LAMBDA_", "_", "OWN")) and name != "AWS_LAMBDA_LOG_LEVEL")


def case_path(event, context):
    return [sys.path[0] == os.environ["LAMBDA_TASK_ROOT"] or sys.path[0], os.getcwd() == os.environ["LAMBDA_TASK_ROOT"]]


def case_echo(event, context):
    return event
