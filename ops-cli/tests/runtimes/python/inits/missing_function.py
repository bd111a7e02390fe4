# handler: index.nothing
# --- index.py
