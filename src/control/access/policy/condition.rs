//! Conditions: an operator, a key of the request, and the values that it is compared with.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::pattern::{Pattern, Syntax};
use super::truth::Truth;
use super::{Fault, PolicyError};
use crate::control::access::Context;
use crate::control::access::context::is_known;

/// One line of a statement's `Condition`.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Condition {
    operator: Operator,
    key: String,
    /// Whether anybody knows what the key means.
    known: bool,
    operands: Vec<Operand>,
}

#[derive(Clone, PartialEq, Debug)]
enum Operator {
    Known(Test),
    /// Its name.
    Unknown(String),
}

#[derive(Clone, Copy, PartialEq, Debug)]
struct Test {
    quantifier: Quantifier,
    compare: Compare,
    negated: bool,
    if_exists: bool,
}

/// Which of a key's values must pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Quantifier {
    /// The key has one value.
    One,
    /// `ForAnyValue:`.
    Any,
    /// `ForAllValues:`.
    All,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Compare {
    Text {
        wildcards: bool,
        ignore_case: bool,
    },
    Arn,
    Number(Order),
    Date(Order),
    Bool,
    Ip,
    Binary,
    /// Whether the key is missing.
    Null,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    Equal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// A value as its operator compares it.
#[derive(Clone, PartialEq, Debug)]
enum Operand {
    Text(Pattern),
    Arn(Pattern),
    Number(f64, Order),
    Date(Timestamp, Order),
    Bool(bool),
    Ip(Network),
    Binary(Vec<u8>),
}

impl Condition {
    /// Reads the whole `Condition` element.
    pub(super) fn read(at: &str, value: &Value, variables: bool) -> Result<Vec<Self>, PolicyError> {
        let bad = |at: &str, fault| PolicyError::Bad {
            at: at.to_owned(),
            fault,
        };
        let object = Fault::NotA("an object");
        let operators = value.as_object().ok_or(bad(at, object.clone()))?;
        let mut conditions = Vec::new();
        for (name, keys) in operators {
            let at = format!("{at}.{name}");
            let keys = keys.as_object().ok_or(bad(&at, object.clone()))?;
            for (key, values) in keys {
                let at = format!("{at}.{key}");
                if key.is_empty() {
                    return Err(bad(&at, Fault::NotA("the name of a key")));
                }
                let operator = operator(name);
                let operands = scalars(&at, values)?
                    .into_iter()
                    .filter_map(|(at, text)| match &operator {
                        Operator::Known(test) => Some(
                            operand(test.compare, &text, variables)
                                .map_err(|fault| bad(&at, fault)),
                        ),
                        Operator::Unknown(_) => None,
                    })
                    .collect::<Result<_, _>>()?;
                conditions.push(Self {
                    operator,
                    key: key.clone(),
                    known: is_known(key),
                    operands,
                });
            }
        }
        Ok(conditions)
    }

    /// The operator's name where nobody knows it.
    pub(super) fn unknown_operator(&self) -> Option<&str> {
        match &self.operator {
            Operator::Unknown(name) => Some(name),
            Operator::Known(_) => None,
        }
    }

    /// The key where nobody knows what it means.
    pub(super) fn unknown_key(&self) -> Option<&str> {
        (!self.known).then_some(&self.key)
    }

    /// The keys that it looks at, by themselves and as variables.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let patterns = self.operands.iter().filter_map(|operand| match operand {
            Operand::Text(pattern) | Operand::Arn(pattern) => Some(pattern),
            _ => None,
        });
        let variables = patterns.flat_map(Pattern::variables);
        std::iter::once(self.key.as_str()).chain(variables)
    }

    /// Whether the request meets it.
    pub(super) fn holds(&self, context: &Context) -> Truth {
        let Operator::Known(test) = &self.operator else {
            return Truth::Unknown;
        };
        let values = context.all(&self.key);
        if values.is_empty() && !self.known {
            return Truth::Unknown;
        }
        if test.compare == Compare::Null {
            let missing = Operand::Bool(values.is_empty());
            return self.operands.contains(&missing).into();
        }
        if values.is_empty() {
            return match test.quantifier {
                _ if test.if_exists => Truth::Yes,
                Quantifier::One => test.negated.into(),
                Quantifier::Any => Truth::No,
                Quantifier::All => Truth::Yes,
            };
        }
        let mut passes = values.iter().map(|value| {
            let operands = self.operands.iter();
            Truth::any(operands.map(|operand| operand.is_met_by(value, context)))
                .not_if(test.negated)
        });
        match test.quantifier {
            // Which of several is meant is anybody's guess.
            Quantifier::One if values.len() > 1 => Truth::Unknown,
            Quantifier::One | Quantifier::All => Truth::all(passes),
            Quantifier::Any => Truth::any(&mut passes),
        }
    }
}

