//! Hex dumps. Pure.

use std::fmt::Write;

const WIDTH: usize = 16;

/// Returns a dump of some bytes: offset, bytes, and the printable characters. Every line ends with a line break.
pub fn dump(bytes: &[u8]) -> String {
    let mut dump = String::new();
    for (index, line) in bytes.chunks(WIDTH).enumerate() {
        write!(dump, "{:08x} ", index * WIDTH).ok();
        for column in 0..WIDTH {
            let gap = if column % (WIDTH / 2) == 0 { " " } else { "" };
            match line.get(column) {
                Some(byte) => write!(dump, "{gap}{byte:02x} ").ok(),
                None => write!(dump, "{gap}   ").ok(),
            };
        }
        dump.push_str(" |");
        dump.extend(line.iter().map(|&byte| if (b' '..=b'~').contains(&byte) { char::from(byte) } else { '.' }));
        dump.push_str("|\n");
    }
    dump
}

#[cfg(test)]
mod tests {
    use super::dump;

    #[test]
    fn a_dump_has_offsets_bytes_and_characters() {
        let bytes: Vec<u8> = (0x50..0x62).chain([0xff]).collect();
        let expected = "\
00000000  50 51 52 53 54 55 56 57  58 59 5a 5b 5c 5d 5e 5f  |PQRSTUVWXYZ[\\]^_|
00000010  60 61 ff                                          |`a.|
";
        assert_eq!(dump(&bytes), expected);
        assert_eq!(dump(b""), "");
    }
}
