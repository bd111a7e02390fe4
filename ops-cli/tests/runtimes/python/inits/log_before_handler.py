# handler: index.handler
# --- index.py
import logging, sys
logging.error("with %s", "args")
logging.getLogger("x").critical("critical", extra={"a": 1})
print("printed", end="")
sys.stderr.write("to stderr")
def handler(event, context):
    logging.error("in the handler")
    return 1
