//! The operations that are answered, service by service. What is not listed here is not dispatched; docs/operations.md shows
//! these lists, and a test compares.

use http::Request;

use crate::error::AwsError;
use crate::lambda::Lambda;

/// One service's operations.
#[derive(Debug, PartialEq)]
pub struct Service {
    pub name: &'static str,
    pub operations: &'static [&'static str],
}

/// An operation that is answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Operation {
    pub service: &'static str,
    pub name: &'static str,
}

impl Operation {
    /// Of requests that name none that is answered.
    pub const NONE: Self = Self { service: "none", name: "none" };

    /// Whether the operation changes nothing.
    pub fn only_reads(self) -> bool {
        let verbs = ["Describe", "Filter", "Get", "List", "StartLiveTail", "SubscribeToShard"];
        verbs.iter().any(|verb| self.name.starts_with(verb))
    }

    /// The one that a request's head names; a query request names its in the body.
    pub fn named_by<B>(request: &Request<B>) -> Option<Self> {
        let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok());
        match target.map(|target| target.split_once('.')) {
            Some(Some(("Kinesis_20131202", operation))) => KINESIS.find(operation),
            Some(Some(("Logs_20140328", operation))) => LOGS.find(operation),
            Some(_) => None,
            None => LAMBDA.find(Lambda::operation(request.method(), request.uri().path())?),
        }
    }
}

/// Whether the head of a request for this operation names it.
pub fn is_named_by_head(operation: &str) -> bool {
    [&KINESIS, &LAMBDA, &LOGS].iter().any(|service| service.find(operation).is_some())
}

impl Service {
    fn find(&self, operation: &str) -> Option<Operation> {
        let name = self.operations.iter().find(|name| **name == operation)?;
        Some(Operation { service: self.name, name })
    }

    /// The operation.
    ///
    /// # Errors
    /// It is not one that is answered: `code` is the service's for that.
    pub fn must_have(&self, operation: &str, code: &'static str) -> Result<Operation, AwsError> {
        self.find(operation).ok_or_else(|| {
            let operation = match operation {
                "" => "a request without an operation".to_owned(),
                operation => format!("the {} operation {operation}", self.name),
            };
            AwsError::bad_request(code, format!("The local endpoint does not answer {operation}."))
        })
    }
}

pub const KINESIS: Service = Service {
    name: "Kinesis",
    operations: &[
        "AddTagsToStream",
        "CreateStream",
        "DecreaseStreamRetentionPeriod",
        "DeleteResourcePolicy",
        "DeleteStream",
        "DeregisterStreamConsumer",
        "DescribeAccountSettings",
        "DescribeLimits",
        "DescribeStream",
        "DescribeStreamConsumer",
        "DescribeStreamSummary",
        "DisableEnhancedMonitoring",
        "EnableEnhancedMonitoring",
        "GetRecords",
        "GetResourcePolicy",
        "GetShardIterator",
        "IncreaseStreamRetentionPeriod",
        "ListShards",
        "ListStreamConsumers",
        "ListStreams",
        "ListTagsForResource",
        "ListTagsForStream",
        "MergeShards",
        "PutRecord",
        "PutRecords",
        "PutResourcePolicy",
        "RegisterStreamConsumer",
        "RemoveTagsFromStream",
        "SplitShard",
        "StartStreamEncryption",
        "StopStreamEncryption",
        "SubscribeToShard",
        "TagResource",
        "UntagResource",
        "UpdateAccountSettings",
        "UpdateMaxRecordSize",
        "UpdateShardCount",
        "UpdateStreamMode",
        "UpdateStreamRecordDistributionStrategy",
        "UpdateStreamWarmThroughput",
    ],
};

pub const LAMBDA: Service = Service {
    name: "Lambda",
    operations: &[
        "AddPermission",
        "CreateAlias",
        "CreateEventSourceMapping",
        "CreateFunction",
        "DeleteAlias",
        "DeleteEventSourceMapping",
        "DeleteFunction",
        "DeleteFunctionConcurrency",
        "DeleteFunctionEventInvokeConfig",
        "GetAccountSettings",
        "GetAlias",
        "GetEventSourceMapping",
        "GetFunction",
        "GetFunctionCodeSigningConfig",
        "GetFunctionConcurrency",
        "GetFunctionConfiguration",
        "GetFunctionEventInvokeConfig",
        "GetFunctionRecursionConfig",
        "GetFunctionUrlConfig",
        "GetPolicy",
        "Invoke",
        "ListAliases",
        "ListEventSourceMappings",
        "ListFunctionEventInvokeConfigs",
        "ListFunctionUrlConfigs",
        "ListFunctions",
        "ListTags",
        "ListVersionsByFunction",
        "PublishVersion",
        "PutFunctionConcurrency",
        "PutFunctionEventInvokeConfig",
        "RemovePermission",
        "TagResource",
        "UntagResource",
        "UpdateAlias",
        "UpdateEventSourceMapping",
        "UpdateFunctionCode",
        "UpdateFunctionConfiguration",
        "UpdateFunctionEventInvokeConfig",
    ],
};

