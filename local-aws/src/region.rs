//! The names of AWS regions, and the default account.

/// The account ID unless another one is configured.
pub const DEFAULT_ACCOUNT_ID: &str = "000000000000";

/// Whether the text matches `[a-z]{2}((-gov)|(-iso[a-z]?))?-[a-z]+-\d`, optionally after `eusc-`.
pub fn is_region(part: &str) -> bool {
    let part = part.strip_prefix("eusc-").unwrap_or(part);
    let words: Vec<&str> = part.split('-').collect();
    let (area, middle, number) = match words[..] {
        [area, middle, number] => (area, middle, number),
        [area, group, middle, number] if group == "gov" || (group.starts_with("iso") && group.len() <= 4) => {
            (area, middle, number)
        }
        _ => return false,
    };
    area.len() == 2
        && area.bytes().all(|byte| byte.is_ascii_lowercase())
        && !middle.is_empty()
        && middle.bytes().all(|byte| byte.is_ascii_lowercase())
        && number.len() == 1
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_has_an_area_a_direction_and_a_number() {
        for region in ["us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1", "us-iso-east-1", "eusc-de-east-1"] {
            assert!(is_region(region), "{region}");
        }
        for other in ["", "local", "us-east", "us-east-12", "US-EAST-1", "us-east-1a", "useast1", "us_east_1"] {
            assert!(!is_region(other), "{other}");
        }
    }
}
