#![no_main]
//! Any bytes as a zip: unpacked files stay in their folder, are not links, and have no special mode bits.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use local_aws::fuzzing::unpack;

fuzz_target!(|bytes: &[u8]| {
    let _ = lambda_package::Package::read(bytes);
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("function");
    fs::create_dir(&folder).expect("a folder");
    let _ = unpack(bytes, &folder);
    assert_eq!(fs::read_dir(parent.path()).expect("the folder").count(), 1);
    check(&folder);
});

fn check(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let found = fs::symlink_metadata(&path).expect("its metadata");
        assert!(!found.is_symlink());
        if found.is_dir() {
            check(&path);
        } else {
            assert_eq!(found.permissions().mode() & 0o7000, 0);
        }
    }
}
