# handler: bootstrap_user.handler
# --- bootstrap_user.py
def handler(event, context):
    raise ValueError("in a file of such a name")
