# handler: index.handler
# --- index.py
class Handler:
    def __call__(self, event, context):
        return "called"
handler = Handler()
