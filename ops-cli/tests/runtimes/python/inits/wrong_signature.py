# handler: index.handler
# --- index.py
def handler(event):
    return 1