fn operator(name: &str) -> Operator {
    let (quantifier, rest) = match name.split_once(':') {
        None => (Quantifier::One, name),
        Some(("ForAnyValue", rest)) => (Quantifier::Any, rest),
        Some(("ForAllValues", rest)) => (Quantifier::All, rest),
        Some(_) => return Operator::Unknown(name.to_owned()),
    };
    let (if_exists, base) = match rest.strip_suffix("IfExists") {
        Some(base) => (true, base),
        None => (false, rest),
    };
    let text = |wildcards, ignore_case| Compare::Text {
        wildcards,
        ignore_case,
    };
    let (compare, negated) = match base {
        "StringEquals" => (text(false, false), false),
        "StringNotEquals" => (text(false, false), true),
        "StringEqualsIgnoreCase" => (text(false, true), false),
        "StringNotEqualsIgnoreCase" => (text(false, true), true),
        "StringLike" => (text(true, false), false),
        "StringNotLike" => (text(true, false), true),
        "ArnEquals" | "ArnLike" => (Compare::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Compare::Arn, true),
        "NumericEquals" => (Compare::Number(Order::Equal), false),
        "NumericNotEquals" => (Compare::Number(Order::Equal), true),
        "NumericLessThan" => (Compare::Number(Order::Less), false),
        "NumericLessThanEquals" => (Compare::Number(Order::AtMost), false),
        "NumericGreaterThan" => (Compare::Number(Order::Greater), false),
        "NumericGreaterThanEquals" => (Compare::Number(Order::AtLeast), false),
        "DateEquals" => (Compare::Date(Order::Equal), false),
        "DateNotEquals" => (Compare::Date(Order::Equal), true),
        "DateLessThan" => (Compare::Date(Order::Less), false),
        "DateLessThanEquals" => (Compare::Date(Order::AtMost), false),
        "DateGreaterThan" => (Compare::Date(Order::Greater), false),
        "DateGreaterThanEquals" => (Compare::Date(Order::AtLeast), false),
        "Bool" => (Compare::Bool, false),
        "IpAddress" => (Compare::Ip, false),
        "NotIpAddress" => (Compare::Ip, true),
        "BinaryEquals" => (Compare::Binary, false),
        "Null" if rest == name && !if_exists => (Compare::Null, false),
        _ => return Operator::Unknown(name.to_owned()),
    };
    Operator::Known(Test {
        quantifier,
        compare,
        negated,
        if_exists,
    })
}

