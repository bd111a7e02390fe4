# handler: nowhere.handler
# --- index.py
