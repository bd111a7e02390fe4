//! The MD5 of several messages at once, each in a lane of a vector: one MD5 after the other waits for its own result at every
//! step, so that it uses a fraction of the processor.
//!
//! The algorithm is that of RFC 1321 (<https://www.rfc-editor.org/rfc/rfc1321>).

use md5::{Digest, Md5};

/// An MD5.
pub type Hash = [u8; 16];

/// The number of messages that are hashed at once: lanes of 32 bits in two vectors, because one vector would wait for its own result
/// half of the time.
#[cfg(not(target_arch = "aarch64"))]
pub const LANES: usize = 16;
#[cfg(target_arch = "aarch64")]
pub const LANES: usize = 8;

const BLOCK_BYTES: usize = 64;

/// Returns the MD5 of each message.
pub fn hashes(messages: &[&[u8]]) -> Vec<Hash> {
    let mut hashes = Vec::with_capacity(messages.len());
    for group in messages.chunks(LANES) {
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        if group.len() > 1 && vectors::are_available() {
            let mut lanes: [&[u8]; LANES] = [&[]; LANES];
            lanes[..group.len()].copy_from_slice(group);
            #[expect(unsafe_code, reason = "the function needs only the instructions that the processor has")]
            let all = unsafe { vectors::hashes(&lanes) };
            hashes.extend_from_slice(&all[..group.len()]);
            continue;
        }
        hashes.extend(group.iter().map(|message| Hash::from(Md5::digest(message))));
    }
    hashes
}

/// The blocks of one message.
struct Blocks<'a> {
    whole: &'a [[u8; BLOCK_BYTES]],
    /// The rest of the message, its end mark and its length in bits, in one block or two.
    last: [[u8; BLOCK_BYTES]; 2],
    count: usize,
}

impl<'a> Blocks<'a> {
    fn of(message: &'a [u8]) -> Self {
        let (whole, rest) = message.as_chunks::<BLOCK_BYTES>();
        let mut last = [[0; BLOCK_BYTES]; 2];
        last[0][..rest.len()].copy_from_slice(rest);
        last[0][rest.len()] = 0x80;
        let count = if rest.len() < BLOCK_BYTES - 8 { 1 } else { 2 };
        let bits = (message.len() as u64).wrapping_mul(8);
        last[count - 1][BLOCK_BYTES - 8..].copy_from_slice(&bits.to_le_bytes());
        Self { whole, last, count: whole.len() + count }
    }

    /// A block, or one of no meaning after the last.
    fn get(&self, index: usize) -> &[u8; BLOCK_BYTES] {
        self.whole.get(index).unwrap_or(&self.last[usize::from(index > self.whole.len())])
    }
}

const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// The sines of 1 to 64, as the algorithm defines its constants.
const SINES: [u32; 64] = [
    0xd76a_a478,
    0xe8c7_b756,
    0x2420_70db,
    0xc1bd_ceee,
    0xf57c_0faf,
    0x4787_c62a,
    0xa830_4613,
    0xfd46_9501,
    0x6980_98d8,
    0x8b44_f7af,
    0xffff_5bb1,
    0x895c_d7be,
    0x6b90_1122,
    0xfd98_7193,
    0xa679_438e,
    0x49b4_0821,
    0xf61e_2562,
    0xc040_b340,
    0x265e_5a51,
    0xe9b6_c7aa,
    0xd62f_105d,
    0x0244_1453,
    0xd8a1_e681,
    0xe7d3_fbc8,
    0x21e1_cde6,
    0xc337_07d6,
    0xf4d5_0d87,
    0x455a_14ed,
    0xa9e3_e905,
    0xfcef_a3f8,
    0x676f_02d9,
    0x8d2a_4c8a,
    0xfffa_3942,
    0x8771_f681,
    0x6d9d_6122,
    0xfde5_380c,
    0xa4be_ea44,
    0x4bde_cfa9,
    0xf6bb_4b60,
    0xbebf_bc70,
    0x289b_7ec6,
    0xeaa1_27fa,
    0xd4ef_3085,
    0x0488_1d05,
    0xd9d4_d039,
    0xe6db_99e5,
    0x1fa2_7cf8,
    0xc4ac_5665,
    0xf429_2244,
    0x432a_ff97,
    0xab94_23a7,
    0xfc93_a039,
    0x655b_59c3,
    0x8f0c_cc92,
    0xffef_f47d,
    0x8584_5dd1,
    0x6fa8_7e4f,
    0xfe2c_e6e0,
    0xa301_4314,
    0x4e08_11a1,
    0xf753_7e82,
    0xbd3a_f235,
    0x2ad7_d2bb,
    0xeb86_d391,
];

