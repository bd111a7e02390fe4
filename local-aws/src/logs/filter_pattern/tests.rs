//! The examples of the user guide, the quotas, the errors, and hostile input.

use proptest::prelude::*;

use super::FilterPattern;

fn matches(pattern: &str, message: &str) -> bool {
    match FilterPattern::parse(pattern) {
        Ok(parsed) => parsed.matches(message),
        Err(error) => panic!("{pattern}: {error}"),
    }
}

/// Whether each message is selected, in order.
fn selected(pattern: &str, messages: &[&str]) -> Vec<bool> {
    messages.iter().map(|message| matches(pattern, message)).collect()
}

fn error(pattern: &str) -> String {
    match FilterPattern::parse(pattern) {
        Ok(parsed) => panic!("{pattern} was read as {parsed:?}"),
        Err(error) => error.to_string(),
    }
}

const ERRORS: [&str; 4] = [
    "[ERROR 400] BAD REQUEST",
    "[ERROR 401] UNAUTHORIZED REQUEST",
    "[ERROR 419] MISSING ARGUMENTS",
    "[ERROR 420] INVALID ARGUMENTS",
];

#[test]
fn every_term_must_be_in_the_message() {
    assert_eq!(selected("ERROR", &ERRORS), [true; 4]);
    assert_eq!(selected("ERROR ARGUMENTS", &ERRORS), [false, false, true, true]);
    assert_eq!(selected("error", &ERRORS), [false; 4]);
    assert!(matches("AUTH", ERRORS[1]), "inside a word too");
    assert_eq!(selected("", &ERRORS), [true; 4]);
    assert_eq!(selected("  ", &ERRORS), [true; 4]);
    assert_eq!(selected("\" \"", &["two words", "one"]), [true, true]);
}

#[test]
fn any_optional_term_selects_unless_there_are_other_terms() {
    assert_eq!(selected("?ERROR ?ARGUMENTS", &ERRORS), [true; 4]);
    assert_eq!(selected("?401 ?ARGUMENTS", &ERRORS), [false, true, true, true]);
    let messages = ["[INFO] REQUEST FAILED", "[ERROR] 400 BAD REQUEST", "[ERROR] MISSING ARGUMENTS"];
    assert_eq!(selected("?ERROR ?ARGUMENTS REQUEST", &messages), [true, true, false]);
    assert_eq!(selected("?ERROR -REQUEST", &messages), [false, false, true]);
}

