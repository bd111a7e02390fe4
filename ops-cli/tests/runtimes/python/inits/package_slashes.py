# handler: pkg/mod.fn
# --- pkg/mod.py
from .other import value
def fn(event, context):
    return [__name__, value]
# --- pkg/other.py
value = 7