pub const LOGS: Service = Service {
    name: "CloudWatch Logs",
    operations: &[
        "AssociateKmsKey",
        "CreateLogGroup",
        "CreateLogStream",
        "DeleteLogGroup",
        "DeleteLogStream",
        "DeleteRetentionPolicy",
        "DescribeLogGroups",
        "DescribeLogStreams",
        "DescribeMetricFilters",
        "DescribeResourcePolicies",
        "DescribeSubscriptionFilters",
        "DisassociateKmsKey",
        "FilterLogEvents",
        "GetLogEvents",
        "ListLogGroups",
        "ListTagsForResource",
        "ListTagsLogGroup",
        "PutLogEvents",
        "PutLogGroupDeletionProtection",
        "PutRetentionPolicy",
        "StartLiveTail",
        "TagLogGroup",
        "TagResource",
        "UntagLogGroup",
        "UntagResource",
    ],
};

pub const IAM: Service = Service {
    name: "IAM",
    operations: &[
        "AddRoleToInstanceProfile",
        "AttachRolePolicy",
        "CreateInstanceProfile",
        "CreateRole",
        "DeleteInstanceProfile",
        "DeleteRole",
        "DeleteRolePermissionsBoundary",
        "DeleteRolePolicy",
        "DetachRolePolicy",
        "GetInstanceProfile",
        "GetRole",
        "GetRolePolicy",
        "ListAccountAliases",
        "ListAttachedRolePolicies",
        "ListInstanceProfileTags",
        "ListInstanceProfiles",
        "ListInstanceProfilesForRole",
        "ListPolicies",
        "ListRolePolicies",
        "ListRoleTags",
        "ListRoles",
        "PutRolePermissionsBoundary",
        "PutRolePolicy",
        "RemoveRoleFromInstanceProfile",
        "TagInstanceProfile",
        "TagRole",
        "UntagInstanceProfile",
        "UntagRole",
        "UpdateAssumeRolePolicy",
        "UpdateRole",
        "UpdateRoleDescription",
    ],
};

pub const STS: Service = Service { name: "STS", operations: &["GetCallerIdentity"] };

