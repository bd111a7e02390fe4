//! The commit counter: a small file that names the commits which the engine's files must contain.
//!
//! The engine cannot distinguish a journal that was truncated at the end of a write from one that ends there. The counter can: it is
//! written after each commit was written to the page cache and before the commit is acknowledged. So it never names a commit that
//! the journal did not have, and it names every acknowledged commit.
//!
//! After a power failure, the counter may be ahead of the journal, because neither was synced. The counter
//! therefore also records the synced commits and the boot ID of the machine. After a restart within the same boot, all written
//! commits must exist. After a later boot, the synced commits must.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::layout::{COMMITS, TREES};

/// Two slots are written in turn, each in its own sector. A torn write damages only one of them.
const SLOT_BYTES: usize = 512;
const USED_BYTES: usize = 8 + 8 + 16 + 2 * TREES * 8;
const MAGIC: [u8; 8] = *b"commits1";

/// The number of the last commit that wrote to each tree; 0 if none did.
pub type PerTree = [u64; TREES];

/// The contents of the counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Claim {
    /// Counts the writes of the counter itself.
    turn: u64,
    boot: [u8; 16],
    pub written: PerTree,
    synced: PerTree,
}

impl Claim {
    /// The commits that must exist.
    pub fn required(&self) -> PerTree {
        if boot().is_some_and(|boot| boot == self.boot) { self.written } else { self.synced }
    }

    fn encode(&self) -> [u8; SLOT_BYTES] {
        let mut slot = Vec::with_capacity(SLOT_BYTES);
        slot.extend(MAGIC);
        slot.extend(self.turn.to_le_bytes());
        slot.extend(self.boot);
        self.written.iter().chain(&self.synced).for_each(|number| slot.extend(number.to_le_bytes()));
        slot.extend(xxh3_64(&slot).to_le_bytes());
        slot.resize(SLOT_BYTES, 0);
        slot.try_into().expect("a slot is padded to its size")
    }

    fn decode(slot: &[u8]) -> Option<Self> {
        let (used, rest) = slot.split_at_checked(USED_BYTES)?;
        if *rest.first_chunk()? != xxh3_64(used).to_le_bytes() || used[..8] != MAGIC {
            return None;
        }
        let number = |at: usize| Some(u64::from_le_bytes(*used.get(at..)?.first_chunk()?));
        let mut claim = Self { turn: number(8)?, boot: *used[16..].first_chunk()?, ..Self::default() };
        for tree in 0..TREES {
            claim.written[tree] = number(32 + tree * 8)?;
            claim.synced[tree] = number(32 + (TREES + tree) * 8)?;
        }
        Some(claim)
    }
}

/// The reason why the counter cannot be read.
#[derive(Debug)]
pub enum Unreadable {
    Missing,
    Damaged,
    Io(io::Error),
}

/// Reads the counter. Ignores a slot that fails its checksum if the other one is valid.
pub fn read(dir: &Path) -> Result<Claim, Unreadable> {
    let bytes = std::fs::read(dir.join(COMMITS)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Unreadable::Missing,
        _ => Unreadable::Io(error),
    })?;
    let claims = bytes.chunks(SLOT_BYTES).take(2).filter_map(Claim::decode);
    claims.max_by_key(|claim| claim.turn).ok_or(Unreadable::Damaged)
}

/// The counter, open for writing.
pub struct Commits {
    file: File,
    claim: Claim,
}

impl Commits {
    /// Writes a new counter. `found` are the existing commits, which are synced.
    pub fn create(dir: &Path, found: PerTree) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(dir.join(COMMITS))?;
        let turn = read(dir).map_or(0, |claim| claim.turn);
        let claim = Claim { turn, boot: boot().unwrap_or_default(), written: found, synced: found };
        let mut commits = Self { file, claim };
        commits.write(found)?;
        commits.write(found)?;
        commits.file.sync_all()?;
        File::open(dir)?.sync_all()?;
        Ok(commits)
    }

    /// Records the commits that were written.
    pub fn write(&mut self, written: PerTree) -> io::Result<()> {
        self.claim.written = written;
        self.claim.turn += 1;
        let slot = self.claim.turn % 2 * SLOT_BYTES as u64;
        self.file.write_all_at(&self.claim.encode(), slot)
    }

    /// Records that all written commits are synced.
    pub fn sync(&mut self) -> io::Result<()> {
        self.claim.synced = self.claim.written;
        self.write(self.claim.written)?;
        self.file.sync_data()
    }
}

/// The boot ID of the machine. `None` if the system has none.
fn boot() -> Option<[u8; 16]> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    uuid::Uuid::try_parse(id.trim()).ok().map(uuid::Uuid::into_bytes)
}

/// Replaces the counter.
#[cfg(test)]
pub fn write_claim(dir: &Path, boot: [u8; 16], written: PerTree, synced: PerTree) {
    std::fs::write(dir.join(COMMITS), Claim { turn: 1, boot, written, synced }.encode())
        .expect("the folder can be written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_slot_leaves_the_claim_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut commits = Commits::create(dir.path(), [1, 2, 3]).unwrap();
        commits.write([4, 5, 6]).unwrap();
        let path = dir.path().join(COMMITS);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            std::fs::write(&path, bytes).unwrap();
            let written = read(dir.path()).unwrap().written;
            assert!(written == [4, 5, 6] || written == [1, 2, 3], "bit {at}: {written:?}");
        }
        std::fs::write(&path, []).unwrap();
        assert!(matches!(read(dir.path()), Err(Unreadable::Damaged)));
    }

    #[test]
    fn after_a_restart_of_the_machine_only_synced_commits_are_required() {
        let Some(boot) = boot() else { return };
        let claim = Claim { boot, written: [9; TREES], synced: [5; TREES], ..Claim::default() };
        assert_eq!(claim.required(), [9; TREES]);
        assert_eq!(Claim { boot: [0; 16], ..claim }.required(), [5; TREES]);
        assert_eq!(Claim::decode(&claim.encode()), Some(claim));
    }
}
