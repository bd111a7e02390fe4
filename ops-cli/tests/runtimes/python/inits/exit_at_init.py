# handler: index.handler
# --- index.py
import sys
print("leaving")
sys.exit(5)
