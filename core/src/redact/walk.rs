//! One walk through JSON, replacing what the rules name.

use serde::de::IgnoredAny;

use crate::escape::push_string;
use crate::json::{self, JsonKind, Value};

use super::{REDACTION_MARK, Redacted, Redactor};

/// Strings that hold JSON that holds such strings are read this deep; beyond, such a string is replaced whole.
const STRINGS_DEEP: u32 = 4;

/// How far a pointer has been followed.
#[derive(Debug, Clone, Copy)]
struct Path<'r> {
    /// The tokens that are still to be found.
    tokens: &'r [String],
    typing: Typing,
}

/// How DynamoDB's JSON stands at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Typing {
    /// This is not DynamoDB's JSON.
    Plain,
    /// An item, or the inside of an `M` or `L`: its members' values have a type around them.
    Item,
    /// An attribute's value: an object of one member that names the type.
    Value,
}

impl<'r> Path<'r> {
    /// The path inside the member or element of this name, if it leads there.
    fn step(self, key: &str) -> Option<Self> {
        let typing = match self.typing {
            Typing::Value => return Some(Self { typing: Typing::Item, ..self }),
            Typing::Item => Typing::Value,
            Typing::Plain => Typing::Plain,
        };
        let (first, tokens) = self.tokens.split_first()?;
        (first == key).then_some(Self { tokens, typing })
    }
}

pub(super) struct Walk<'r, 't> {
    rules: &'r Redactor,
    text: &'t str,
    /// What has been written, which is all of the text before `copied`.
    out: Vec<u8>,
    copied: usize,
    count: usize,
    strings_deep: u32,
}

impl<'r, 't> Walk<'r, 't> {
    /// Applies the rules to `text`, which is valid JSON and no deeper than [`json::MAX_JSON_DEPTH`].
    pub(super) fn over(rules: &'r Redactor, text: &'t str) -> Redacted {
        match Self::inside(rules, text, 0) {
            None => Redacted::Nothing,
            Some((out, count)) => match String::from_utf8(out) {
                Ok(json) => Redacted::Values { json, count },
                // Cannot be, since only whole values were replaced; and if it could, nothing would be shown.
                Err(_) => Redacted::Whole { reason: "not JSON" },
            },
        }
    }

    /// The text with values replaced, and how many; `None` if there were none.
    fn inside(rules: &'r Redactor, text: &'t str, strings_deep: u32) -> Option<(Vec<u8>, usize)> {
        let mut walk = Self { rules, text, out: Vec::new(), copied: 0, count: 0, strings_deep };
        let paths = walk.root_paths(Typing::Plain);
        walk.value("", Value::new(text), &paths);
        (walk.count > 0).then(|| {
            walk.out.extend_from_slice(&text.as_bytes()[walk.copied..]);
            (walk.out, walk.count)
        })
    }

    /// Every pointer, from its beginning.
    fn root_paths(&self, typing: Typing) -> Vec<Path<'r>> {
        self.rules.pointers.iter().map(|tokens| Path { tokens, typing }).collect()
    }

    /// Walks through a value that stays unless something inside it goes; gives its length in bytes. The recursion is as
    /// deep as the data, which is bounded.
    fn value(&mut self, key: &str, value: Value<'t>, paths: &[Path<'r>]) -> usize {
        match value.kind() {
            JsonKind::Object => {
                let mut members = value.members();
                while let Some((key, value)) = members.next() {
                    let mut inside: Vec<_> = paths.iter().filter_map(|path| path.step(&key)).collect();
                    if matches!(&*key, "NewImage" | "OldImage" | "Keys") {
                        inside.extend(self.root_paths(Typing::Item));
                    }
                    members.passed(self.child(&key, value, &inside));
                }
                members.length()
            }
            JsonKind::Array => {
                let mut elements = value.elements();
                let mut index = 0_usize;
                while let Some(element) = elements.next() {
                    let inside: Vec<_> = if paths.is_empty() {
                        Vec::new()
                    } else {
                        let index = index.to_string();
                        paths.iter().filter_map(|path| path.step(&index)).collect()
                    };
                    // An element is what its array's key says it is.
                    elements.passed(self.element(key, element, &inside));
                    index += 1;
                }
                elements.length()
            }
            JsonKind::String => self.string(key, value),
            _ => value.text().len(),
        }
    }

    /// Replaces a member's value, or walks through it; gives its length in bytes.
    fn child(&mut self, key: &str, value: Value<'t>, paths: &[Path<'r>]) -> usize {
        if self.rules.names(key) { self.replace(value, REDACTION_MARK) } else { self.element(key, value, paths) }
    }

    fn element(&mut self, key: &str, value: Value<'t>, paths: &[Path<'r>]) -> usize {
        if paths.iter().any(|path| path.tokens.is_empty()) {
            self.replace(value, REDACTION_MARK)
        } else {
            self.value(key, value, paths)
        }
    }

    /// A string may hold JSON of its own.
    fn string(&mut self, key: &str, value: Value<'t>) -> usize {
        let Some(string) = value.string().filter(|string| may_hold_json(string)) else {
            return value.text().len();
        };
        let container = json::is_container(&string);
        if !container || self.strings_deep == STRINGS_DEEP {
            // What a pointer may lead into is JSON, also such as not every reader takes, or a message; other strings that
            // begin with a bracket are only strings.
            let pointed = !self.rules.pointers.is_empty() && (key == "message" || container || is_json(&string));
            let hidden = pointed || self.rules.may_be_named_in(&string);
            return if hidden { self.replace(value, REDACTION_MARK) } else { value.text().len() };
        }
        match Walk::inside(self.rules, &string, self.strings_deep + 1) {
            None => value.text().len(),
            Some((inside, count)) => {
                // The replacement itself counts one.
                self.count += count - 1;
                self.replace(value, &String::from_utf8_lossy(&inside))
            }
        }
    }

    /// Writes `string` in the place of a value; gives the value's length in bytes.
    fn replace(&mut self, value: Value<'t>, string: &str) -> usize {
        let length = value.text().len();
        let start = value.offset_in(self.text);
        self.out.extend_from_slice(&self.text.as_bytes()[self.copied..start]);
        push_string(&mut self.out, string);
        self.copied = start + length;
        self.count += 1;
        length
    }
}

/// Whether a string may be an object or a list, or one that was written as a string once more.
fn may_hold_json(string: &str) -> bool {
    let string = string.trim_start();
    string.starts_with(['{', '[']) || (string.starts_with('"') && string.contains(['{', '[']) && is_json(string))
}

/// Whether it is JSON of any depth, with any numbers and surrogates.
fn is_json(string: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(string).is_ok()
}
