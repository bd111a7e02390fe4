# handler: dir/file.fn
# --- dir/file.py
def fn(event, context):
    return __name__
