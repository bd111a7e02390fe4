//! Destinations: queues, topics and buckets. Each is a folder, and each document that AWS would send is a file in it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::errors::invalid_parameter;
use crate::error::AwsError;
use crate::private;
use crate::validation::LAMBDA;

/// The member `DestinationConfig` of a request.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DestinationConfig {
    on_success: Option<DestinationInput>,
    on_failure: Option<DestinationInput>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct DestinationInput {
    destination: Option<String>,
}

impl DestinationConfig {
    /// The ARN, empty if there is none.
    pub fn on_success(&self) -> &str {
        self.on_success.as_ref().and_then(|input| input.destination.as_deref()).unwrap_or_default()
    }

    /// The ARN, empty if there is none.
    pub fn on_failure(&self) -> &str {
        self.on_failure.as_ref().and_then(|input| input.destination.as_deref()).unwrap_or_default()
    }
}

/// # Errors
/// `ValidationException` for a text that is not an ARN, with the destination that `member` names.
pub fn check_arn(arn: &str, member: &str) -> Result<(), AwsError> {
    LAMBDA.check("DestinationArn", &format!("destinationConfig.{member}.destination"), &json!(arn))
}

/// A queue, a topic or a bucket.
#[derive(Debug, Clone, PartialEq)]
pub struct Destination {
    pub arn: String,
    pub service: Service,
    /// Safe as the name of a folder.
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Sqs,
    Sns,
    S3,
}

impl Service {
    fn as_str(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::Sns => "sns",
            Self::S3 => "s3",
        }
    }

    /// Whether a name is one of the service's own.
    fn has_name(self, name: &str) -> bool {
        let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let base = name.strip_suffix(".fifo").unwrap_or(name);
        match self {
            Self::Sqs => (1..=80).contains(&name.len()) && !base.is_empty() && is_word(base),
            Self::Sns => (1..=256).contains(&name.len()) && !base.is_empty() && is_word(base),
            Self::S3 => {
                let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte);
                let is_edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
                (3..=63).contains(&name.len())
                    && name.bytes().all(is_part)
                    && is_edge(name.bytes().next())
                    && is_edge(name.bytes().last())
            }
        }
    }
}

impl Destination {
    /// Reads a destination's ARN; `None` for an empty one.
    ///
    /// # Errors
    /// The ARN is not that of a queue, a topic or a bucket.
    pub fn read(arn: &str) -> Result<Option<Self>, AwsError> {
        if arn.is_empty() {
            return Ok(None);
        }
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let (service, name) = match parts[..] {
            [_, _, "sqs", _, _, name] => (Service::Sqs, name),
            [_, _, "sns", _, _, name] => (Service::Sns, name),
            [_, _, "s3", _, _, name] => (Service::S3, name),
            _ => {
                let message = "The local endpoint has SQS queues, SNS topics and S3 buckets as destinations";
                return Err(invalid_parameter(format!("{message}, not {arn}.")));
            }
        };
        if !service.has_name(name) {
            return Err(invalid_parameter(format!("The destination ARN is invalid: {arn}")));
        }
        Ok(Some(Self { arn: arn.to_owned(), service, name: name.to_owned() }))
    }
}

/// A document that a destination has received.
#[derive(Debug, Serialize, PartialEq)]
pub struct DeliveredDocument {
    service: String,
    /// The name of the queue, topic or bucket.
    name: String,
    /// The object's key, or the file name of a message.
    key: String,
    file: PathBuf,
    document: Value,
}

/// The folder of all destinations. Clones share it.
#[derive(Clone)]
pub struct Destinations {
    folder: Option<PathBuf>,
    /// Created with the first delivery if there is no folder.
    temporary: Arc<Mutex<Option<TempDir>>>,
}

impl Destinations {
    /// Uses a folder below `folder`, or a temporary one that is deleted with the endpoint.
    pub fn new(folder: Option<&Path>) -> Self {
        Self { folder: folder.map(|folder| folder.join("destinations")), temporary: Arc::default() }
    }

