//! The endpoint's credentials: what requests are signed with, and what functions get.

use std::fmt;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::folder;

/// The file below the data folder in which credentials outlive the endpoint.
const FILE: &str = "credentials.json";

/// One access key, as `AWS_ACCESS_KEY_ID` and its neighbours carry it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    /// With one, every request must carry it; without one, none may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_token: Option<String>,
}

impl Credentials {
    /// New ones: of the form of AWS's own, with a prefix that scanners for leaked keys do not take for AWS's.
    pub fn random() -> Self {
        let random = || Uuid::new_v4().simple().to_string();
        Self {
            access_key_id: format!("LOCAL{}", &random().to_uppercase()[..15]),
            secret_access_key: format!("{}{}", random(), &random()[..8]),
            session_token: None,
        }
    }

    /// Those kept in this data folder; new ones, kept from now on, if there are none.
    ///
    /// # Errors
    /// The folder is not an endpoint's; the file can be neither read nor written, or holds something else, or others may read it.
    pub fn kept_in(folder: &Path) -> io::Result<Self> {
        folder::prepare(folder).map_err(io::Error::other)?;
        let path = folder.join(FILE);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let kept = match std::fs::read(&path) {
            Ok(kept) => kept,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let new = Self::random();
                new.keep(folder, &path).map_err(named)?;
                return Ok(new);
            }
            Err(error) => return Err(named(error)),
        };
        if std::fs::metadata(&path).map_err(named)?.permissions().mode() & 0o077 != 0 {
            return Err(named(io::Error::other("others may read or write it: chmod 600 it, or delete it")));
        }
        serde_json::from_slice(&kept).map_err(|error| named(error.into()))
    }

    /// A temporary file is made for its owner only (0600), and a rename is whole or not at all.
    fn keep(&self, folder: &Path, path: &Path) -> io::Result<()> {
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
    fn no_two_are_alike_and_no_secret_is_shown() {
        let (one, other) = (Credentials::random(), Credentials::random());
        assert_ne!(one.access_key_id, other.access_key_id);
        assert_ne!(one.secret_access_key, other.secret_access_key);
        assert_eq!((one.access_key_id.len(), one.secret_access_key.len()), (20, 40));
        assert!(!format!("{one:?}").contains(&one.secret_access_key));
    }

    #[test]
    fn they_are_kept_and_only_for_their_owner() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let kept = Credentials::kept_in(&data).unwrap();
        assert_eq!(Credentials::kept_in(&data).unwrap(), kept);
        let file = data.join(FILE);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(Credentials::kept_in(&data).unwrap_err().to_string().contains("chmod 600"));
        assert!(Credentials::kept_in(folder.path()).is_err(), "a folder that is not ours");
        assert!(!folder.path().join(FILE).exists());
    }
}
