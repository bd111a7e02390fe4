//! Finding the rare byte that needs attention among many that do not.

/// Bytes looked at in one step: wide enough that the compiler turns the step into a few vector instructions.
const STEP: usize = 32;

/// Where the first byte is that `wanted` picks. `wanted` should be free of branches (`|`, not `||`).
pub(crate) fn find(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let mut start = 0;
    for step in bytes.chunks_exact(STEP) {
        if step.iter().fold(false, |any, &byte| any | wanted(byte)) {
            break;
        }
        start += STEP;
    }
    bytes.get(start..)?.iter().position(|&byte| wanted(byte)).map(|found| start + found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_what_a_plain_search_finds(bytes in prop::collection::vec(0_u8..4, 0..200), wanted in 0_u8..5) {
            prop_assert_eq!(find(&bytes, |byte| byte == wanted), bytes.iter().position(|&byte| byte == wanted));
        }
    }
}