#[test]
fn excluded_terms_and_phrases_reject_a_message() {
    assert_eq!(selected("ERROR -ARGUMENTS", &ERRORS), [true, true, false, false]);
    assert_eq!(selected("-ARGUMENTS", &ERRORS), [true, true, false, false]);
    assert_eq!(selected("\"[ERROR 4\" -\"BAD REQUEST\"", &ERRORS), [false, true, true, true]);
    assert!(matches(r#""say \"hi\" C:\\dir""#, r#"they say "hi" C:\dir now"#));
    assert!(matches("\"a*b\"", "a*b") && !matches("\"a*b\"", "axb"), "no wildcards in a phrase");
}

#[test]
fn regular_expressions_follow_the_documentation() {
    let cases = [
        ("%AUTHORIZED%", "[ERROR 401] UNAUTHORIZED REQUEST", true),
        ("%^[hc]at%", "hat trick", true),
        ("%^[hc]at%", "a hat", false),
        ("%[hc]at$%", "the cat", true),
        ("%colou?r%", "color", true),
        ("%[abcx-z]%", "y", true),
        ("%[^abc]%", "ab", false),
        ("%^a{3,5}$%", "aaaa", true),
        ("%^a{3, 5}$%", "aa", false),
        ("%^a{,2}$%", "aa", true),
        ("%^a{2,}$%", "aaaaa", true),
        ("%gra|ey%", "grey", true),
        ("%^starting|^shutting down%", "shutting down now", true),
        ("%^starting|^shutting down%", "not shutting down", false),
        (r"%\[.\]%", "value [7]", true),
        (r"%10\.10\.0\.1%", "10010,051", false),
        (r"%^\d\D\s\S\w\W$%", "1a bc!", true),
        (r"%^[\d\W]+$%", "12!!", true),
        (r"%^[\d\W]+$%", "a", false),
        (r"%^\d$%", "٣", false),
        (r"%\x3A\x28%", "a:(", true),
        ("%^[a-]$%", "-", true),
        ("%^[--/]$%", ".", true),
        ("%^[.$]+$%", ".$", true),
        ("%ab*c%", "ac", true),
        ("%^ab+c$%", "ac", false),
        ("%^.$%", "é", true),
    ];
    for (pattern, message, expected) in cases {
        assert_eq!(matches(pattern, message), expected, "{pattern} on {message}");
    }
}

#[test]
fn invalid_regular_expressions_are_rejected() {
    for bad in [
        "%something!%",
        "%(ab)+%",
        "%café%",
        r"%\p%",
        r"%\(a%",
        "%%",
        "%abc",
        "%a{3,%",
        "%a{b}%",
        "%[abc%",
        "%[]%",
        "%[z-a]%",
        "%*a%",
        r"%\x4%",
        r"%\xFF%",
        r"%a\%",
        "%a{999}{999}{999}%",
        "%a% %b% %c%",
        "{ $.v = %a% || $.v = %b% || $.v = %c% }",
    ] {
        error(bad);
    }
    assert!(matches("%a% %b%", "b a"), "two are within the quota");
}

const TRAIL: &str = r#"{"eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111", "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}], "SomeObject": null, "cluster.name": "c", "flag": true,
    "status": 404, "account": "123456789012", "n": 1000, "big": 9007199254740993, "nested": {"deep": "x"}}"#;

#[test]
fn json_conditions_follow_the_documentation() {
    let cases = [
        (r#"{ $.eventType = "UpdateTrail" }"#, true),
        ("{ $.eventType = UpdateTrail }", true),
        ("{$.eventType=UpdateTrail}", true),
        ("{ $.eventType = \"Update*\" }", true),
        ("{ $.eventType = *date*ail }", true),
        ("{ $.eventType = *Trai }", false),
        ("{ $.eventType = * }", true),
        ("{ $.sourceIPAddress != 123.123.* }", true),
        ("{ $.sourceIPAddress != 111.111.* }", false),
        ("{ $.arrayKey[0] = \"value\" }", true),
        ("{ $.arrayKey[1] = \"value\" }", false),
        ("{ $.arrayKey[9] = \"value\" }", false),
        ("{ $.arrayKey[*] = %val.{2}% }", true),
        ("{ $.eventType = %Trail% }", true),
        ("{ $.eventType != %Trail% }", false),
        (r"{ $.* = %111\.111\.111\.1[0-9]{1,2}% }", true),
        ("{ $.['cluster.name'] = \"c\" }", true),
        ("{ $['cluster.name'] = \"c\" }", true),
        ("{ $.objectList[*].id = 2 }", true),
        ("{ $.objectList[*].id > 2 }", false),
        ("{ $.SomeObject IS NULL }", true),
        ("{ $.eventType IS NULL }", false),
        ("{ $.flag IS TRUE }", true),
        ("{ $.flag IS FALSE }", false),
        ("{ $.SomeOtherObject NOT EXISTS }", true),
        ("{ $.nested.deep NOT EXISTS }", false),
        ("{ $.nested.other.thing NOT EXISTS }", true),
        ("{ $.status = 404 }", true),
        ("{ $.status = 4* }", true),
        ("{ $.status = \"404\" }", true),
        ("{ $.status >= 404 && $.status < 405 }", true),
        ("{ $.account = 123456789012 }", true),
        ("{ $.n = 1e+3 }", true),
        ("{ $.n != 1e-3 }", true),
        ("{ $.n > +999.5 }", true),
        ("{ $.n < -1 }", false),
        ("{ $.big = 9007199254740992 }", false),
        ("{ $.eventType > 3 }", false),
        ("{ $.arrayKey = \"value\" }", false),
        ("{ $.arrayKey != \"value\" }", false),
        ("{ $.missing != \"value\" }", false),
        ("{ $.flag = \"*\" }", false),
    ];
    for (pattern, expected) in cases {
        assert_eq!(matches(pattern, TRAIL), expected, "{pattern}");
    }
}

#[test]
fn json_compounds_bind_parentheses_then_and_then_or() {
    let message = r#"{"user": {"id": 1, "email": "John.Stiles@example.com"}, "users": [{"id": 2, "email": "John.Doe@example.com"}],
        "actions": ["GET", "PUT", "DELETE"], "coordinates": [[0, 1, 2], [4, 5, 6]]}"#;
    let cases = [
        (r#"{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }"#, true),
        (
            r#"{ $.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch && $.actions[2] = nomatch }"#,
            true,
        ),
        (
            r#"{ ($.user.email = "John.Stiles@example.com" || $.coordinates[0][1] = nonmatch) && $.actions[2] = nomatch }"#,
            false,
        ),
        (r#"{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }"#, false),
        ("{ $.coordinates[1][2] = 6 }", true),
    ];
    for (pattern, expected) in cases {
        assert_eq!(matches(pattern, message), expected, "{pattern}");
    }
}

#[test]
fn json_patterns_select_only_json_messages() {
    for message in ["not json", "\"text\"", "12", "", "{broken", r#"INFO {"a": 1}"#] {
        assert!(!matches("{ $.a NOT EXISTS }", message), "{message}");
    }
    assert!(matches("{ $[0].a = 1 }", r#"[{"a": 1}]"#));
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert!(!matches("{ $.a NOT EXISTS }", &deep));
}

const APACHE: &str = r#"127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534"#;

#[test]
fn space_delimited_fields_follow_the_documentation() {
    let cases = [
        (r"[ip=%127\.0\.0\.[1-9]%, user, username, timestamp, request =*.html*, status_code = 4*, bytes]", true),
        ("[..., request =*.html*, status_code = 4*, bytes]", true),
        ("[..., request=*.html*, status_code=4*,]", true),
        ("[ip, user, username, timestamp, request, status_code = 404 || status_code = 410, bytes]", true),
        ("[ip, user, ..., status_code = 4* && status_code != 403, bytes > 1000]", true),
        ("[ip, user, ..., (status_code = 500 || status_code = 404) && status_code >= 404, bytes]", true),
        ("[..., status_code, bytes > 2000]", false),
        ("[..., request=\"GET /index.html HTTP/1.0\", status_code, bytes]", true),
        ("[..., timestamp=10/Oct/2000:*, request, status_code, bytes]", true),
        ("[ip, user=Prod, ...]", true),
        ("[ip, user=Dev, ...]", false),
        ("[ip, ..., bytes]", true),
        ("[ip, user, rest=*1534]", true),
        ("[a, b, c, d, e, f, g]", true),
        ("[a, b, c, d, e, f, g, h]", false),
        ("[a, b, c, d, e, f, g, h, ...]", false),
        ("[a, b, c, d, ..., e, f, g]", true),
        ("[a, b, c, d, e, ..., f, g, h]", false),
        ("[]", true),
    ];
    for (pattern, expected) in cases {
        assert_eq!(matches(pattern, APACHE), expected, "{pattern}");
    }
}

#[test]
fn without_an_ellipsis_the_last_field_has_the_rest_of_the_line() {
    let lines = [
        "ERROR 09/25/2014 12:00:02 Failed to process request",
        "WARNING 09/25/2014 Invalid request",
        "INFO x",
        "ERROR",
    ];
    assert_eq!(selected("[w1=ERROR, w2]", &lines), [true, false, false, false]);
    assert_eq!(selected("[w1=ERROR || w1=WARNING, w2]", &lines), [true, true, false, false]);
    assert_eq!(selected("[w1!=ERROR && w1!=WARNING, w2]", &lines), [false, false, true, false]);
    assert_eq!(selected("[w1=ERROR]", &lines), [false, false, false, true]);
    let lambda = "2014-09-25T12:00:00.000Z\td19-c0\t{\"a\": 1}";
    assert!(
        matches("[timestamp=*Z, request_id=\"*-*\", event]", lambda),
        "as the subscription blueprint for Lambda has it"
    );
}

#[test]
fn invalid_patterns_are_rejected() {
    for bad in [
        "\"ERROR",
        "?",
        "-",
        "ERR*",
        "a:b",
        "a\"b\"",
        "\"\"",
        "email@example.com",
        "?\"x",
        "(a)",
        "{ $.a = }",
        "{ $.a }",
        "{}",
        "{ $.a = 1 } trailing }",
        "{ a = 1 }",
        "{ $.a == 1 }",
        "{ $.a = 1 && }",
        "{ ($.a = 1 }",
        "{ $.a = 1) }",
        "{ $.a IS MAYBE }",
        "{ $.a IS NOT NULL }",
        "{ $.a EXISTS }",
        "{ $.a NOT }",
        "{ $.a[x] = 1 }",
        "{ $.a[-1] = 1 }",
        "{ $.a[0:2] = 1 }",
        "{ $..a = 1 }",
        "{ $. = 1 }",
        "{ $ = 1 }",
        "{ $.a = \"open }",
        "{ $.a[99999999999999999999] = 1 }",
        "{ $.a > \"x\" }",
        "{ $.a > x }",
        "{ $.*[*] = 1 }",
        "{ $.\"a-b\" = 1 }",
        "{ !($.a = 1) }",
        "{ $.a > 0 AND $.a < 2 }",
        "{ \"a\": [1] }",
        "{ $.a[*] = 1 || $.b[*] = 1 || $.c[*] = 1 || $.d[*] = 1 }",
        "{ $.['a] = 1 }",
        "[a, b] trailing]",
        "[a, ..., b, ...]",
        "[a, a]",
        "[a = ]",
        "[a = 1 ||]",
        "[1a]",
        "[a, b=x || c=y]",
        "[a b]",
        "[(a)]",
        "[a=\"x]",
    ] {
        error(bad);
    }
}

#[test]
fn an_error_names_the_problem_and_its_position() {
    assert!(error("a:b").starts_with("Invalid character(s) in term ':'"));
    assert!(error("a:b").ends_with("(at character 2 of the filter pattern)"));
    assert!(error("{ $.a = 1").starts_with("If a filter pattern starts with '{' it must end with '}'"));
    assert!(error("%(a)%").starts_with("Invalid character(s) in regular expression '(': letters"));
    assert!(error("[a, b").starts_with("If a filter pattern starts with '[' it must end with ']'"));
    let error = FilterPattern::parse("{ $.é = 1 && 3 }").unwrap_err();
    assert_eq!(error.position, 14);
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{{ {}$.a = 1{} }}", "(".repeat(depth), ")".repeat(depth));
    assert!(matches(&nested(100), r#"{"a": 1}"#));
    assert!(error(&nested(1_000_000)).contains("nested too deeply"));
    let chain = format!("{{ $.a = 1{} }}", " && $.a = 1".repeat(100_000));
    assert!(matches(&chain, r#"{"a": 1}"#));
}

/// Texts made of the grammar's own tokens. They reach further into the parser than arbitrary texts.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "$",
        ".",
        "..",
        "...",
        "$.a",
        "$.é",
        "[0]",
        "[*]",
        "['k']",
        "=",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        "\"",
        "\\",
        "\"s*\"",
        "%",
        "%a+%",
        "%[^a-z]{2,}%",
        r"%\x41%",
        "*",
        "-",
        "?",
        ",",
        " ",
        "\t",
        "IS",
        "NULL",
        "NOT",
        "EXISTS",
        "1e9",
        "-3",
        "a",
        "ERROR",
        "é",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_input_panics(pattern in prop_oneof![any::<String>(), pieces()], message in prop_oneof![any::<String>(), pieces()]) {
        if let Ok(parsed) = FilterPattern::parse(&pattern) {
            parsed.matches(&message);
            parsed.matches(TRAIL);
            parsed.matches(APACHE);
        }
    }

    #[test]
    fn any_text_in_braces_or_brackets_is_parsed_or_rejected(inner in pieces()) {
        for pattern in [format!("{{ {inner} }}"), format!("[{inner}]"), format!("{{ $.a = 1 && {inner} }}"), format!("[..., a=1 || {inner}]")] {
            if let Ok(parsed) = FilterPattern::parse(&pattern) {
                parsed.matches(TRAIL);
                parsed.matches(APACHE);
            }
        }
    }

    #[test]
    fn a_quoted_phrase_selects_exactly_the_messages_that_contain_it(phrase in "[a-zA-Z0-9 \\[\\]:/{}%$-]{1,12}", before in ".{0,8}", after in ".{0,8}") {
        prop_assume!(!phrase.trim().is_empty());
        let pattern = format!("\"{phrase}\"");
        let message = format!("{before}{phrase}{after}");
        prop_assert!(matches(&pattern, &message));
        prop_assert_eq!(matches(&pattern, &before), before.contains(&phrase));
    }
}