#[cfg(test)]
pub const SERVICES: [&Service; 5] = [&KINESIS, &LAMBDA, &LOGS, &IAM, &STS];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::{IpAddr, Ipv4Addr};
    use std::path::Path;

    use bytes::Bytes;

    use super::*;
    use crate::{Config, Services};

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const BEGIN: &str = "<!-- The router's own list: UPDATE_GOLDEN=1 cargo test -p local-aws operations -->\n";
    const END: &str = "\n<!-- -->\n";

    #[test]
    fn the_documentation_lists_every_answered_operation() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = page.split_once(BEGIN).expect("docs/operations.md has the table's beginning");
        let (table, after) = rest.split_once(END).expect("docs/operations.md has the table's end");
        let rows = SERVICES.map(|service| format!("| {} | {} |\n", service.name, service.operations.join(", ")));
        let expected = format!("| service | operations |\n|---|---|\n{}", rows.concat());
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
        } else {
            assert_eq!(table, expected, "UPDATE_GOLDEN=1 writes it");
        }
    }

    /// From botocore 1.44's model.
    const ALL_OF_KINESIS: &str = "\
        AcknowledgeDeadLetterQueueRecords AcknowledgeQueueRecords AddTagsToStream CreateChannel CreateQueue \
        CreateStream DecreaseStreamRetentionPeriod DeleteChannel DeleteQueue DeleteResourcePolicy DeleteStream \
        DeregisterStreamConsumer DescribeAccountSettings DescribeChannel DescribeLimits DescribeQueue DescribeStream \
        DescribeStreamConsumer DescribeStreamSummary DisableEnhancedMonitoring EnableEnhancedMonitoring GetRecords \
        GetResourcePolicy GetShardIterator IncreaseStreamRetentionPeriod ListChannels ListQueues ListShards \
        ListStreamConsumers ListStreams ListTagsForResource ListTagsForStream MergeShards PutRecord PutRecords \
        PutResourcePolicy ReceiveDeadLetterQueueRecords ReceiveQueueRecords RegisterStreamConsumer \
        RemoveTagsFromStream RestoreDeadLetterQueueRecords SplitShard StartStreamEncryption StopStreamEncryption \
        SubscribeToShard TagResource UntagResource UpdateAccountSettings UpdateChannel \
        UpdateDeadLetterQueueRecordsVisibility UpdateMaxRecordSize UpdateQueue UpdateQueueRecordsVisibility \
        UpdateShardCount UpdateStreamMode UpdateStreamRecordDistributionStrategy UpdateStreamWarmThroughput";

    /// From botocore 1.43's model.
    const ALL_OF_LOGS: &str = "\
        AssociateKmsKey AssociateSourceToS3TableIntegration CancelExportTask CancelImportTask CreateDelivery \
        CreateExportTask CreateImportTask CreateLogAnomalyDetector CreateLogGroup CreateLogStream \
        CreateLookupTable CreateScheduledQuery DeleteAccountPolicy DeleteDataProtectionPolicy DeleteDelivery \
        DeleteDeliveryDestination DeleteDeliveryDestinationPolicy DeleteDeliverySource DeleteDestination \
        DeleteIndexPolicy DeleteIntegration DeleteLogAnomalyDetector DeleteLogGroup DeleteLogStream \
        DeleteLookupTable DeleteMetricFilter DeleteQueryDefinition DeleteResourcePolicy \
        DeleteRetentionPolicy DeleteScheduledQuery DeleteSubscriptionFilter DeleteTransformer \
        DescribeAccountPolicies DescribeConfigurationTemplates DescribeDeliveries \
        DescribeDeliveryDestinations DescribeDeliverySources DescribeDestinations DescribeExportTasks \
        DescribeFieldIndexes DescribeImportTaskBatches DescribeImportTasks DescribeIndexPolicies \
        DescribeLogGroups DescribeLogStreams DescribeLookupTables DescribeMetricFilters DescribeQueries \
        DescribeQueryDefinitions DescribeResourcePolicies DescribeSubscriptionFilters DisassociateKmsKey \
        DisassociateSourceFromS3TableIntegration FilterLogEvents GetDataProtectionPolicy GetDelivery \
        GetDeliveryDestination GetDeliveryDestinationPolicy GetDeliverySource GetIntegration \
        GetLogAnomalyDetector GetLogEvents GetLogFields GetLogGroupFields GetLogObject GetLogRecord \
        GetLookupTable GetQueryResults GetScheduledQuery GetScheduledQueryHistory GetTransformer \
        ListAggregateLogGroupSummaries ListAnomalies ListIntegrations ListLogAnomalyDetectors ListLogGroups \
        ListLogGroupsForQuery ListScheduledQueries ListSourcesForS3TableIntegration ListTagsForResource \
        ListTagsLogGroup PutAccountPolicy PutBearerTokenAuthentication PutDataProtectionPolicy \
        PutDeliveryDestination PutDeliveryDestinationPolicy PutDeliverySource PutDestination \
        PutDestinationPolicy PutIndexPolicy PutIntegration PutLogEvents PutLogGroupDeletionProtection \
        PutMetricFilter PutQueryDefinition PutResourcePolicy PutRetentionPolicy PutSubscriptionFilter \
        PutTransformer StartLiveTail StartQuery StopQuery TagLogGroup TagResource TestMetricFilter \
        TestTransformer UntagLogGroup UntagResource UpdateAnomaly UpdateDeliveryConfiguration \
        UpdateLogAnomalyDetector UpdateLookupTable UpdateScheduledQuery";

    fn is_unknown(error: &AwsError) -> bool {
        ["UnknownOperationException", "InvalidAction"].contains(&error.code.as_ref())
    }

    /// Where the other operations are known, both ways: one that a service has come to answer, and that is not listed,
    /// would not be dispatched.
    #[tokio::test]
    async fn what_is_listed_is_answered_by_its_service() {
        let Services { kinesis, logs, identity, .. } = Services::open(Config::default(), LOOPBACK).await.unwrap();
        let nothing = BTreeMap::new();
        for operation in ALL_OF_KINESIS.split(' ') {
            let request = Request::post("/").header("content-type", "application/x-amz-json-1.1");
            let request = request.body(Bytes::from_static(b"{}")).unwrap();
            let is_answered = !kinesis.handle(operation, request).await.is_err_and(|error| is_unknown(&error));
            assert_eq!(is_answered, KINESIS.operations.contains(&operation), "{operation}");
        }
        for operation in ALL_OF_LOGS.split(' ') {
            let answer = match operation {
                "StartLiveTail" => logs.start_live_tail(b"{}").map(drop),
                _ => logs.call(operation, b"{}").map(drop),
            };
            let is_answered = !answer.is_err_and(|error| is_unknown(&error));
            assert_eq!(is_answered, LOGS.operations.contains(&operation), "{operation}");
        }
        for operation in IAM.operations {
            assert!(!identity.iam(operation, &nothing).is_err_and(|error| is_unknown(&error)), "{operation}");
        }
        for operation in STS.operations {
            assert!(!identity.sts(operation, &nothing, None).is_err_and(|error| is_unknown(&error)), "{operation}");
        }
    }

    #[tokio::test]
    async fn lambda_answers_what_is_listed_and_nothing_else() {
        let Services { lambda, .. } = Services::open(Config::default(), LOOPBACK).await.unwrap();
        for (method, path, operation) in Lambda::operations() {
            let request = Request::builder().method(*method).uri(path.replace(['{', '}'], ""));
            let answer = lambda.handle(request.body(Bytes::from_static(b"{}")).unwrap()).await;
            let is_answered = !answer.is_err_and(|error| is_unknown(&error));
            assert_eq!(is_answered, LAMBDA.operations.contains(operation), "{operation}");
        }
    }
}
