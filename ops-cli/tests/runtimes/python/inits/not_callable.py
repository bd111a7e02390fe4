# handler: index.handler
# --- index.py
handler = 7