fn operand(compare: Compare, text: &str, variables: bool) -> Result<Operand, Fault> {
    let pattern = |wildcards, ignore_case| {
        let syntax = Syntax {
            wildcards,
            variables,
            ignore_case,
        };
        Pattern::parse(text, syntax)
    };
    match compare {
        Compare::Text {
            wildcards,
            ignore_case,
        } => Ok(Operand::Text(pattern(wildcards, ignore_case)?)),
        Compare::Arn => {
            let pattern = pattern(true, false)?;
            if pattern.is_arn() {
                Ok(Operand::Arn(pattern))
            } else {
                Err(Fault::NotA("an ARN of six parts, or *"))
            }
        }
        Compare::Number(order) => number(text)
            .map(|number| Operand::Number(number, order))
            .ok_or(Fault::NotA("a number")),
        Compare::Date(order) => {
            date(text)
                .map(|date| Operand::Date(date, order))
                .ok_or(Fault::NotA(
                    "a time such as 2026-03-01T12:00:00Z or 2026-03-01, or seconds since the epoch",
                ))
        }
        Compare::Bool | Compare::Null => flag(text)
            .map(Operand::Bool)
            .ok_or(Fault::NotA("true or false")),
        Compare::Ip => Network::parse(text).map(Operand::Ip).ok_or(Fault::NotA(
            "an address or a range such as 203.0.113.0/24 or 2001:db8::/32",
        )),
        Compare::Binary => STANDARD
            .decode(text)
            .map(Operand::Binary)
            .map_err(|_| Fault::NotA("base64")),
    }
}

impl Operand {
    /// Whether a value of the request is like it; unknown where the value is nothing that can be compared.
    fn is_met_by(&self, value: &str, context: &Context) -> Truth {
        let compared = match self {
            Self::Text(pattern) => return pattern.matches(value, context),
            Self::Arn(pattern) => return pattern.matches_arn(value, context),
            Self::Number(wanted, order) => number(value).map(|value| order.holds(value, *wanted)),
            Self::Date(wanted, order) => date(value).map(|value| order.holds(value, *wanted)),
            Self::Bool(wanted) => flag(value).map(|value| value == *wanted),
            Self::Ip(network) => value
                .parse()
                .ok()
                .map(|address: IpAddr| network.contains(address)),
            Self::Binary(wanted) => STANDARD.decode(value).ok().map(|value| value == *wanted),
        };
        compared.map_or(Truth::Unknown, Truth::from)
    }
}

impl Order {
    fn holds<T: PartialOrd + Copy>(self, value: T, wanted: T) -> bool {
        match self {
            Self::Equal => value == wanted,
            Self::Less => value < wanted,
            Self::AtMost => value <= wanted,
            Self::Greater => value > wanted,
            Self::AtLeast => value >= wanted,
        }
    }
}

/// A value or a list of values, as texts, each with where it stands: policies write numbers and flags with quotes or
/// without.
fn scalars(at: &str, value: &Value) -> Result<Vec<(String, String)>, PolicyError> {
    let bad = |at: &str, fault| PolicyError::Bad {
        at: at.to_owned(),
        fault,
    };
    let scalar = |at: String, value: &Value| match value {
        Value::String(text) => Ok((at, text.clone())),
        Value::Bool(_) | Value::Number(_) => Ok((at, value.to_string())),
        _ => Err(bad(&at, Fault::NotA("a text, a number, true or false"))),
    };
    match value {
        Value::Array(items) if items.is_empty() => Err(bad(at, Fault::Empty)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(number, item)| scalar(format!("{at}[{number}]"), item))
            .collect(),
        one => Ok(vec![scalar(at.to_owned(), one)?]),
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn flag(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// A time of day with its zone, a day (its first moment in UTC), or seconds since the epoch.
fn date(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse() {
        return Timestamp::from_second(seconds).ok();
    }
    if text.len() == "2026-03-01".len() {
        let day: Date = text.parse().ok()?;
        return TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok();
    }
    text.parse().ok()
}

/// A range of addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Network {
    address: IpAddr,
    /// Leading bits that count.
    prefix: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|bits| *bits <= most)?
            }
            Some(_) => return None,
        };
        Some(Self { address, prefix })
    }

    /// An IPv4 address within IPv6 (RFC 4291 §2.5.5.2) is that IPv4 address.
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let differing = u32::from(ours) ^ u32::from(theirs);
                differing.leading_zeros() >= self.prefix
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let differing = u128::from(ours) ^ u128::from(theirs);
                differing.leading_zeros() >= self.prefix
            }
            _ => false,
        }
    }
}
