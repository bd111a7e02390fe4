#!/usr/bin/env bash
# The AWS CLI: the same names in two regions, each with its own state.
set -euo pipefail
export AWS_PAGER="" AWS_DEFAULT_OUTPUT=text
stream=clients-regions
for region in us-east-1 ap-southeast-2; do
    aws kinesis create-stream --region "$region" --stream-name "$stream" --shard-count 1
    aws kinesis wait stream-exists --region "$region" --stream-name "$stream"
    arn=$(aws kinesis describe-stream-summary --region "$region" --stream-name "$stream" \
        --query StreamDescriptionSummary.StreamARN)
    [ "$arn" = "arn:aws:kinesis:$region:000000000000:stream/$stream" ]
done
[ -z "$(aws kinesis list-streams --region eu-west-1 --query StreamNames)" ]
aws kinesis delete-stream --region ap-southeast-2 --stream-name "$stream"
aws kinesis wait stream-not-exists --region ap-southeast-2 --stream-name "$stream"
[ "$(aws kinesis list-streams --query StreamNames)" = "$stream" ]
echo "kept apart"
