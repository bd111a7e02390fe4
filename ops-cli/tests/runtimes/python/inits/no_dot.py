# handler: index
# --- index.py
