# handler: index.handler
# --- index.py
def handler(event, context):
return 1
