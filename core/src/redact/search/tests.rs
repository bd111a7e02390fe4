use proptest::prelude::*;

use super::*;

fn names(names: &[&'static str]) -> NameSearch {
    NameSearch::new(names.iter().copied())
}

#[test]
fn names_that_differ_only_in_case_or_form_fold_to_the_same_text() {
    for (one, other) in [
        ("ПАРОЛЬ", "пароль"),
        ("GRÖSSE", "größe"),
        ("GRÖẞE", "größe"),
        ("gro\u{308}ße", "größe"),
        ("ΛΌΓΟΣ", "λόγος"),
        ("ｐａｓｓｗｏｒｄ", "password"),
        ("pa\u{17f}sword", "password"),
        ("to\u{212a}en", "token"),
        ("pass\u{200b}word", "PASSWORD"),
        ("ﬁle", "FILE"),
        ("İd", "i\u{307}D"),
        ("ŞİFRE", "şifre"),
        ("KULLANICI", "kullanıcı"),
    ] {
        assert_eq!(fold(one), fold(other), "{one} {other}");
    }
    assert_ne!(fold("pässword"), fold("password"));
}

#[test]
fn inert_characters_do_not_fold_to_ascii_letters() {
    for character in (0x80..=0x10_FFFF).filter_map(char::from_u32).filter(|&character| is_inert(character)) {
        let folded = fold(&character.to_string());
        assert!(!folded.is_empty(), "{character:?}");
        let mut characters = folded.chars().peekable();
        while let Some(folded) = characters.next() {
            let has_accent = characters.peek().is_some_and(|&next| canonical_combining_class(next) != 0);
            assert!(!folded.is_ascii() || folded == ' ' || has_accent, "{character:?}");
        }
    }
}

#[test]
fn names_are_found_in_any_writing() {
    let names = names(&["password", "größe", "密码", "card number"]);
    for text in [
        "password=x",
        "POST /login {\"PassWord\":\"x\"}",
        "x userpassword: 1",
        "the password is x",
        "p%61ssword=x",
        "p%2561ssword=x",
        r"p\u0061ssword: x",
        r"p\\u0061ssword: x",
        "p&#97;ssword=x",
        "p&amp;#97;ssword=x",
        "GRÖSSE 7",
        "gr%C3%B6%C3%9Fe=7",
        "gr%F6%DFe=7",
        "p\0a\0s\0s\0w\0o\0r\0d\0=\0x\0",
        "\0p\0a\0s\0s\0w\0o\0r\0d\0=\0x",
        "用户密码是x",
        "\u{1e}{\"password\":1}",
        "8:password1:x",
        "card+number=1",
        "the card\nnumber: 1",
        r"card\tnumber: 1",
        "card%20number=1",
        "card\u{a0}number=1",
        "\u{10}password\u{2}x",
        "ｐａｓｓｗｏｒｄ：x",
        "pass\\\nword x",
        "&ltpassword&gtx",
        "[31mpassword[0m=x",
        "x userpassword = 1",
        "10:00 passwords 'x'",
        "\u{1}A\u{1}password",
    ] {
        assert!(names.may_match(text), "{text:?}");
        assert!(!names.is_surely_absent(text), "{text:?}");
    }
    let utf16: Vec<u8> = "größe: 7".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert!(names.may_match(&String::from_utf8_lossy(&utf16)));
    let cyrillic = NameSearch::new(["пароль"].into_iter());
    let utf16: Vec<u8> = "пароль: 7".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(cyrillic.may_match(std::str::from_utf8(&utf16).unwrap()));
    let layers = (0..10).fold("p%61ssword=x".to_owned(), |text, _| text.replace('%', "%25"));
    assert!(names.may_match(&layers));
}

#[test]
fn longer_words_in_prose_do_not_match() {
    let names = names(&["id", "pin", "token", "name"]);
    for text in [
        "valid",
        "shipping",
        "the shipping is valid",
        "10:00 INFO: shipping is valid, renamed by \"Ann\"",
        "GET /valid?a=1",
        "token_type",
        "token",
        "50 % off",
        "a&b",
        "tokén is x",
        "Ünïcödé 漢字 😀",
        "C:\\dir",
        "",
    ] {
        assert!(!names.may_match(text), "{text:?}");
    }
}

#[test]
fn search_time_is_linear_in_the_text() {
    let names = names(&["pin"]);
    for text in
        [format!("{} x", "apina".repeat(200_000)), "apina ".repeat(200_000), format!("apina{}", " ".repeat(1 << 20))]
    {
        names.is_surely_absent(&text);
        names.may_match(&text);
    }
    assert!(names.may_match(&format!("{} x", "apina".repeat(200))));
}

#[test]
fn spaces_and_hyphens_around_a_key_are_ignored() {
    let names = names(&["password", "größe"]);
    for key in
        ["password", " Password\n", "--password", "-PASSWORD", "\u{a0}password ", " GRÖSSE", "--gr%C3%B6%C3%9Fe "]
    {
        assert!(names.has_name(key, 2), "{key:?}");
    }
    for key in ["passwords", "_password", "my-password", "größer", "-", ""] {
        assert!(!names.has_name(key, 2), "{key:?}");
    }
}

#[test]
fn ordinary_text_takes_the_fast_path() {
    let names = names(&["password", "card_number"]);
    for text in [
        r#"{"a":"x\"y\nz\\\"","b":"gr\u00fc\u00dfe \ud83d\ude00"}"#.replace(r"\u00df", ""),
        "https://example.com/?a=1&b=2%20c".to_owned(),
        "Grüße — 漢字，한국어 😀 привет".replace('ß', ""),
        "100 % & more".to_owned(),
    ] {
        assert!(names.is_surely_absent(&text), "{text}");
    }
}

#[test]
fn text_that_an_escape_makes_binary_does_not_take_the_fast_path() {
    let names = names(&["e"]);
    for text in [r"\1é", r"\u0008é", r"\fé"] {
        assert!(names.may_match(text) && !names.is_surely_absent(text), "{text:?}");
    }
}

/// Binary text is also read as UTF-16, in which `ℙ` is `!` and a control character.
#[test]
fn text_with_escaped_control_characters_does_not_take_the_fast_path() {
    let names = names(&["e", "password"]);
    for text in [r"\1é", r"\u0001é", r"\u001b[0m", r"a\x7f", r"%01", "&#1;", r"\\u0019!"] {
        assert!(!names.is_surely_absent(text), "{text}");
    }
    assert!(names.is_surely_absent(r"a\tb\nc\r %09 &#10;"));
}

proptest! {
    #[test]
    fn long_and_short_texts_are_searched_for_the_same_names(
        text in "[a-dA-D é]{60,200}", list in prop::collection::vec("[a-cé]{1,5}", 1..12),
    ) {
        let names = NameSearch::new(list.iter().map(String::as_str));
        let search = names.search.as_ref().unwrap();
        prop_assert_eq!(names.contains_literally(&text, search), search.is_match(&text));
    }

    #[test]
    fn the_fast_path_misses_nothing_that_the_search_finds(text in "[a-e\\\\%&#;u0-9x{}\"ßéſé\u{200b}\\x00 =:]{0,24}") {
        let names = names(&["ab", "ss", "e"]);
        prop_assert!(!names.is_surely_absent(&text) || !names.may_match(&text), "{:?}", text);
    }
}
