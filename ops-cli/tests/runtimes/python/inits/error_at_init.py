# handler: index.handler
# --- index.py
import other
# --- other.py
print("before")
def fail():
    raise ValueError("at init")
fail()
