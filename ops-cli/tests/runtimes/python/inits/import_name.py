# handler: index.handler
# --- index.py
from os import nosuch
