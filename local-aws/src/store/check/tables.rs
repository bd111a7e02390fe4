//! Checks a tree's files without changing them. `current` names the manifest, `vN`, and has its checksum. The manifest names the
//! tables and has their checksums. So a checksum covers every byte that the engine uses (lsm-tree 3.1).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use lsm_tree::{Cache, Checksum, DescriptorTable, Slice, Table};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

use super::journal::Marker;
use crate::store::layout::MARKER_KEY;

/// A flaw of a file of a tree.
pub struct Flaw {
    /// The path below the tree's folder.
    pub file: String,
    pub what: String,
}

/// The manifest of a tree: levels of runs of tables.
pub struct Manifest {
    pub version: u64,
    pub levels: Vec<Vec<Vec<TableEntry>>>,
}

#[derive(Clone)]
pub struct TableEntry {
    pub id: u64,
    pub checksum: u128,
    pub global_seqno: u64,
}

/// Reads the manifest of a tree.
///
/// # Errors
/// A file cannot be read.
pub fn manifest(tree: &Path) -> io::Result<Result<Manifest, Flaw>> {
    let flaw = |file: &str, what: &str| Ok(Err(Flaw { file: file.to_owned(), what: what.to_owned() }));
    let Some(current) = existing(fs::read(tree.join("current")))? else { return flaw("current", "is missing") };
    let Some((version, checksum)) = parse_current(&current) else {
        return flaw("current", "is damaged: it does not name a list of table files");
    };
    let file = format!("v{version}");
    let path = tree.join(&file);
    let Some(bytes) = existing(fs::read(&path))? else {
        return flaw(&file, "is missing: the list of table files that `current` names");
    };
    if xxh3_128(&bytes) != checksum {
        return flaw(&file, "fails its checksum: the list of table files");
    }
    let section = sfa::Reader::new(&path).ok().and_then(|reader| {
        let section = reader.toc().section(b"tables")?;
        let begin = usize::try_from(section.pos()).ok()?;
        bytes.get(begin..)?.get(..usize::try_from(section.len()).ok()?)
    });
    match section.and_then(parse_levels) {
        Some(levels) => Ok(Ok(Manifest { version, levels })),
        None => flaw(&file, "is not a list of table files"),
    }
}

fn parse_current(bytes: &[u8]) -> Option<(u64, u128)> {
    let bytes: &[u8; 25] = bytes.try_into().ok()?;
    let version = u64::from_le_bytes(*bytes.first_chunk()?);
    let checksum = u128::from_le_bytes(*bytes[8..].first_chunk()?);
    (bytes[24] == 0).then_some((version, checksum))
}

fn parse_levels(bytes: &[u8]) -> Option<Vec<Vec<Vec<TableEntry>>>> {
    fn array<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
        let (first, rest) = from.split_first_chunk()?;
        *from = rest;
        Some(*first)
    }
    let mut rest = bytes;
    let from = &mut rest;
    let mut levels = Vec::new();
    for _ in 0..array::<1>(from)?[0] {
        let mut level = Vec::new();
        for _ in 0..array::<1>(from)?[0] {
            let mut run = Vec::new();
            for _ in 0..u32::from_le_bytes(array(from)?) {
                let id = u64::from_le_bytes(array(from)?);
                array::<1>(from).filter(|kind| *kind == [0])?;
                let checksum = u128::from_le_bytes(array(from)?);
                run.push(TableEntry { id, checksum, global_seqno: u64::from_le_bytes(array(from)?) });
            }
            level.push(run);
        }
        levels.push(level);
    }
    rest.is_empty().then_some(levels)
}

pub fn encode_levels(levels: &[Vec<Vec<TableEntry>>]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(levels.len()).expect("a tree has seven levels")];
    for level in levels {
        bytes.push(u8::try_from(level.len()).expect("a level has less than 256 runs"));
        for run in level {
            bytes.extend(u32::try_from(run.len()).expect("a run has few tables").to_le_bytes());
            for table in run {
                bytes.extend(table.id.to_le_bytes());
                bytes.push(0);
                bytes.extend(table.checksum.to_le_bytes());
                bytes.extend(table.global_seqno.to_le_bytes());
            }
        }
    }
    bytes
}

impl Manifest {
    pub fn tables(&self) -> impl Iterator<Item = &TableEntry> {
        self.levels.iter().flatten().flatten()
    }
}

/// The tables of a manifest that are missing or fail their checksums, and names in the folder that the engine rejects.
pub fn flaws(tree: &Path, manifest: &Manifest) -> io::Result<Vec<(Option<u64>, Flaw)>> {
    let (folder, mut flaws) = (tree.join("tables"), Vec::new());
    for table in manifest.tables() {
        let what = match existing(checksum(&folder.join(table.id.to_string())))? {
            None => "is missing",
            Some(found) if found != table.checksum => "fails its checksum",
            Some(_) => continue,
        };
        flaws.push((Some(table.id), Flaw { file: format!("tables/{}", table.id), what: what.to_owned() }));
    }
    for entry in existing(fs::read_dir(&folder))?.into_iter().flatten() {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.parse::<u64>().is_err() && name != ".DS_Store" && !name.starts_with("._") {
            flaws.push((None, Flaw { file: format!("tables/{name}"), what: "is not a table file: remove it".into() }));
        }
    }
    Ok(flaws)
}

/// The checksum of a whole file.
pub fn checksum(path: &Path) -> io::Result<u128> {
    let (mut file, mut hasher, mut buffer) = (File::open(path)?, Xxh3Default::new(), vec![0; 256 << 10]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.digest128()),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// The number of the last commit in the tables, or 0 if there is none. The checksums must have been verified.
pub fn last_commit(tree: &Path, manifest: &Manifest) -> Result<u64, lsm_tree::Error> {
    let cache = Arc::new(Cache::with_capacity_bytes(0));
    let mut last = 0;
    for table in manifest.tables() {
        let table = open_table(&tree.join("tables").join(table.id.to_string()), table, &cache)?;
        let key = Slice::from(MARKER_KEY);
        for item in table.range(key.clone()..=key) {
            last = last.max(Marker::decode(&item?.value).map_or(0, |marker| marker.number));
        }
    }
    Ok(last)
}

fn open_table(path: &Path, table: &TableEntry, cache: &Arc<Cache>) -> Result<Table, lsm_tree::Error> {
    let (files, checksum) = (Arc::new(DescriptorTable::new(4)), Checksum::from_raw(table.checksum));
    Table::recover(path.to_owned(), checksum, table.global_seqno, 0, Arc::clone(cache), Some(files), false, false)
}

/// The table files of a tree that can be read completely, whether or not the manifest names them.
pub fn readable(tree: &Path) -> io::Result<Vec<TableEntry>> {
    let (cache, mut ids) = (Arc::new(Cache::with_capacity_bytes(0)), BTreeSet::new());
    for entry in existing(fs::read_dir(tree.join("tables")))?.into_iter().flatten() {
        ids.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
    }
    let mut tables = Vec::new();
    for id in ids {
        let path = tree.join("tables").join(id.to_string());
        let table = TableEntry { id, checksum: checksum(&path)?, global_seqno: 0 };
        // The engine panics on some damaged files.
        let is_readable = std::panic::catch_unwind(|| {
            open_table(&path, &table, &cache).is_ok_and(|table| table.iter().all(|item| item.is_ok()))
        });
        if is_readable.unwrap_or(false) {
            tables.push(table);
        }
    }
    Ok(tables)
}

/// Returns `None` if the file does not exist.
pub fn existing<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
