//! Compares `docs/settings.md` with the settings.

use kinesis_event_logger_core::settings::VARIABLES;

#[test]
fn every_setting_is_documented() {
    let page = include_str!("../../docs/settings.md");
    let mut documented: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|name| name.starts_with("LOGGER_"))
        .collect();
    documented.sort_unstable();
    assert_eq!(documented, VARIABLES);
}
