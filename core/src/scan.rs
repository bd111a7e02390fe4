//! Searches bytes for rare ones.

/// The number of bytes per step: one vector of AVX2, two of NEON or SSE2.
const STEP: usize = 32;

/// Returns the index of the first wanted byte. `wanted` should have no branches (`|`, not `||`), so that it becomes a few
/// vector instructions.
#[inline]
pub(crate) fn find(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Option<usize> {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    if has_vectors() {
        #[expect(unsafe_code, reason = "the function needs only the instructions that the processor has")]
        return unsafe { find_with_vectors(bytes, wanted) };
    }
    find_portably(bytes, wanted)
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn has_vectors() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
}

/// Every processor that Rust's targets accept has NEON, so that this is a constant.
#[cfg(target_arch = "aarch64")]
#[inline]
fn has_vectors() -> bool {
    std::arch::is_aarch64_feature_detected!("neon")
}

/// [`find`] with instructions that every processor has.
#[inline]
fn find_portably(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let start = bytes_before::<STEP>(bytes, &wanted);
    let start = start + bytes_before::<SMALL_STEP>(&bytes[start..], &wanted);
    bytes[start..].iter().position(|&byte| wanted(byte)).map(|found| start + found)
}

/// The number of bytes per small step, which narrows down the result of a large one: half a vector.
const SMALL_STEP: usize = 8;

/// Returns the number of bytes before the first step of `N` bytes that contains a wanted byte.
#[inline]
fn bytes_before<const N: usize>(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> usize {
    let (steps, _) = bytes.as_chunks::<N>();
    steps.iter().take_while(|step| !step.iter().fold(false, |any, &byte| any | wanted(byte))).count() * N
}

/// [`find`] with AVX2 or NEON, which compare a whole step at once and return the positions of wanted bytes. It has no
/// closures of its own, because these would have its target feature, and functions without it (`array::map`, `Option::map`)
/// cannot inline them.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2"))]
#[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
fn find_with_vectors(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let (steps, rest) = bytes.as_chunks::<STEP>();
    for (number, step) in steps.iter().enumerate() {
        let positions = positions(step, &wanted);
        if positions != 0 {
            return Some(number * STEP + positions.trailing_zeros() as usize);
        }
    }
    if rest.is_empty() {
        return None;
    }
    // The last step overlaps bytes that were searched before, or is padded.
    let (start, positions) = match bytes.last_chunk() {
        Some(last) => (bytes.len() - STEP, positions(last, &wanted)),
        None => {
            let mut padded = [0; STEP];
            padded[..rest.len()].copy_from_slice(rest);
            (0, positions(&padded, &wanted) & ((1 << rest.len()) - 1))
        }
    };
    if positions == 0 { None } else { Some(start + positions.trailing_zeros() as usize) }
}

/// Returns a bit for each byte, which is set if the byte is wanted. The first byte has the lowest bit.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
fn positions(step: &[u8; STEP], wanted: &impl Fn(u8) -> bool) -> u32 {
    use std::arch::x86_64::{_mm256_movemask_epi8, _mm256_set_epi64x};
    let [first, second, third, fourth] = marks(step, wanted).map(u64::cast_signed);
    _mm256_movemask_epi8(_mm256_set_epi64x(fourth, third, second, first)).cast_unsigned()
}

/// [`positions`] with NEON, which has no instruction for it: each mark keeps the bit of its position in eight bytes, and three
/// additions of neighbours join the bits.
#[cfg(target_arch = "aarch64")]
#[inline]
#[target_feature(enable = "neon")]
fn positions(step: &[u8; STEP], wanted: &impl Fn(u8) -> bool) -> u32 {
    use std::arch::aarch64::{
        vandq_u8, vcombine_u8, vcreate_u8, vdupq_n_u64, vgetq_lane_u32, vpaddq_u8, vreinterpretq_u8_u64,
        vreinterpretq_u32_u8,
    };
    let [first, second, third, fourth] = marks(step, wanted);
    let bits = vreinterpretq_u8_u64(vdupq_n_u64(0x8040_2010_0804_0201));
    let low = vandq_u8(vcombine_u8(vcreate_u8(first), vcreate_u8(second)), bits);
    let high = vandq_u8(vcombine_u8(vcreate_u8(third), vcreate_u8(fourth)), bits);
    let pairs = vpaddq_u8(low, high);
    let fours = vpaddq_u8(pairs, pairs);
    vgetq_lane_u32::<0>(vreinterpretq_u32_u8(vpaddq_u8(fours, fours)))
}

/// Returns a byte for each byte, 0xFF if it is wanted, or else 0.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
fn marks(step: &[u8; STEP], wanted: &impl Fn(u8) -> bool) -> [u64; STEP / 8] {
    let mut marks = [[0; 8]; STEP / 8];
    for (mark, &byte) in marks.as_flattened_mut().iter_mut().zip(step) {
        *mark = if wanted(byte) { u8::MAX } else { 0 };
    }
    marks.map(u64::from_le_bytes)
}

/// Returns the index of the first byte that ends the plain part of a JSON string: a quote, a backslash or a control
/// character. Most strings end within eight bytes, which are compared as one word.
#[inline]
pub(crate) fn end_of_plain(bytes: &[u8]) -> Option<usize> {
    if let Some(found) = bytes.first_chunk().and_then(|word| end_of_plain_word(*word)) {
        return Some(found);
    }
    find(bytes, |byte| (byte == b'"') | (byte == b'\\') | (byte < 0x20))
}

/// Returns the index of the first quote or backslash. Most strings of an event end within a few bytes. The long ones are
/// data, for which a vector search is faster.
#[inline]
pub(crate) fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    if let Some(word) = bytes.first_chunk() {
        let word = u64::from_le_bytes(*word);
        let found = (equals(word, b'"') | equals(word, b'\\')) & HIGH_BITS;
        if found != 0 {
            return Some(found.trailing_zeros() as usize / 8);
        }
    }
    memchr::memchr2(b'"', b'\\', bytes)
}

const ONES: u64 = u64::MAX / 0xFF;
const HIGH_BITS: u64 = ONES * 0x80;

/// Sets the highest bit of each byte below `limit`. The other bits are unspecified.
#[inline]
fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES * u64::from(limit)) & !word
}

