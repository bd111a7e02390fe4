#!/usr/bin/env bash
# The walk-through that this project replaces, typed with the AWS CLI, against the endpoint in AWS_ENDPOINT_URL.
# $1: the zip of the Rust function. $2: the folder to work in. Each step's answer is checked.
set -euo pipefail
zip=$1 work=$2
export AWS_PAGER="" PYTHONUNBUFFERED=1

# The second AWS CLI takes --data for base64 unless it is told.
raw=()
[[ $(aws --version 2>&1) != aws-cli/2* ]] || raw=(--cli-binary-format raw-in-base64-out)

fail() { echo "walk-through: $*" >&2; exit 1; }
# until_says WHAT TEXT COMMAND…: runs the command until its output holds the text.
until_says() {
    local what=$1 text=$2 answer=; shift 2
    for _ in $(seq 60); do
        answer=$("$@" 2>&1) || true
        [[ $answer == *"$text"* ]] && return
    done
    fail "$what: no $text in: $answer"
}

walk() { # FUNCTION RUNTIME HANDLER ZIP
    local function=$1 runtime=$2 handler=$3 zip=$4 stream=lambda-cli-stream
    echo "-- $function ($runtime)"
    aws kinesis create-stream --stream-name "$stream" --shard-count 1
    [[ $(aws kinesis list-streams --output text --query StreamNames) == "$stream" ]] || fail "list-streams"
    aws kinesis wait stream-exists --stream-name "$stream"
    local arn status
    read -r arn status < <(aws kinesis describe-stream --stream-name "$stream" --output text \
        --query 'StreamDescription.[StreamARN,StreamStatus]')
    [[ $status == ACTIVE && $arn == arn:aws:kinesis:*:stream/$stream ]] || fail "describe-stream: $arn $status"

    local role
    role=$(aws iam create-role --role-name lambda-cli-role --output text --query Role.Arn --assume-role-policy-document \
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}')
    aws iam attach-role-policy --role-name lambda-cli-role \
        --policy-arn arn:aws:iam::aws:policy/service-role/AWSLambdaKinesisExecutionRole
    aws lambda create-function --function-name "$function" --runtime "$runtime" --handler "$handler" \
        --role "$role" --zip-file "fileb://$zip" >"$work/create-function.json"
    aws lambda wait function-active-v2 --function-name "$function"

    local uuid
    uuid=$(aws lambda create-event-source-mapping --function-name "$function" --event-source "$arn" \
        --batch-size 1 --starting-position LATEST --output text --query UUID)
    until_says "list-event-source-mappings" Enabled \
        aws lambda list-event-source-mappings --function-name "$function" --query 'EventSourceMappings[].State'

    aws kinesis put-record --stream-name "$stream" --partition-key 1 "${raw[@]}" \
        --data "Hello, Lambda CLI World" >"$work/put-record.json"
    local group=/aws/lambda/$function
    until_says "describe-log-streams" '[$LATEST]' aws logs describe-log-streams --log-group-name "$group"
    local log
    log=$(aws logs describe-log-streams --log-group-name "$group" --output text --query 'logStreams[0].logStreamName')
    until_says "get-log-events" "Hello, Lambda CLI World" \
        aws logs get-log-events --log-group-name "$group" --log-stream-name "$log" --query 'events[].message'

    aws lambda delete-event-source-mapping --uuid "$uuid" >"$work/delete-mapping.json"
    until_says "the mapping to be gone" ResourceNotFoundException aws lambda get-event-source-mapping --uuid "$uuid"
    aws lambda delete-function --function-name "$function"
    aws logs delete-log-group --log-group-name "$group"
    aws iam detach-role-policy --role-name lambda-cli-role \
        --policy-arn arn:aws:iam::aws:policy/service-role/AWSLambdaKinesisExecutionRole
    aws iam delete-role --role-name lambda-cli-role
    aws kinesis delete-stream --stream-name "$stream"
    aws kinesis wait stream-not-exists --stream-name "$stream"
}

walk kinesisEventLogger provided.al2023 bootstrap "$zip"

if command -v node >/dev/null; then
    cat >"$work/kinesisEventLogger.js" <<'JS'
exports.handler = async (event) => { event.Records.forEach(r => console.log(Buffer.from(r.kinesis.data, 'base64').toString('utf8'))); };
JS
    python3 -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1], "w").write(sys.argv[2], "kinesisEventLogger.js")' \
        "$work/kinesisEventLogger.zip" "$work/kinesisEventLogger.js"
    walk kinesisEventLogger nodejs20.x kinesisEventLogger.handler "$work/kinesisEventLogger.zip"
else
    echo "-- node is not on PATH: the JavaScript function was not walked"
fi
echo "walked"
