//! A second account of what policies mean, written from the rules alone and on the JSON itself: slow, and plain
//! enough to be believed. It knows only as much of texts, addresses and times as the property test draws.

use serde_json::Value;

use super::{Decision, Request};

/// What a question could turn out to be once all that is open were known.
#[derive(Clone, Copy)]
struct Could {
    be_yes: bool,
    be_no: bool,
}

const OPEN: Could = Could {
    be_yes: true,
    be_no: true,
};

fn surely(yes: bool) -> Could {
    Could {
        be_yes: yes,
        be_no: !yes,
    }
}

fn not(could: Could) -> Could {
    Could {
        be_yes: could.be_no,
        be_no: could.be_yes,
    }
}

fn every(list: &[Could]) -> Could {
    Could {
        be_yes: list.iter().all(|one| one.be_yes),
        be_no: list.iter().any(|one| one.be_no),
    }
}

fn some(list: &[Could]) -> Could {
    Could {
        be_yes: list.iter().any(|one| one.be_yes),
        be_no: list.iter().all(|one| one.be_no),
    }
}

pub(super) fn decide(documents: &[Value], request: &Request<'_>) -> Decision {
    let statements: Vec<&Value> = documents
        .iter()
        .flat_map(|document| list(&document["Statement"]))
        .collect();
    let with = |effect: &str| {
        let found = statements.iter().filter(|one| one["Effect"] == effect);
        found
            .map(|one| applies(one, request))
            .collect::<Vec<Could>>()
    };
    if with("Deny").iter().any(|could| could.be_yes) {
        Decision::ExplicitDeny
    } else if with("Allow").iter().any(|could| !could.be_no) {
        Decision::Allowed
    } else {
        Decision::ImplicitDeny
    }
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn applies(statement: &Value, request: &Request<'_>) -> Could {
    let action = |pattern: &&Value| {
        surely(like(
            &text(pattern).to_lowercase(),
            &request.action.to_lowercase(),
        ))
    };
    let resource = |pattern: &&Value| arn_like(&text(pattern), request.resource, request);
    let mut all = Vec::new();
    for (element, negated) in [("Action", false), ("NotAction", true)] {
        if let Some(value) = statement.get(element) {
            let one = some(&list(value).iter().map(action).collect::<Vec<_>>());
            all.push(if negated { not(one) } else { one });
        }
    }
    for (element, negated) in [("Resource", false), ("NotResource", true)] {
        if let Some(value) = statement.get(element) {
            let one = some(&list(value).iter().map(resource).collect::<Vec<_>>());
            all.push(if negated { not(one) } else { one });
        }
    }
    for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
        for (key, wanted) in keys.as_object().into_iter().flatten() {
            let wanted: Vec<String> = list(wanted).into_iter().map(text).collect();
            all.push(holds(operator, key, &wanted, request));
        }
    }
    every(&all)
}

fn holds(operator: &str, key: &str, wanted: &[String], request: &Request<'_>) -> Could {
    let found = request.context.all(key);
    if found.is_empty() && key.starts_with("test:") {
        return OPEN;
    }
    if operator == "Null" {
        let missing = found.is_empty().to_string();
        return surely(wanted.contains(&missing));
    }
    let for_any = operator.starts_with("ForAnyValue:");
    let for_all = operator.starts_with("ForAllValues:");
    let operator = operator.rsplit(':').next().unwrap();
    let if_exists = operator.ends_with("IfExists");
    let operator = operator.trim_end_matches("IfExists");
    let negated = operator.contains("Not");
    let positive = operator.replace("Not", "");
    if positive == "StringResembles" {
        return OPEN;
    }
    if found.is_empty() {
        return surely(if_exists || for_all || (negated && !for_any));
    }
    if found.len() > 1 && !for_any && !for_all {
        return OPEN;
    }
    let each: Vec<Could> = found
        .iter()
        .map(|found| {
            let one: Vec<Could> = wanted
                .iter()
                .map(|wanted| compare(&positive, wanted, found, request))
                .collect();
            if negated { not(some(&one)) } else { some(&one) }
        })
        .collect();
    if for_any { some(&each) } else { every(&each) }
}

