//! The endpoint's credentials, which requests are signed with and functions get.

use std::fmt;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::folder;

/// The file in the data directory that persists the credentials.
const FILE: &str = "credentials.json";

/// An access key, as the environment variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`
/// contain it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    /// If set, every request must carry it. If not, none may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<String>,
}

impl Credentials {
    /// Generates credentials in the form of AWS's own, with a prefix that scanners for leaked keys do not mistake for
    /// AWS's.
    pub fn random() -> Self {
        let random = || Uuid::new_v4().simple().to_string();
        Self {
            access_key_id: format!("LOCAL{}", &random().to_uppercase()[..15]),
            secret_access_key: format!("{}{}", random(), &random()[..8]),
            session_token: None,
        }
    }

    /// Reads the credentials of a data directory. Creates and persists new ones if there are none, if other users could
    /// read or write them, or, with `is_recovering`, if the file is damaged.
    ///
    /// # Errors
    /// The folder is not a data directory, or the file cannot be read or written, or is damaged.
    pub fn load_or_create(folder: &Path, is_recovering: bool) -> io::Result<Self> {
        folder::prepare(folder, is_recovering).map_err(io::Error::other)?;
        let path = folder.join(FILE);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let stored = match std::fs::read(&path) {
            Ok(stored) => stored,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let new = Self::random();
                new.persist(folder, &path).map_err(named)?;
                return Ok(new);
            }
            Err(error) => return Err(named(error)),
        };
        let reason = if std::fs::metadata(&path).map_err(named)?.permissions().mode() & 0o077 != 0 {
            "other users could read or write them".to_owned()
        } else {
            match serde_json::from_slice(&stored) {
                Ok(credentials) => return Ok(credentials),
                Err(error) if is_recovering => format!("they are damaged: {error}"),
                Err(error) => {
                    let what_to_do = format!("{error}; start with --recover or delete the file to get new credentials");
                    return Err(named(io::Error::other(what_to_do)));
                }
            }
        };
        tracing::warn!("the credentials in {} were replaced by new ones: {reason}", path.display());
        let new = Self::random();
        new.persist(folder, &path).map_err(named)?;
        Ok(new)
    }

    /// Writes atomically: a temporary file has mode 0600 from the start, and renaming it replaces the old one.
    fn persist(&self, folder: &Path, path: &Path) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut file, self)?;
        file.flush()?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_credentials_differ_and_debug_output_hides_the_secret() {
        let (one, other) = (Credentials::random(), Credentials::random());
        assert_ne!(one.access_key_id, other.access_key_id);
        assert_ne!(one.secret_access_key, other.secret_access_key);
        assert_eq!((one.access_key_id.len(), one.secret_access_key.len()), (20, 40));
        assert!(!format!("{one:?}").contains(&one.secret_access_key));
    }

    #[test]
    fn credentials_persist_in_a_file_for_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let created = Credentials::load_or_create(&data, false).unwrap();
        assert_eq!(Credentials::load_or_create(&data, false).unwrap(), created);
        let file = data.join(FILE);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(Credentials::load_or_create(folder.path(), false).is_err(), "a folder that is not ours");
        assert!(!folder.path().join(FILE).exists());
    }

    #[test]
    fn a_file_that_other_users_can_access_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let file = data.join(FILE);
        let mut before = Credentials::load_or_create(&data, false).unwrap();
        for mode in [0o644, 0o604, 0o620, 0o666] {
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
            let new = Credentials::load_or_create(&data, false).unwrap();
            assert_ne!(new, before, "{mode:o}");
            assert_eq!(Credentials::load_or_create(&data, false).unwrap(), new);
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            before = new;
        }
    }

    #[test]
    fn a_damaged_file_is_refused_and_replaced_when_the_folder_is_recovered() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let created = Credentials::load_or_create(&data, false).unwrap();
        for damaged in [&b""[..], b"{", b"{}", b"\xff"] {
            std::fs::write(data.join(FILE), damaged).unwrap();
            let refused = Credentials::load_or_create(&data, false).unwrap_err().to_string();
            assert!(refused.contains(FILE) && refused.contains("--recover"), "{refused}");
            assert_eq!(std::fs::read(data.join(FILE)).unwrap(), damaged, "it is left as it is");
            assert_ne!(Credentials::load_or_create(&data, true).unwrap(), created);
        }
    }
}
