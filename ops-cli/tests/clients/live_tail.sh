#!/usr/bin/env bash
# The AWS CLI's `logs start-live-tail`, with nothing but the endpoint's exports. $1: the folder to work in.
set -euo pipefail
work=$1 group=/clients/live-tail
export AWS_PAGER="" PYTHONUNBUFFERED=1
aws logs create-log-group --log-group-name "$group"
aws logs create-log-stream --log-group-name "$group" --log-stream-name one
arn=$(aws logs describe-log-groups --log-group-name-prefix "$group" --query 'logGroups[0].logGroupArn' --output text)
aws logs start-live-tail --log-group-identifiers "$arn" >"$work/tailed.txt" 2>&1 &
tail=$!
trap 'kill "$tail" 2>/dev/null || true' EXIT
for _ in $(seq 60); do
    aws logs put-log-events --log-group-name "$group" --log-stream-name one \
        --log-events "timestamp=$(date +%s%3N),message=while tailed" >/dev/null
    grep -q "while tailed" "$work/tailed.txt" && break
    kill -0 "$tail" 2>/dev/null || break
done
grep -q "while tailed" "$work/tailed.txt" || { cat "$work/tailed.txt" >&2; exit 1; }
echo tailed
