# handler: index.handler
# --- index.py
import os
os.environ["NO_SUCH"]
