//! The commit counter: a small file beside the engine that says which commits the engine's files must contain.
//!
//! The engine cannot tell a journal that was cut at the end of a write from one that ends there. The counter can: it is
//! written after each commit has been handed to the operating system and before the commit is acknowledged. So it never
//! names a commit that the journal did not have, and every acknowledged commit is named.
//!
//! After a power failure the counter may be ahead of the journal, because neither had reached the disk. The counter
//! therefore also records which commits were synced, and the boot of the machine it was written in: within that boot all
//! written commits must be there, in a later one the synced commits.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use super::engine::TREES;

pub const FILE: &str = "commits";
/// Two slots are written in turn, each within a sector of its own: a torn write damages one of them.
const SLOT_BYTES: usize = 512;
const USED_BYTES: usize = 8 + 8 + 16 + 2 * TREES * 8;
const MAGIC: [u8; 8] = *b"commits1";

/// The number of the last commit that wrote to each tree; 0 if none did.
pub type PerTree = [u64; TREES];

/// What the counter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Claim {
    /// Counts the writes of the counter itself.
    turn: u64,
    boot: [u8; 16],
    pub written: PerTree,
    synced: PerTree,
}

impl Claim {
    /// The commits that must be there.
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

/// Why the counter says nothing.
#[derive(Debug)]
pub enum Unreadable {
    Missing,
    Damaged,
    Io(io::Error),
}

/// Reads the counter. A slot that fails its checksum is passed over if the other one is valid.
pub fn read(dir: &Path) -> Result<Claim, Unreadable> {
    let bytes = std::fs::read(dir.join(FILE)).map_err(|error| match error.kind() {
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
    /// Writes the counter anew: `found` is there and synced.
    pub fn create(dir: &Path, found: PerTree) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(dir.join(FILE))?;
        let turn = read(dir).map_or(0, |claim| claim.turn);
        let claim = Claim { turn, boot: boot().unwrap_or_default(), written: found, synced: found };
        let mut commits = Self { file, claim };
        commits.write(found)?;
        commits.write(found)?;
        commits.file.sync_all()?;
        File::open(dir)?.sync_all()?;
        Ok(commits)
    }

    /// Records what has been handed to the operating system.
    pub fn write(&mut self, written: PerTree) -> io::Result<()> {
        self.claim.written = written;
        self.claim.turn += 1;
        let slot = self.claim.turn % 2 * SLOT_BYTES as u64;
        self.file.write_all_at(&self.claim.encode(), slot)
    }

    /// Records that all that was written is on the disk.
    pub fn sync(&mut self) -> io::Result<()> {
        self.claim.synced = self.claim.written;
        self.write(self.claim.written)?;
        self.file.sync_data()
    }
}

/// Tells one run of the machine from the next; `None` where the system does not say.
fn boot() -> Option<[u8; 16]> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    uuid::Uuid::try_parse(id.trim()).ok().map(uuid::Uuid::into_bytes)
}

/// Replaces the counter by one that claims this.
#[cfg(test)]
pub fn write_claim(dir: &Path, boot: [u8; 16], written: PerTree, synced: PerTree) {
    std::fs::write(dir.join(FILE), Claim { turn: 1, boot, written, synced }.encode())
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
        let path = dir.path().join(FILE);
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