fn compare(operator: &str, wanted: &str, found: &str, request: &Request<'_>) -> Could {
    let numbers = || Some((found.parse::<i32>().ok()?, wanted.parse::<i32>().ok()?));
    let numeric = |test: fn(i32, i32) -> bool| numbers().map_or(OPEN, |(a, b)| surely(test(a, b)));
    match operator {
        "StringEquals" => with_variables(wanted, request, |wanted| wanted == found),
        "StringEqualsIgnoreCase" => with_variables(wanted, request, |wanted| {
            wanted.to_lowercase() == found.to_lowercase()
        }),
        "StringLike" => with_variables(wanted, request, |wanted| like(wanted, found)),
        "ArnLike" | "ArnEquals" => arn_like(wanted, found, request),
        "NumericEquals" => numeric(|found, wanted| found == wanted),
        "NumericLessThan" => numeric(|found, wanted| found < wanted),
        "NumericGreaterThanEquals" => numeric(|found, wanted| found >= wanted),
        // The test's times are all of one form, in which the later is the greater text.
        "DateGreaterThan" => surely(found > wanted),
        "DateLessThanEquals" => surely(found <= wanted),
        "Bool" => surely(found == wanted),
        "IpAddress" => {
            let (network, octets) = match wanted.split_once('/') {
                None => (wanted, 4),
                Some((network, "8")) => (network, 1),
                Some((network, "24")) => (network, 3),
                other => panic!("{other:?} is not drawn"),
            };
            let first = |address: &str| {
                let octets = address.split('.').take(octets);
                octets.map(str::to_owned).collect::<Vec<_>>()
            };
            surely(first(network) == first(found))
        }
        other => panic!("{other} is not drawn"),
    }
}

/// Compares with the value of the one variable that is drawn; without one it could be any text, so what decides is
/// whether some text would do.
fn with_variables(pattern: &str, request: &Request<'_>, test: impl Fn(&str) -> bool) -> Could {
    const VARIABLE: &str = "${aws:username}";
    if !pattern.contains(VARIABLE) {
        return surely(test(pattern));
    }
    match request.context.all("aws:username") {
        [name] => surely(test(&pattern.replace(VARIABLE, name))),
        _ => {
            let candidates = ["", "a", "ada", "bob", "abc", "Ada", "b", "stand-up"];
            let would = candidates
                .iter()
                .any(|name| test(&pattern.replace(VARIABLE, name)));
            Could {
                be_yes: would,
                be_no: true,
            }
        }
    }
}

fn arn_like(pattern: &str, arn: &str, request: &Request<'_>) -> Could {
    if pattern == "*" {
        return surely(true);
    }
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let patterns: Vec<&str> = pattern.splitn(6, ':').collect();
    if parts.len() < 6 {
        return surely(false);
    }
    let rest = patterns.len()..6;
    let all: Vec<Could> = patterns
        .iter()
        .copied()
        .chain(rest.map(|_| "*"))
        .zip(parts)
        .map(|(pattern, part)| {
            // Variables hold colons of their own kind; splitting them is another test's matter.
            with_variables(pattern, request, |pattern| like(pattern, part))
        })
        .collect();
    every(&all)
}

fn like(pattern: &str, value: &str) -> bool {
    let Some(first) = pattern.chars().next() else {
        return value.is_empty();
    };
    let pattern_rest = &pattern[first.len_utf8()..];
    match (first, value.chars().next()) {
        ('*', _) => value
            .char_indices()
            .map(|(at, _)| at)
            .chain([value.len()])
            .any(|at| like(pattern_rest, &value[at..])),
        (_, None) => false,
        (first, Some(found)) => {
            (first == '?' || first == found) && like(pattern_rest, &value[found.len_utf8()..])
        }
    }
}
