//! One walk through JSON, replacing what the rules name.

use crate::escape::push_string;
use crate::json::{JsonKind, Value};

use super::{REDACTION_MARK, Redactor, Verdict};

/// How far a pointer has been followed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path<'r> {
    /// The tokens that are still to be found.
    pub(super) tokens: &'r [String],
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
    /// Every pointer, from its beginning.
    pub(super) fn roots(pointers: &'r [Vec<String>]) -> Vec<Self> {
        pointers.iter().map(|tokens| Self { tokens, typing: Typing::Plain }).collect()
    }

    /// The path inside the member or element of this name, if it leads there.
    pub(super) fn step(self, key: &str) -> Option<Self> {
        let typing = match self.typing {
            Typing::Value => return Some(Self { typing: Typing::Item, ..self }),
            Typing::Item => Typing::Value,
            Typing::Plain => Typing::Plain,
        };
        let (first, tokens) = self.tokens.split_first()?;
        (first == key).then_some(Self { tokens, typing })
    }

    fn typed(self, typing: Typing) -> Self {
        Self { typing, ..self }
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
    /// Applies the rules to `text`, which is valid JSON and no deeper than [`MAX_JSON_DEPTH`](crate::MAX_JSON_DEPTH), and
    /// into which `reached` leads. Gives the text with values replaced, and how many; `None` if there were none.
    pub(super) fn over(
        rules: &'r Redactor,
        text: &'t str,
        reached: &[Path<'r>],
        strings_deep: u32,
    ) -> Option<(String, usize)> {
        let mut walk = Self { rules, text, out: Vec::new(), copied: 0, count: 0, strings_deep };
        let mut paths = Path::roots(&rules.pointers);
        paths.extend(reached.iter().map(|path| path.typed(Typing::Plain)));
        walk.value(Value::new(text), &paths);
        (walk.count > 0).then(|| {
            walk.out.extend_from_slice(&text.as_bytes()[walk.copied..]);
            // Only whole values were replaced, so that it is UTF-8 still; and if it were not, nothing would be shown.
            let json = String::from_utf8(walk.out).unwrap_or_else(|_| format!("\"{REDACTION_MARK}\""));
            (json, walk.count)
        })
    }

    /// Walks through a value that stays unless something inside it goes; gives its length in bytes. The recursion is as
    /// deep as the data, which is bounded.
    fn value(&mut self, value: Value<'t>, paths: &[Path<'r>]) -> usize {
        match value.kind() {
            JsonKind::Object => {
                let mut members = value.members();
                while let Some((literal, key, value)) = members.next_with_literal() {
                    let mut inside: Vec<_> = paths.iter().filter_map(|path| path.step(&key)).collect();
                    if matches!(&*key, "NewImage" | "OldImage" | "Keys") {
                        let of_items = Path::roots(&self.rules.pointers).into_iter().chain(inside.clone());
                        inside.extend(of_items.map(|path| path.typed(Typing::Item)).collect::<Vec<_>>());
                    }
                    // A key is text like any other; no pointer leads into it. One that may hold a name may name its value.
                    let is_named = self.rules.names(&key) || self.judge(literal, &key, &[]).1;
                    let length =
                        if is_named { self.replace(value, REDACTION_MARK, 1) } else { self.element(value, &inside) };
                    members.passed(length);
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
                    elements.passed(self.element(element, &inside));
                    index += 1;
                }
                elements.length()
            }
            JsonKind::String => match value.string() {
                Some(string) => self.judge(value, &string, paths).0,
                None => value.text().len(),
            },
            _ => value.text().len(),
        }
    }

    fn element(&mut self, value: Value<'t>, paths: &[Path<'r>]) -> usize {
        if paths.iter().any(|path| path.tokens.is_empty()) {
            self.replace(value, REDACTION_MARK, 1)
        } else {
            self.value(value, paths)
        }
    }

    /// Replaces a string as far as it is not to be shown. Returns its length in bytes, and whether it is hidden whole.
    fn judge(&mut self, literal: Value<'t>, string: &str, paths: &[Path<'r>]) -> (usize, bool) {
        match self.rules.text(string, paths, self.strings_deep + 1) {
            Verdict::Shown => (literal.text().len(), false),
            Verdict::Replaced(inside, count) => (self.replace(literal, &inside, count), false),
            Verdict::Hidden => (self.replace(literal, REDACTION_MARK, 1), true),
        }
    }

    /// Writes `string` in the place of a value, for so many values that were replaced; gives the value's length in bytes.
    fn replace(&mut self, value: Value<'t>, string: &str, count: usize) -> usize {
        let length = value.text().len();
        let start = value.offset_in(self.text);
        self.out.extend_from_slice(&self.text.as_bytes()[self.copied..start]);
        push_string(&mut self.out, string);
        self.copied = start + length;
        self.count += count;
        length
    }
}
