#!/usr/bin/env bash
# awslogs, and the AWS CLI where the two overlap: groups, streams, get with a filter, get --watch. $1: the folder to work in.
set -euo pipefail
work=$1 group=/clients/awslogs
export AWS_PAGER="" PYTHONUNBUFFERED=1
fail() { echo "awslogs: $*" >&2; exit 1; }
put() { aws logs put-log-events --log-group-name "$group" --log-stream-name "$1" --log-events "timestamp=$(date +%s%3N),message='$2'" >/dev/null; }

aws logs create-log-group --log-group-name "$group"
for stream in one two; do
    aws logs create-log-stream --log-group-name "$group" --log-stream-name "$stream"
    put "$stream" "{\"from\":\"$stream\",\"n\":1}"
done
[[ $(awslogs groups --log-group-prefix /clients) == "$group" ]] || fail "groups"
[[ $(awslogs streams "$group") == $'one\ntwo' ]] || fail "streams"
get() { awslogs get "$group" "$@" --no-group --start 5m; }
[[ $(get ALL | tr -s ' ' | sort) == $'one {"from":"one","n":1}\ntwo {"from":"two","n":1}' ]] || fail "get: $(get ALL)"
[[ $(get 'tw.*' --no-stream) == '{"from":"two","n":1}' ]] || fail "get of a stream"
[[ $(get ALL --no-stream --filter-pattern '{ $.from = "one" }' --query n) == 1 ]] || fail "get with a filter"

get ALL --no-stream --watch --watch-interval 1 >"$work/watched.txt" &
watch=$!
trap 'kill "$watch" 2>/dev/null || true' EXIT
for word in first second; do
    put one "$word while watched"
    for _ in $(seq 100); do
        grep -q "$word while watched" "$work/watched.txt" && continue 2
        sleep 0.1
    done
    fail "--watch did not show the $word line: $(cat "$work/watched.txt")"
done
kill -INT "$watch"
[[ $(sort "$work/watched.txt" | uniq --repeated) == "" ]] || fail "--watch repeated a line"
aws logs delete-log-group --log-group-name "$group"
[[ $(awslogs groups) == "" ]] || fail "groups after the end"
echo "watched"