    /// Writes a document as a message of a queue or topic, or as an object of a bucket. The file appears atomically.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn deliver(&self, destination: &Destination, key: &str, document: &str) -> io::Result<()> {
        let root = self.root()?.join(destination.service.as_str()).join(&destination.name);
        let file = root.join(key);
        let folder = file.parent().unwrap_or(&root);
        private::create_dir_all(folder)?;
        let mut part = tempfile::Builder::new().prefix(".part").tempfile_in(folder)?;
        io::Write::write_all(&mut part, document.as_bytes())?;
        part.persist(file).map_err(|error| error.error)?;
        Ok(())
    }

    /// Delivers a document on a blocking thread. A failure is logged and has no other effect, as on AWS. The key of an object
    /// starts with `folder`.
    pub async fn send(&self, destination: &Destination, folder: &str, document: String) {
        let (now, random) = (Timestamp::now(), Uuid::new_v4().to_string());
        let key = match destination.service {
            Service::S3 => object_key(folder, now, &random),
            Service::Sqs | Service::Sns => message_key(now, &random),
        };
        let (destinations, to) = (self.clone(), destination.clone());
        let written = tokio::task::spawn_blocking(move || destinations.deliver(&to, &key, &document)).await;
        if let Err(error) = written.unwrap_or_else(|error| Err(io::Error::other(error))) {
            tracing::error!(destination = destination.arn, %error, "could not write the document for a destination");
        }
    }

    /// All delivered documents, sorted by service, name and key. Messages have their time as the key.
    ///
    /// # Errors
    /// The folder could not be read.
    pub fn list(&self) -> io::Result<Vec<DeliveredDocument>> {
        let mut found = Vec::new();
        let root = self.root()?;
        for service in [Service::Sqs, Service::Sns, Service::S3] {
            let folder = root.join(service.as_str());
            for name in names(&folder)? {
                let folder = folder.join(&name);
                let mut files = Vec::new();
                files_below(&folder, &mut files)?;
                files.sort();
                for file in files {
                    let key = file.strip_prefix(&folder).unwrap_or(&file).to_string_lossy().into_owned();
                    let document = serde_json::from_slice(&std::fs::read(&file)?)?;
                    found.push(DeliveredDocument {
                        service: service.as_str().into(),
                        name: name.clone(),
                        key,
                        file,
                        document,
                    });
                }
            }
        }
        Ok(found)
    }

    fn root(&self) -> io::Result<PathBuf> {
        if let Some(folder) = &self.folder {
            return Ok(folder.clone());
        }
        let mut temporary = self.temporary.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = &*temporary {
            return Ok(folder.path().to_owned());
        }
        let created = private::temporary_folder("local-aws-destinations-")?;
        Ok(temporary.insert(created).path().to_owned())
    }
}

/// `FOLDER/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-RANDOM`
fn object_key(folder: &str, now: Timestamp, random: &str) -> String {
    format!("{folder}/{}-{random}", now.strftime("%Y/%m/%d/%Y-%m-%dT%H.%M.%S"))
}

/// The file name of a message. Messages sort by time.
fn message_key(now: Timestamp, random: &str) -> String {
    format!("{}-{random}.json", now.strftime("%Y-%m-%dT%H.%M.%S.%6f"))
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    match std::fs::read_dir(folder) {
        Ok(entries) => {
            for entry in entries {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    Ok(names)
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for name in names(folder)? {
        let path = folder.join(name);
        if path.is_dir() {
            files_below(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_topics_and_buckets_are_destinations() {
        for (arn, service, name) in [
            ("arn:aws:sqs:us-east-1:000000000000:q-1", Service::Sqs, "q-1"),
            ("arn:aws:sns:us-east-1:000000000000:topic.fifo", Service::Sns, "topic.fifo"),
            ("arn:aws:s3:::my.bucket", Service::S3, "my.bucket"),
        ] {
            let destination = Destination::read(arn).unwrap().unwrap();
            assert_eq!((destination.service, destination.name.as_str()), (service, name));
        }
        assert_eq!(Destination::read("").unwrap(), None);
    }

    #[test]
    fn other_destinations_and_names_that_leave_the_folder_are_rejected() {
        assert_eq!(check_arn("queue", "onFailure").unwrap_err().code, "ValidationException");
        assert!(check_arn("", "onFailure").is_ok() && check_arn("arn:aws:s3:::b", "onFailure").is_ok());
        for arn in [
            "arn:aws:kinesis:us-east-1:000000000000:stream/s",
            "kafka://topic",
            "arn:aws:sqs:us-east-1:000000000000:../q",
            "arn:aws:s3:::..",
            "arn:aws:s3:::a/../../b",
            "arn:aws:sns:us-east-1:000000000000:.fifo",
            "arn:aws:s3:::",
        ] {
            assert_eq!(Destination::read(arn).unwrap_err().code, "InvalidParameterValueException", "{arn}");
        }
    }

    #[test]
    fn the_key_of_an_object_has_awss_form() {
        let now = Timestamp::from_millisecond(1_573_691_886_021).unwrap();
        assert_eq!(object_key("aws/lambda/u/s", now, "r"), "aws/lambda/u/s/2019/11/14/2019-11-14T00.38.06-r");
    }

    #[test]
    fn delivered_documents_are_listed_and_stay_in_the_given_folder() {
        let folder = tempfile::tempdir().unwrap();
        let queue = Destination::read("arn:aws:sqs:us-east-1:000000000000:q").unwrap().unwrap();
        let bucket = Destination::read("arn:aws:s3:::bucket").unwrap().unwrap();
        let destinations = Destinations::new(Some(folder.path()));
        assert_eq!(destinations.list().unwrap(), []);
        destinations.deliver(&bucket, "aws/lambda/2026/x", r#"{"b":1}"#).unwrap();
        destinations.deliver(&queue, "1.json", r#"{"a":1}"#).unwrap();
        let again = Destinations::new(Some(folder.path())).list().unwrap();
        let shown: Vec<_> = again.iter().map(|one| (one.service.as_str(), one.key.as_str(), &one.document)).collect();
        let (a, b) = (serde_json::json!({ "a": 1 }), serde_json::json!({ "b": 1 }));
        assert_eq!(shown, [("sqs", "1.json", &a), ("s3", "aws/lambda/2026/x", &b)]);
        assert!(again.iter().all(|one| one.file.starts_with(folder.path())));
    }
}
