# handler: index.handler
# --- index.py
import os

def handler(event, context):
    return (
