use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::read::ZipFile;

use crate::tree::Tree;
use crate::{MAX_ENTRIES, PackageError};

/// A file or folder of a zip, whose path was checked.
pub struct ZipEntry<'archive, 'zip> {
    path: PathBuf,
    file: ZipFile<'archive, Cursor<&'zip [u8]>>,
}

impl ZipEntry<'_, '_> {
    /// The path below the function's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this is a folder.
    pub fn is_folder(&self) -> bool {
        self.file.is_dir()
    }

    /// Whether the zip's mode bits make this a program.
    pub fn is_executable(&self) -> bool {
        self.file.unix_mode().is_some_and(|mode| mode & 0o111 != 0)
    }

    /// The zip's mode bits, if they keep other users than the owner from executing the file. Lambda runs it as another user.
    pub fn forbidden_mode(&self) -> Option<u32> {
        const EXECUTE: u32 = 0o005;
        self.file.unix_mode().map(|mode| mode & 0o7777).filter(|mode| mode & EXECUTE != EXECUTE)
    }

    /// The number of bytes by the zip's directory. The data may be longer in a zip that is damaged or hostile.
    pub fn size(&self) -> u64 {
        self.file.size()
    }
}

impl Read for ZipEntry<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

/// Calls `each` for every entry of the zip but its root folder, in the zip's order.
///
/// # Errors
/// The bytes are not a zip, the zip is empty or has too many entries, an entry's path is too long, leaves the folder or is both
/// a file and a folder, an entry is a symbolic link, or `each` fails.
pub fn for_each_entry<E: From<PackageError>>(
    zip: &[u8],
    mut each: impl FnMut(ZipEntry<'_, '_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut archive = ZipArchive::new(Cursor::new(zip)).map_err(|_| PackageError::NotAZip)?;
    match archive.len() {
        0 => return Err(PackageError::Empty.into()),
        count if count > MAX_ENTRIES => return Err(PackageError::TooManyEntries.into()),
        _ => {}
    }
    let mut tree = Tree::default();
    for index in 0..archive.len() {
        let file = archive.by_index(index).map_err(|_| PackageError::NotAZip)?;
        let Some(path) = checked_path(&file)? else { continue };
        tree.add(&path, file.is_dir())?;
        each(ZipEntry { path, file })?;
    }
    Ok(())
}

/// The path below the function's folder; `None` for the folder itself.
fn checked_path<R: Read>(file: &ZipFile<'_, R>) -> Result<Option<PathBuf>, PackageError> {
    let name = file.name().map_err(|_| PackageError::NotAZip)?.into_owned();
    if file.is_symlink() {
        return Err(PackageError::Symlink(name));
    }
    match relative_path(&name) {
        Some(path) => Ok(Some(path).filter(|path| !path.as_os_str().is_empty())),
        None => Err(PackageError::LeavesFolder(name)),
    }
}

fn relative_path(name: &str) -> Option<PathBuf> {
    if name.starts_with('/') || name.contains('\0') {
        return None;
    }
    let mut path = PathBuf::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            part => path.push(part),
        }
    }
    Some(path)
}
