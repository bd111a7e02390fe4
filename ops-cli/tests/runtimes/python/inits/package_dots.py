# handler: pkg.mod.fn
# --- pkg/__init__.py
# --- pkg/mod.py
def fn(event, context):
    return [__name__, event]
