use std::collections::BTreeMap;

use super::*;

fn refusal(action: &str, parameters: &[(String, String)]) -> Option<(String, String)> {
    let form: BTreeMap<String, String> = parameters.iter().cloned().collect();
    check(action, &Parameters(&form)).err().map(|error| (error.code.into_owned(), error.message))
}

/// A value that satisfies the shape, as parameters of a form.
fn valid(name: &str, shape: &Shape) -> Vec<(String, String)> {
    let value = match shape {
        Shape::Text(text) if text.least == 20 => "arn:aws:iam::aws:policy/x".to_owned(),
        Shape::Text(_) => "/".to_owned(),
        Shape::Number { least, .. } => least.to_string(),
        Shape::Boolean => "true".into(),
        Shape::OneOf(values) => values[0].into(),
        Shape::TagKeys => return vec![(format!("{name}.member.1"), "k".into())],
        Shape::Tags => {
            return [("Key", "k"), ("Value", "")]
                .map(|(part, value)| (format!("{name}.member.1.{part}"), value.into()))
                .into();
        }
    };
    let value = if name.ends_with("Name") { "n".into() } else { value };
    vec![(name.to_owned(), value)]
}

/// Values that break the shape, each with a part of the message.
fn violations(name: &str, shape: &Shape) -> Vec<(Vec<(String, String)>, String)> {
    let one = |value: String, message: &str| (vec![(name.to_owned(), value)], message.to_owned());
    let tag = |key: &str, value: &str, message: &str| {
        let part = |part, value: &str| (format!("{name}.member.1.{part}"), value.to_owned());
        (vec![part("Key", key), part("Value", value)], message.to_owned())
    };
    match shape {
        Shape::Text(text) => {
            let mut violations = vec![one("x".repeat(text.most + 1), &format!("less than or equal to {}", text.most))];
            if text.least > 0 {
                violations.push(one("x".repeat(text.least - 1), &format!("greater than or equal to {}", text.least)));
            }
            match text.pattern {
                Pattern::None => {}
                Pattern::Regex(regex, _) => violations.push(one("x\u{1f600}".into(), regex)),
                Pattern::Sentence(sentence, _) => violations.push(one("a b".into(), sentence)),
            }
            violations
        }
        Shape::Number { least, most } => vec![
            one((least - 1).to_string(), &format!("greater than or equal to {least}")),
            one((most + 1).to_string(), &format!("less than or equal to {most}")),
            one("many".into(), "many"),
        ],
        Shape::Boolean => vec![one("maybe".into(), "maybe")],
        Shape::OneOf(values) => vec![one("none".into(), &format!("enum value set: [{}]", values.join(", ")))],
        Shape::Tags => vec![
            tag("", "", "'tags.1.member.key' failed to satisfy constraint: Member must have length greater"),
            tag(&"k".repeat(129), "", "'tags.1.member.key' failed to satisfy constraint: Member must have length less"),
            tag(
                "a\tb",
                "",
                r"'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: [\p{L}",
            ),
            tag(
                "k",
                &"v".repeat(257),
                "'tags.1.member.value' failed to satisfy constraint: Member must have length less",
            ),
            tag(
                "k",
                "<",
                r"'tags.1.member.value' failed to satisfy constraint: Member must satisfy regular expression pattern: [\p{L}",
            ),
        ],
        Shape::TagKeys => {
            vec![(vec![(format!("{name}.member.1"), String::new())], "'tagKeys.1.member' failed".into())]
        }
    }
}

#[test]
fn every_constraint_of_every_action_is_checked() {
    let mut checked = 0;
    for (action, model) in ACTIONS {
        let others = |name: &str| {
            let others = model.iter().filter(move |parameter| parameter.is_required && parameter.name != name);
            others.flat_map(|parameter| valid(parameter.name, parameter.shape)).collect::<Vec<_>>()
        };
        for Parameter { name, is_required, shape } in *model {
            let with = |given: Vec<(String, String)>| refusal(action, &[others(name), given].concat());
            assert_eq!(with(valid(name, shape)), None, "{action} {name}");
            let null = with(Vec::new()).map(|(_, message)| message.contains("must not be null"));
            assert_eq!(null, is_required.then_some(true), "{action} {name}");
            for (given, part) in violations(name, shape) {
                let (code, message) = with(given).unwrap_or_else(|| panic!("{action} accepts {name}: {part}"));
                assert!(["ValidationError", "MalformedInput"].contains(&code.as_str()), "{code}");
                assert!(message.contains(&part), "{action}: {message}");
                checked += 1;
            }
        }
    }
    assert!(checked > 150, "{checked}");
}

#[test]
fn all_broken_constraints_are_reported_together() {
    let given =
        [("RoleName", ""), ("MaxSessionDuration", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let (code, message) = refusal("UpdateRole", &given).unwrap();
    assert_eq!(code, "ValidationError");
    assert_eq!(
        message,
        "2 validation errors detected: Value '' at 'roleName' failed to satisfy constraint: Member must have length \
         greater than or equal to 1; Value '1' at 'maxSessionDuration' failed to satisfy constraint: Member must have \
         value greater than or equal to 3600"
    );
}

#[test]
fn tag_lists_hold_50_tags() {
    let tags = |count: usize| {
        let tags = (1..=count).flat_map(|number| {
            [("Key", "k"), ("Value", "v")]
                .map(|(part, value)| (format!("Tags.member.{number}.{part}"), format!("{value}{number}")))
        });
        tags.chain([("RoleName".to_owned(), "r".to_owned())]).collect::<Vec<_>>()
    };
    assert_eq!(refusal("TagRole", &tags(50)), None);
    let message = refusal("TagRole", &tags(51)).unwrap().1;
    assert!(
        message.ends_with("at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50"),
        "{message}"
    );
}
