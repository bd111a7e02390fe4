# handler: index.handler
# --- index.py
raise ValueError("5 \u20ac")