const SHIFTS: [[i32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// The word of the block that a step adds.
const fn word_of_step(step: usize) -> usize {
    match step / 16 {
        0 => step,
        1 => (5 * step + 1) % 16,
        2 => (3 * step + 5) % 16,
        _ => (7 * step) % 16,
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod vectors {
    use super::*;

    #[cfg(target_arch = "x86_64")]
    use avx2 as arch;
    #[cfg(target_arch = "aarch64")]
    use neon as arch;

    use arch::{Vector, add, all, and, complement, from_lanes, or, rotate_left, to_lanes, xor};

    pub use arch::are_available;

    /// Repeats a step for each number.
    macro_rules! steps {
        ($state:ident, $words:ident, $($number:literal)*) => {
            $( $state = step::<$number>($state, $words); )*
        };
    }

    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2"))]
    #[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
    pub fn hashes(messages: &[&[u8]; LANES]) -> [Hash; LANES] {
        let blocks = messages.map(Blocks::of);
        let count = blocks.iter().map(|blocks| blocks.count).max().unwrap_or_default();
        let mut state = [all(START[0]), all(START[1]), all(START[2]), all(START[3])];
        for index in 0..count {
            // A lane whose message has ended keeps its state.
            let mut is_open = [0; LANES];
            let mut words = [[0; LANES]; 16];
            for (lane, blocks) in blocks.iter().enumerate() {
                is_open[lane] = if index < blocks.count { u32::MAX } else { 0 };
                let (block, _) = blocks.get(index).as_chunks::<4>();
                for (words, word) in words.iter_mut().zip(block) {
                    words[lane] = u32::from_le_bytes(*word);
                }
            }
            let is_open = from_lanes(is_open);
            let after = compress(state, &words);
            for (state, after) in state.iter_mut().zip(after) {
                *state = add(*state, and(after, is_open));
            }
        }
        let mut hashes = [[0; 16]; LANES];
        for (number, state) in state.into_iter().enumerate() {
            for (hash, word) in hashes.iter_mut().zip(to_lanes(state)) {
                hash[4 * number..][..4].copy_from_slice(&word.to_le_bytes());
            }
        }
        hashes
    }

    /// Returns the words that a block adds to the state.
    #[inline]
    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2"))]
    #[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
    fn compress(mut state: [Vector; 4], words: &[[u32; LANES]; 16]) -> [Vector; 4] {
        steps!(state, words, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        steps!(state, words, 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
        steps!(state, words, 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47);
        steps!(state, words, 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
        state
    }

    #[inline]
    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx2"))]
    #[cfg_attr(target_arch = "aarch64", target_feature(enable = "neon"))]
    fn step<const NUMBER: usize>([a, b, c, d]: [Vector; 4], words: &[[u32; LANES]; 16]) -> [Vector; 4] {
        let mixed = match NUMBER / 16 {
            0 => xor(d, and(b, xor(c, d))),
            1 => xor(c, and(d, xor(b, c))),
            2 => xor(xor(b, c), d),
            _ => xor(c, or(b, complement(d))),
        };
        let sum = add(add(a, add(from_lanes(words[const { word_of_step(NUMBER) }]), all(SINES[NUMBER]))), mixed);
        let shifts = SHIFTS[NUMBER / 16];
        let rotated = match NUMBER % 4 {
            0 => rotate_left(sum, shifts[0]),
            1 => rotate_left(sum, shifts[1]),
            2 => rotate_left(sum, shifts[2]),
            _ => rotate_left(sum, shifts[3]),
        };
        [d, add(b, rotated), b, c]
    }

    #[cfg(target_arch = "x86_64")]
    mod avx2 {
        use std::arch::x86_64::{
            __m256i, _mm_cvtsi32_si128, _mm256_add_epi32, _mm256_and_si256, _mm256_extract_epi32, _mm256_or_si256,
            _mm256_set_epi32, _mm256_set1_epi32, _mm256_sll_epi32, _mm256_srl_epi32, _mm256_xor_si256,
        };

        pub type Vector = [__m256i; 2];

        pub fn are_available() -> bool {
            std::arch::is_x86_feature_detected!("avx2")
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        pub fn all(word: u32) -> Vector {
            [_mm256_set1_epi32(word.cast_signed()); 2]
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        pub fn from_lanes(words: [u32; 16]) -> Vector {
            let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = words.map(u32::cast_signed);
            [_mm256_set_epi32(h, g, f, e, d, c, b, a), _mm256_set_epi32(p, o, n, m, l, k, j, i)]
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        pub fn to_lanes([low, high]: Vector) -> [u32; 16] {
            let mut words = [0; 16];
            let (first, second) = words.split_at_mut(8);
            for (words, vector) in [(first, low), (second, high)] {
                words[0] = _mm256_extract_epi32::<0>(vector).cast_unsigned();
                words[1] = _mm256_extract_epi32::<1>(vector).cast_unsigned();
                words[2] = _mm256_extract_epi32::<2>(vector).cast_unsigned();
                words[3] = _mm256_extract_epi32::<3>(vector).cast_unsigned();
                words[4] = _mm256_extract_epi32::<4>(vector).cast_unsigned();
                words[5] = _mm256_extract_epi32::<5>(vector).cast_unsigned();
                words[6] = _mm256_extract_epi32::<6>(vector).cast_unsigned();
                words[7] = _mm256_extract_epi32::<7>(vector).cast_unsigned();
            }
            words
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        pub fn add([a, b]: Vector, [c, d]: Vector) -> Vector {
            [_mm256_add_epi32(a, c), _mm256_add_epi32(b, d)]
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        pub fn and([a, b]: Vector, [c, d]: Vector) -> Vector {
            [_mm256_and_si256(a, c), _mm256_and_si256(b, d)]
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        pub fn or([a, b]: Vector, [c, d]: Vector) -> Vector {
            [_mm256_or_si256(a, c), _mm256_or_si256(b, d)]
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        pub fn xor([a, b]: Vector, [c, d]: Vector) -> Vector {
            [_mm256_xor_si256(a, c), _mm256_xor_si256(b, d)]
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        pub fn complement(vector: Vector) -> Vector {
            xor(vector, all(u32::MAX))
        }

        #[inline]
        #[target_feature(enable = "avx2")]
        pub fn rotate_left([a, b]: Vector, bits: i32) -> Vector {
            let (left, right) = (_mm_cvtsi32_si128(bits), _mm_cvtsi32_si128(32 - bits));
            or(
                [_mm256_sll_epi32(a, left), _mm256_sll_epi32(b, left)],
                [_mm256_srl_epi32(a, right), _mm256_srl_epi32(b, right)],
            )
        }
    }

    #[cfg(target_arch = "aarch64")]
    mod neon {
        use std::arch::aarch64::{
            uint32x4_t, vaddq_u32, vandq_u32, vdupq_n_s32, vdupq_n_u32, veorq_u32, vgetq_lane_u32, vmvnq_u32,
            vorrq_u32, vsetq_lane_u32, vshlq_u32,
        };

        pub type Vector = [uint32x4_t; 2];

        pub fn are_available() -> bool {
            std::arch::is_aarch64_feature_detected!("neon")
        }

        #[inline]
        #[target_feature(enable = "neon")]
        pub fn all(word: u32) -> Vector {
            [vdupq_n_u32(word); 2]
        }

        #[inline]
        #[target_feature(enable = "neon")]
        pub fn from_lanes([a, b, c, d, e, f, g, h]: [u32; 8]) -> Vector {
            [half([a, b, c, d]), half([e, f, g, h])]
        }

        #[inline]
        #[target_feature(enable = "neon")]
        fn half([a, b, c, d]: [u32; 4]) -> uint32x4_t {
            let vector = vsetq_lane_u32::<1>(b, vdupq_n_u32(a));
            vsetq_lane_u32::<3>(d, vsetq_lane_u32::<2>(c, vector))
        }

        #[inline]
        #[target_feature(enable = "neon")]
        pub fn to_lanes([low, high]: Vector) -> [u32; 8] {
            [
                vgetq_lane_u32::<0>(low),
                vgetq_lane_u32::<1>(low),
                vgetq_lane_u32::<2>(low),
                vgetq_lane_u32::<3>(low),
                vgetq_lane_u32::<0>(high),
                vgetq_lane_u32::<1>(high),
                vgetq_lane_u32::<2>(high),
                vgetq_lane_u32::<3>(high),
            ]
        }

        #[inline]
        #[target_feature(enable = "neon")]
        pub fn add([a, b]: Vector, [c, d]: Vector) -> Vector {
            [vaddq_u32(a, c), vaddq_u32(b, d)]
        }

        #[inline]
        #[target_feature(enable = "neon")]
        pub fn and([a, b]: Vector, [c, d]: Vector) -> Vector {
            [vandq_u32(a, c), vandq_u32(b, d)]
        }

        #[inline]
        #[target_feature(enable = "neon")]
        pub fn or([a, b]: Vector, [c, d]: Vector) -> Vector {
            [vorrq_u32(a, c), vorrq_u32(b, d)]
        }

        #[inline]
        #[target_feature(enable = "neon")]
        pub fn xor([a, b]: Vector, [c, d]: Vector) -> Vector {
            [veorq_u32(a, c), veorq_u32(b, d)]
        }

        #[inline]
        #[target_feature(enable = "neon")]
        pub fn complement([a, b]: Vector) -> Vector {
            [vmvnq_u32(a), vmvnq_u32(b)]
        }

        #[inline]
        #[target_feature(enable = "neon")]
        pub fn rotate_left([a, b]: Vector, bits: i32) -> Vector {
            // A negative shift is one to the right.
            let (left, right) = (vdupq_n_s32(bits), vdupq_n_s32(bits - 32));
            or([vshlq_u32(a, left), vshlq_u32(b, left)], [vshlq_u32(a, right), vshlq_u32(b, right)])
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expected(messages: &[&[u8]]) -> Vec<Hash> {
        messages.iter().map(|message| Md5::digest(message).into()).collect()
    }

    #[test]
    fn every_length_around_a_block_is_padded_as_it_should() {
        let data: Vec<u8> = (0..=u8::MAX).cycle().take(300).collect();
        for length in 0..data.len() {
            // Messages of other lengths end in other blocks.
            let messages: Vec<&[u8]> = (0..LANES).map(|lane| &data[..length * (lane + 1) / LANES]).collect();
            assert_eq!(hashes(&messages), expected(&messages), "{length}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 256 }))]

        #[test]
        fn the_hashes_are_those_of_one_message_after_the_other(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..500), 0..20),
        ) {
            let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(hashes(&messages), expected(&messages));
        }
    }
}
