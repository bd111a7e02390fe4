use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::{MAX_DEPTH, MAX_ENTRIES, MAX_NAME_BYTES, MAX_PATH_BYTES, PackageError};

/// The files and folders that a package unpacks to, including the folders that only appear in the paths of others.
#[derive(Default)]
pub struct Tree {
    folders: HashSet<PathBuf>,
    files: HashSet<PathBuf>,
}

impl Tree {
    /// Adds an entry.
    ///
    /// # Errors
    /// There are too many entries, the path is too long, or the path is both a file and a folder.
    pub fn add(&mut self, path: &Path, is_folder: bool) -> Result<(), PackageError> {
        let (bytes, names) = (path.as_os_str().len(), path.iter());
        if bytes > MAX_PATH_BYTES
            || names.clone().count() > MAX_DEPTH
            || names.clone().any(|name| name.len() > MAX_NAME_BYTES)
        {
            const SHOWN_CHARS: usize = 60;
            return Err(PackageError::PathTooLong(path.to_string_lossy().chars().take(SHOWN_CHARS).collect()));
        }
        let own = usize::from(!is_folder);
        for folder in path.ancestors().skip(own).filter(|folder| !folder.as_os_str().is_empty()) {
            if self.files.contains(folder) {
                return Err(PackageError::NotAZip);
            }
            // The folders above it were added with it.
            if !self.folders.insert(folder.to_owned()) {
                break;
            }
        }
        if !is_folder {
            if self.folders.contains(path) {
                return Err(PackageError::NotAZip);
            }
            self.files.insert(path.to_owned());
        }
        match self.folders.len() + self.files.len() {
            count if count > MAX_ENTRIES => Err(PackageError::TooManyEntries),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::Package;
    use crate::package::tests::zip_of;

    /// The zip has few entries, each deep in folders of its own that are not entries.
    #[test]
    fn folders_in_paths_count_and_depth_is_limited() {
        let deep = |number: usize, depth: usize| format!("{number}/{}f", "d/".repeat(depth - 2));
        let zip_of_names =
            |names: &[String]| zip_of(&names.iter().map(|name| (name.as_str(), &b""[..])).collect::<Vec<_>>());
        let names: Vec<String> = (0..1100).map(|number| deep(number, 60)).collect();
        assert!(matches!(Package::read(&zip_of_names(&names)), Err(PackageError::TooManyEntries)));
        assert!(Package::read(&zip_of_names(&names[..1000])).is_ok());

        assert!(Package::read(&zip_of_names(&[deep(0, MAX_DEPTH)])).is_ok());
        let long =
            vec![deep(0, MAX_DEPTH + 1), "n".repeat(256), format!("{}f", format!("{}/", "n".repeat(250)).repeat(5))];
        for name in long {
            let refused = Package::read(&zip_of_names(&[name])).unwrap_err();
            assert!(matches!(refused, PackageError::PathTooLong(_)), "{refused}");
            assert!(refused.to_string().len() < 400, "{refused}");
        }
    }

    #[test]
    fn a_path_that_is_a_file_and_a_folder_is_rejected_with_awss_message() {
        for names in [["a", "a/b"], ["a/b", "a"], ["a", "a/"], ["a/", "a"], ["a/b/c", "./a/b"]] {
            let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
            for name in names {
                match name.strip_suffix('/') {
                    Some(folder) => writer.add_directory(folder, SimpleFileOptions::default()).unwrap(),
                    None => writer.start_file(name, SimpleFileOptions::default()).unwrap(),
                }
            }
            let zip = writer.finish().unwrap().into_inner();
            assert!(matches!(Package::read(&zip), Err(PackageError::NotAZip)), "{names:?}");
        }
    }
}