/// Sets the highest bit of each byte that equals `byte`. The other bits are unspecified.
#[inline]
fn equals(word: u64, byte: u8) -> u64 {
    below(word ^ (ONES * u64::from(byte)), 1)
}

/// [`end_of_plain`] for eight bytes.
#[inline]
pub(crate) fn end_of_plain_word(word: [u8; 8]) -> Option<usize> {
    let found = string_ends(u64::from_le_bytes(word));
    (found != 0).then_some(found.trailing_zeros() as usize / 8)
}

/// Sets the highest bit of each byte that ends a string's plain part. Bits above the lowest such byte may be wrong, because
/// subtraction borrows (Sean Anderson, "Bit Twiddling Hacks", "Determine if a word has a byte less than n").
#[inline]
fn string_ends(word: u64) -> u64 {
    (below(word, 0x20) | equals(word, b'"') | equals(word, b'\\')) & HIGH_BITS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn find_agrees_with_a_plain_search(bytes in prop::collection::vec(0_u8..4, 0..200), wanted in 0_u8..5) {
            let expected = bytes.iter().position(|&byte| byte == wanted);
            prop_assert_eq!(find(&bytes, |byte| byte == wanted), expected);
            prop_assert_eq!(find_portably(&bytes, |byte| byte == wanted), expected);
        }

        #[test]
        fn find_agrees_with_a_plain_search_for_rare_bytes(mut bytes in prop::collection::vec(1_u8..4, 0..200), at: prop::sample::Index) {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = 0;
            }
            let expected = bytes.iter().position(|&byte| byte == 0);
            prop_assert_eq!(find(&bytes, |byte| byte == 0), expected);
            prop_assert_eq!(find_portably(&bytes, |byte| byte == 0), expected);
        }

        #[test]
        fn string_ends_agree_with_a_plain_search(
            bytes in prop::collection::vec(prop_oneof![60 => 0x20_u8.., 1 => any::<u8>(), 1 => Just(b'"'), 1 => Just(b'\\')], 0..160),
        ) {
            let plain = |&byte: &u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
            prop_assert_eq!(end_of_plain(&bytes), bytes.iter().position(|byte| !plain(byte)));
            let ends = |&byte: &u8| byte == b'"' || byte == b'\\';
            prop_assert_eq!(quote_or_backslash(&bytes), bytes.iter().position(ends));
        }
    }
}
