//! Tests every constraint of every action of IAM, from the table itself.

use super::*;
use crate::validation::IAM;

type Form = BTreeMap<String, String>;

fn form(pairs: &[(String, String)]) -> Form {
    pairs.iter().cloned().collect()
}

fn refusal(action: &str, pairs: &[(String, String)]) -> Option<(String, String)> {
    IAM.read_form(action, &form(pairs)).err().map(|error| (error.code.into_owned(), error.message))
}

fn pair(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// A value of a shape that violates no constraint, as members of a form.
fn valid(name: &str, shape: &Shape) -> Vec<(String, String)> {
    match shape.r#type {
        Type::Structure => {
            let member = |(member, shape): &(Box<str>, Box<str>)| valid(&format!("{name}.{member}"), IAM.shape(shape));
            shape.members.iter().flat_map(member).collect()
        }
        Type::List => valid(&format!("{name}.member.1"), IAM.shape(shape.member.as_ref().unwrap())),
        Type::Integer => vec![pair(name, shape.min.as_ref().unwrap().to_string())],
        Type::Boolean => vec![pair(name, "True")],
        _ if !shape.r#enum.is_empty() => vec![pair(name, &*shape.r#enum[0])],
        _ => {
            let is_long = shape.min.as_ref().and_then(serde_json::Number::as_u64) == Some(20);
            let candidates = if is_long { ["arn:aws:iam::aws:policy/x"; 2] } else { ["/", "n"] };
            let text =
                candidates.into_iter().find(|text| shape.pattern.as_ref().is_none_or(|pattern| pattern.matches(text)));
            vec![pair(name, text.unwrap())]
        }
    }
}

/// Values that violate a constraint of a shape, each with a part of the message.
fn violations(name: &str, shape: &Shape) -> Vec<(Vec<(String, String)>, String)> {
    let bound = |bound: &Option<serde_json::Number>| bound.as_ref().and_then(serde_json::Number::as_i64);
    let (min, max) = (bound(&shape.min), bound(&shape.max));
    let one = |value: String, part: String| (vec![pair(name, value)], part);
    match shape.r#type {
        Type::Structure => {
            let all = valid(name, shape);
            let of_member = |(member, shape): &(Box<str>, Box<str>)| {
                let member = format!("{name}.{member}");
                let others: Vec<_> = all.iter().filter(|(name, _)| *name != member).cloned().collect();
                let violations = violations(&member, IAM.shape(shape)).into_iter();
                violations.map(move |(pairs, part)| ([others.clone(), pairs].concat(), part)).collect::<Vec<_>>()
            };
            shape.members.iter().flat_map(of_member).collect()
        }
        Type::List => {
            let item = IAM.shape(shape.member.as_ref().unwrap());
            let most = max.unwrap();
            let items = (1..=most + 1).flat_map(|number| valid(&format!("{name}.member.{number}"), item)).collect();
            let too_many = (items, format!("Member must have length less than or equal to {most}"));
            violations(&format!("{name}.member.1"), item).into_iter().chain([too_many]).collect()
        }
        Type::Integer => vec![
            one((min.unwrap() - 1).to_string(), format!("value greater than or equal to {}", min.unwrap())),
            one((max.unwrap() + 1).to_string(), format!("value less than or equal to {}", max.unwrap())),
            one("many".into(), "many".into()),
            one("99999999999".into(), "99999999999".into()),
        ],
        Type::Boolean => vec![one("maybe".into(), "maybe".into())],
        _ => {
            let mut found = Vec::new();
            if !shape.r#enum.is_empty() {
                found.push(one("none".into(), format!("enum value set: [{}]", shape.r#enum.join(", "))));
            }
            if let Some(max) = max {
                let long = "x".repeat(usize::try_from(max).unwrap() + 1);
                found.push(one(long, format!("length less than or equal to {max}")));
            }
            if let Some(min) = min.filter(|min| *min > 0) {
                let short = "x".repeat(usize::try_from(min).unwrap() - 1);
                found.push(one(short, format!("length greater than or equal to {min}")));
            }
            if let Some(pattern) = &shape.pattern {
                let part = shape.sentence.as_ref().unwrap_or(&pattern.text);
                found.push(one("x\u{1f600}".into(), part.to_string()));
            }
            found
        }
    }
}

#[test]
fn every_constraint_of_every_action_is_checked() {
    let mut checked = 0;
    for (action, input) in &IAM.operations {
        let input = IAM.shape(input);
        for (name, shape) in &input.members {
            let required = |(other, _): &&(Box<str>, Box<str>)| other != name && input.required.contains(other);
            let others = input.members.iter().filter(required);
            let others: Vec<_> = others.flat_map(|(name, shape)| valid(name, IAM.shape(shape))).collect();
            let with = |pairs: Vec<(String, String)>| refusal(action, &[others.clone(), pairs].concat());
            let shape = IAM.shape(shape);
            assert_eq!(with(valid(name, shape)), None, "{action} {name}");
            let is_null = with(Vec::new()).map(|(_, message)| message.contains("must not be null"));
            assert_eq!(is_null, input.required.contains(name).then_some(true), "{action} {name}");
            for (pairs, part) in violations(name, shape) {
                let (code, message) = with(pairs).unwrap_or_else(|| panic!("{action} accepts {name}: {part}"));
                assert!(["ValidationError", "MalformedInput"].contains(&code.as_str()), "{code}");
                assert!(message.contains(&part), "{action}: {message}");
                checked += 1;
            }
        }
    }
    assert!(checked > 150, "{checked}");
}

#[test]
fn all_violated_constraints_are_reported_together() {
    let (code, message) = refusal("UpdateRole", &[pair("RoleName", ""), pair("MaxSessionDuration", "1")]).unwrap();
    assert_eq!(code, "ValidationError");
    assert_eq!(
        message,
        "2 validation errors detected: Value '' at 'roleName' failed to satisfy constraint: Member must have length \
         greater than or equal to 1; Value '1' at 'maxSessionDuration' failed to satisfy constraint: Member must have \
         value greater than or equal to 3600"
    );
}

#[test]
fn members_of_lists_and_structures_are_read_by_their_numbers_and_names() {
    let pairs = [
        pair("RoleName", "r"),
        pair("Tags.member.1.Key", "k"),
        pair("Tags.member.1.Value", ""),
        pair("Tags.member.2.Key", "l"),
        // After a gap.
        pair("Tags.member.4.Key", "m"),
        pair("Other", "x"),
    ];
    let (_, message) = refusal("TagRole", &pairs).unwrap();
    let null = "1 validation error detected: Value null at 'tags.2.member.value' failed to satisfy constraint: Member must not be null";
    assert_eq!(message, null);
    let pairs = [&pairs[..], &[pair("Tags.member.2.Value", "v")]].concat();
    let tags = serde_json::json!([{ "Key": "k", "Value": "" }, { "Key": "l", "Value": "v" }]);
    let read = IAM.read_form("TagRole", &form(&pairs)).unwrap();
    assert_eq!(read, serde_json::json!({ "RoleName": "r", "Tags": tags }));
}
