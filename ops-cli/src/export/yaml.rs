//! Writes JSON as YAML in block style. Scalars stay JSON, which YAML contains.

use serde_json::Value;

pub fn text(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text
}

fn write(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            // A resource begins with its type.
            let (kind, others): (Vec<_>, Vec<_>) = members.iter().partition(|(name, _)| *name == "Type");
            for (name, value) in kind.into_iter().chain(others) {
                begin_line(text, indent);
                *text += &key(name);
                *text += ":";
                write_nested(text, value, indent + 2);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                begin_line(text, indent);
                *text += "-";
                match item {
                    // The first member stands behind the hyphen.
                    Value::Object(members) if !members.is_empty() => {
                        *text += " ";
                        write(text, item, indent + 2);
                    }
                    item => write_nested(text, item, indent + 2),
                }
            }
        }
        scalar => *text += &scalar.to_string(),
    }
}

/// Begins a line, unless the text continues behind a hyphen.
fn begin_line(text: &mut String, indent: usize) {
    if !text.ends_with("- ") {
        *text += &" ".repeat(indent);
    }
}

fn write_nested(text: &mut String, value: &Value, indent: usize) {
    let is_block = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if is_block {
        *text += "\n";
        write(text, value, indent);
    } else {
        *text += &format!(" {value}\n");
    }
}

/// A name without quotes if it cannot be taken for anything else.
fn key(name: &str) -> String {
    let is_plain = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || ":_".contains(c));
    if is_plain && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&&*name.to_lowercase()) {
        name.to_owned()
    } else {
        Value::from(name).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nested_values_are_indented() {
        let value = json!({ "A": { "b": [1, { "c": "x: y", "d": [] }, []] }, "no": {}, "Fn::Sub": "${x}" });
        let expected = "A:\n  b:\n    - 1\n    - c: \"x: y\"\n      d: []\n    - []\nFn::Sub: \"${x}\"\n\"no\": {}\n";
        assert_eq!(text(&value), expected);
    }
}
