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

    /// Those kept in this data folder; new ones, kept from now on, if there are none, or if others could read or write them.
    /// With `is_recovering`, new ones too if the file is damaged.
    ///
    /// # Errors
    /// The folder is not an endpoint's; the file can be neither read nor written, or holds something else.
    pub fn kept_in(folder: &Path, is_recovering: bool) -> io::Result<Self> {
        folder::prepare(folder, is_recovering).map_err(io::Error::other)?;
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
        let reason = if std::fs::metadata(&path).map_err(named)?.permissions().mode() & 0o077 != 0 {
            "others could read or write them".to_owned()
        } else {
            match serde_json::from_slice(&kept) {
                Ok(kept) => return Ok(kept),
                Err(error) if is_recovering => format!("they are damaged: {error}"),
                Err(error) => {
                    let what_to_do = format!("{error}; --recover makes new credentials, as deleting the file does");
                    return Err(named(io::Error::other(what_to_do)));
                }
            }
        };
        tracing::warn!("new credentials in place of those in {}: {reason}", path.display());
        let new = Self::random();
        new.keep(folder, &path).map_err(named)?;
        Ok(new)
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
        let kept = Credentials::kept_in(&data, false).unwrap();
        assert_eq!(Credentials::kept_in(&data, false).unwrap(), kept);
        let file = data.join(FILE);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(Credentials::kept_in(folder.path(), false).is_err(), "a folder that is not ours");
        assert!(!folder.path().join(FILE).exists());
    }

    #[test]
    fn what_others_could_read_or_write_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let file = data.join(FILE);
        let mut before = Credentials::kept_in(&data, false).unwrap();
        for mode in [0o644, 0o604, 0o620, 0o666] {
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
            let new = Credentials::kept_in(&data, false).unwrap();
            assert_ne!(new, before, "{mode:o}");
            assert_eq!(Credentials::kept_in(&data, false).unwrap(), new);
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
            before = new;
        }
    }

    #[test]
    fn a_damaged_file_is_refused_and_replaced_when_the_folder_is_recovered() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let kept = Credentials::kept_in(&data, false).unwrap();
        for damaged in [&b""[..], b"{", b"{}", b"\xff"] {
            std::fs::write(data.join(FILE), damaged).unwrap();
            let refused = Credentials::kept_in(&data, false).unwrap_err().to_string();
            assert!(refused.contains(FILE) && refused.contains("--recover"), "{refused}");
            assert_eq!(std::fs::read(data.join(FILE)).unwrap(), damaged, "it is left as it is");
            assert_ne!(Credentials::kept_in(&data, true).unwrap(), kept);
        }
    }
}
