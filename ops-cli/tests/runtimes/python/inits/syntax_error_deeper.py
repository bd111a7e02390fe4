# handler: index.handler
# --- index.py
import other
# --- other.py
x = = 1
