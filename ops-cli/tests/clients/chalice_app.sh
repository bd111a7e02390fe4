#!/usr/bin/env bash
# chalice deploys an application whose function reads a stream, shows its log and deletes it. $1: the folder to work in.
set -euo pipefail
cd "$1"
fail() { echo "chalice: $*" >&2; exit 1; }
aws kinesis create-stream --stream-name orders --shard-count 1
aws kinesis wait stream-exists --stream-name orders
mkdir -p app/.chalice
cd app
touch requirements.txt
cat >.chalice/config.json <<'JSON'
{"version": "2.0", "app_name": "shop", "stages": {"dev": {"lambda_memory_size": 256, "environment_variables": {"SHOP": "here"}}}}
JSON
cat >app.py <<'PY'
import os
from chalice import Chalice

app = Chalice(app_name="shop")


@app.lambda_function()
def hello(event, context):
    return {"hello": event["name"], "shop": os.environ["SHOP"]}


@app.on_kinesis_record(stream="orders", batch_size=10, starting_position="TRIM_HORIZON")
def orders(event):
    for record in event:
        print("order", record.data.decode())
PY
chalice deploy
[[ $(echo '{"name": "you"}' | chalice invoke --name hello) == '{"hello": "you", "shop": "here"}' ]] || fail "invoke"
aws kinesis put-record --stream-name orders --partition-key k --data seven >/dev/null
for _ in $(seq 100); do
    chalice logs --name orders 2>/dev/null | grep -q "order seven" && break
    sleep 0.2
done
chalice logs --name orders | grep -q "order seven" || fail "logs: $(chalice logs --name orders)"
sed -i 's/"lambda_memory_size": 256/"lambda_memory_size": 512/' .chalice/config.json
chalice deploy
memory=$(aws lambda get-function-configuration --function-name shop-dev-hello --query MemorySize)
[[ $memory == 512 ]] || fail "memory: $memory"
chalice delete
[[ $(aws lambda list-functions --query 'length(Functions)') == 0 ]] || fail "functions are left behind"
[[ $(aws iam list-roles --query 'length(Roles)') == 0 ]] || fail "roles are left behind"
[[ $(aws lambda list-event-source-mappings --query 'length(EventSourceMappings)') == 0 ]] || fail "mappings are left behind"
echo deployed
