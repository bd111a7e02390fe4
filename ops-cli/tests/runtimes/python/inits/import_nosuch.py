# handler: index.handler
# --- index.py
import nosuch
