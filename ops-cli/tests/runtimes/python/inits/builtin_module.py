# handler: sys.exit
# --- index.py
