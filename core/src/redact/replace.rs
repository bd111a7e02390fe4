//! Walks through JSON and replaces the values that the rules name.

use crate::escape::push_json_string;
use crate::json::{JsonKind, Value};
use crate::pointer::Pointer;
use crate::shape;

use super::{REDACTION_MARK, Redactor, Verdict};

/// A pointer that was followed to some value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path<'r> {
    /// The tokens that are still to follow.
    pub(super) tokens: &'r [String],
    form: Form,
}

/// The form of the value that a path has reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Plain JSON.
    Plain,
    /// A container whose values have their types around them.
    TypedContainer,
    /// A value with its type around it: an object whose one member names the type.
    TypedValue,
}

impl<'r> Path<'r> {
    /// Returns a path at its beginning for every pointer.
    pub(super) fn roots(pointers: &'r [Pointer]) -> Vec<Self> {
        pointers.iter().map(|pointer| Self { tokens: pointer.tokens(), form: Form::Plain }).collect()
    }

    /// Follows the path into the member or element `key`, if it leads there.
    pub(super) fn step(self, key: &str) -> Option<Self> {
        let form = match self.form {
            Form::TypedValue => return Some(Self { form: Form::TypedContainer, ..self }),
            Form::TypedContainer => Form::TypedValue,
            Form::Plain => Form::Plain,
        };
        let (first, tokens) = self.tokens.split_first()?;
        (first == key).then_some(Self { tokens, form })
    }

    fn with_form(self, form: Form) -> Self {
        Self { form, ..self }
    }
}

pub(super) struct Replacer<'r, 't> {
    rules: &'r Redactor,
    text: &'t str,
    /// The text before `copied`, after replacement.
    out: Vec<u8>,
    copied: usize,
    count: usize,
    level: u32,
}

impl<'r, 't> Replacer<'r, 't> {
    /// Applies the rules to `text`, into which `paths` lead besides the pointers themselves. `text` is valid JSON and at most
    /// [`MAX_JSON_DEPTH`](crate::decode::MAX_JSON_DEPTH) levels deep. Returns the text after replacement and the number of
    /// replaced values, or `None` if there are none.
    pub(super) fn apply(rules: &'r Redactor, text: &'t str, paths: &[Path<'r>], level: u32) -> Option<(String, usize)> {
        let mut replacer = Self { rules, text, out: Vec::new(), copied: 0, count: 0, level };
        let mut all_paths = Path::roots(&rules.pointers);
        all_paths.extend(paths.iter().map(|path| path.with_form(Form::Plain)));
        replacer.value(Value::new(text), &all_paths);
        (replacer.count > 0).then(|| {
            replacer.out.extend_from_slice(&text.as_bytes()[replacer.copied..]);
            // Only whole values were replaced, so this is UTF-8. If it were not, nothing would be shown.
            let json = String::from_utf8(replacer.out).unwrap_or_else(|_| format!("\"{REDACTION_MARK}\""));
            (json, replacer.count)
        })
    }

    /// Replaces values inside a value and returns its length in bytes. The recursion is as deep as the data, whose depth is
    /// limited.
    fn value(&mut self, value: Value<'t>, paths: &[Path<'r>]) -> usize {
        match value.kind() {
            JsonKind::Object => {
                let mut members = value.members();
                while let Some((literal, key, value)) = members.next_with_literal() {
                    let mut inside: Vec<_> = paths.iter().filter_map(|path| path.step(&key)).collect();
                    if shape::is_redaction_root(&key) {
                        let from_root = Path::roots(&self.rules.pointers).into_iter().chain(inside.clone());
                        inside.extend(from_root.map(|path| path.with_form(Form::TypedContainer)).collect::<Vec<_>>());
                    }
                    // A key is a text like any other, except that no pointer leads into it. If it is hidden because it
                    // may contain a name, so is its value.
                    let is_named = self.rules.names(&key) || self.string(literal, &key, &[]).1;
                    let length =
                        if is_named { self.replace(value, REDACTION_MARK, 1) } else { self.element(value, &inside) };
                    members.skip_value(length);
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
                    elements.skip_value(self.element(element, &inside));
                    index += 1;
                }
                elements.length()
            }
            JsonKind::String => match value.string() {
                Some(string) => self.string(value, &string, paths).0,
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

    /// Replaces what must not be shown of a string. Returns its length in bytes, and whether all of it was replaced.
    fn string(&mut self, literal: Value<'t>, string: &str, paths: &[Path<'r>]) -> (usize, bool) {
        match self.rules.check_text(string, paths, self.level + 1) {
            Verdict::Shown => (literal.text().len(), false),
            Verdict::Replaced(inside, count) => (self.replace(literal, &inside, count), false),
            Verdict::Hidden => (self.replace(literal, REDACTION_MARK, 1), true),
        }
    }

    /// Writes `string` in place of a value, which counts as `count` replaced values. Returns the value's length in bytes.
    fn replace(&mut self, value: Value<'t>, string: &str, count: usize) -> usize {
        let length = value.text().len();
        let start = value.offset_in(self.text);
        self.out.extend_from_slice(&self.text.as_bytes()[self.copied..start]);
        push_json_string(&mut self.out, string);
        self.copied = start + length;
        self.count += count;
        length
    }
}
