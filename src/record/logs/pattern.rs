//! Filter patterns as CloudWatch Logs has them: terms of text, and selectors of JSON `{ $.field = value }`.
//!
//! ```text
//! ""                                   everything
//! INVITE "200 OK" -OPTIONS             all of these, none of those
//! ?BYE ?CANCEL                         any of these
//! { $.call_id = "1f…*" && ($.cust2vc_packets_lost > 0 || $.rtt_btwn_vc_and_cust IS NULL) }
//! ```

#[cfg(test)]
mod tests;

use serde_json::Value;
use thiserror::Error;

/// A pattern that was understood.
#[derive(Clone, PartialEq, Debug)]
pub enum Pattern {
    /// Everything.
    All,
    /// Terms in the text.
    Terms {
        /// Each is there.
        with: Vec<String>,
        /// None is.
        without: Vec<String>,
        /// One of them is, where nothing stands in `with`; beside that they say nothing, as with CloudWatch.
        any: Vec<String>,
    },
    /// A question to the fields.
    Json(Box<Test>),
}

/// A question to the fields of a JSON object.
#[derive(Clone, PartialEq, Debug)]
pub enum Test {
    /// Both.
    And(Box<Test>, Box<Test>),
    /// At least one.
    Or(Box<Test>, Box<Test>),
    /// How a field compares.
    Is(Vec<Step>, Comparison),
}

/// A step of the way to a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Into an object.
    Member(String),
    /// Into a list.
    Item(usize),
}

/// What a field is compared with. A field that is not there compares with nothing.
#[derive(Clone, PartialEq, Debug)]
pub enum Comparison {
    /// A text in the pieces between the `*`, which stand for any; the flag turns it round.
    Text(Vec<String>, bool),
    /// A number.
    Number(Order, f64),
    /// `IS NULL`
    Null,
    /// `IS TRUE`, `IS FALSE`
    Flag(bool),
    /// `NOT EXISTS`
    Missing,
}

/// How numbers compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Order {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

/// Why a text is no pattern, or none that is known here.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{0}")]
pub struct BadPattern(String);

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, BadPattern> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::All);
        }
        if text.starts_with('{') {
            let tokens = tokens(text)?;
            let mut reader = Reader {
                tokens: &tokens,
                depth: 0,
            };
            reader.expect(&Token::Sign("{"))?;
            let test = reader.either()?;
            reader.expect(&Token::Sign("}"))?;
            return match reader.tokens {
                [] => Ok(Self::Json(Box::new(test))),
                _ => Err(bad("something follows the closing brace")),
            };
        }
        if text.starts_with('[') {
            return Err(bad("patterns of columns are not offered by this server"));
        }
        if text.starts_with('%') {
            return Err(bad("regular expressions are not offered by this server"));
        }
        terms(text)
    }

    /// Whether a line is one of those that are asked for.
    #[must_use]
    pub fn fits(&self, line: &str) -> bool {
        match self {
            Self::All => true,
            Self::Terms { with, without, any } => {
                let has = |term: &String| line.contains(term.as_str());
                with.iter().all(has)
                    && !without.iter().any(has)
                    && (any.is_empty() || !with.is_empty() || any.iter().any(has))
            }
            Self::Json(test) => serde_json::from_str(line).is_ok_and(|value| test.holds(&value)),
        }
    }
}

impl Test {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::And(one, other) => one.holds(value) && other.holds(value),
            Self::Or(one, other) => one.holds(value) || other.holds(value),
            Self::Is(way, comparison) => {
                let mut found = Some(value);
                for step in way {
                    found = match step {
                        Step::Member(name) => found.and_then(|value| value.get(name)),
                        Step::Item(at) => found.and_then(|value| value.get(at)),
                    };
                }
                match found {
                    None => *comparison == Comparison::Missing,
                    Some(found) => comparison.holds(found),
                }
            }
        }
    }
}

impl Comparison {
    fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Null, value) => value.is_null(),
            (Self::Flag(flag), Value::Bool(value)) => flag == value,
            (Self::Text(wanted, unequal), Value::String(text)) => fits(wanted, text) != *unequal,
            // A number may be asked for as a text.
            (Self::Text(wanted, unequal), Value::Number(number)) => {
                fits(wanted, &number.to_string()) != *unequal
            }
            (Self::Number(order, wanted), Value::Number(number)) => {
                let Some(number) = number.as_f64() else {
                    return false;
                };
                match order {
                    #[allow(clippy::float_cmp)] // as it is asked
                    Order::Equal => number == *wanted,
                    #[allow(clippy::float_cmp)]
                    Order::Unequal => number != *wanted,
                    Order::Less => number < *wanted,
                    Order::LessOrEqual => number <= *wanted,
                    Order::More => number > *wanted,
                    Order::MoreOrEqual => number >= *wanted,
                }
            }
            _ => false,
        }
    }
}

/// Whether a text has these pieces with anything between them. Never steps back further than the latest piece.
fn fits(wanted: &[String], text: &str) -> bool {
    let [first, rest_of_them @ ..] = wanted else {
        return text.is_empty();
    };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else {
        return false;
    };
    let [between @ .., last] = rest_of_them else {
        return rest.is_empty();
    };
    for part in between {
        match rest.find(part.as_str()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}

fn terms(text: &str) -> Result<Pattern, BadPattern> {
    let (mut with, mut without, mut any) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else {
            break;
        };
        let list = match first {
            '-' => &mut without,
            '?' => &mut any,
            _ => &mut with,
        };
        rest = rest.strip_prefix(['-', '?']).unwrap_or(rest);
        if rest.starts_with('"') {
            let (term, after) = quoted(rest)?;
            list.push(term.join("*"));
            rest = after;
            continue;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (term, after) = rest.split_at(end);
        let plain = |letter: char| letter.is_alphanumeric() || letter == '_';
        if term.is_empty() || !term.chars().all(plain) {
            return Err(bad(format!(
                "Invalid character(s) in term '{term}': such terms stand in double quotes"
            )));
        }
        list.push(term.to_owned());
        rest = after;
    }
    Ok(Pattern::Terms { with, without, any })
}

/// A text in double quotes at the beginning, cut at each `*` without a backslash before it, and what follows it.
fn quoted(text: &str) -> Result<(Vec<String>, &str), BadPattern> {
    let (mut parts, mut part) = (Vec::new(), String::new());
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => {
                parts.push(part);
                return Ok((parts, &text[at + 1..]));
            }
            '*' => parts.push(std::mem::take(&mut part)),
            '\\' => part.extend(letters.next().map(|(_, letter)| letter)),
            letter => part.push(letter),
        }
    }
    Err(bad("a double quote is not closed"))
}

#[derive(Clone, PartialEq, Debug)]
enum Token {
    Sign(&'static str),
    /// In the pieces between its `*`.
    Quoted(Vec<String>),
    /// Anything else up to a space or a sign: a selector, a number, a bare word.
    Word(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, BadPattern> {
    const SIGNS: [&str; 13] = [
        "&&", "||", "!=", "<=", ">=", "{", "}", "(", ")", "=", "<", ">", "%",
    ];
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            if sign == "%" {
                return Err(bad("regular expressions are not offered by this server"));
            }
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if rest.starts_with('"') {
            let (term, after) = quoted(rest)?;
            tokens.push(Token::Quoted(term));
            rest = after;
        } else {
            let ends = |letter: char| letter.is_whitespace() || "&|!<>={}()\"".contains(letter);
            let end = rest.find(ends).unwrap_or(rest.len());
            if end == 0 {
                let wrong = rest.chars().next().unwrap_or_default();
                return Err(bad(format!("'{wrong}' is not understood here")));
            }
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

/// `either = both *( "||" both )`, `both = one *( "&&" one )`, `one = "(" either ")" / selector comparison`
struct Reader<'a> {
    tokens: &'a [Token],
    depth: usize,
}

impl<'a> Reader<'a> {
    fn either(&mut self) -> Result<Test, BadPattern> {
        let mut test = self.both()?;
        while self.take(&Token::Sign("||")) {
            test = Test::Or(Box::new(test), Box::new(self.both()?));
        }
        Ok(test)
    }

    fn both(&mut self) -> Result<Test, BadPattern> {
        let mut test = self.one()?;
        while self.take(&Token::Sign("&&")) {
            test = Test::And(Box::new(test), Box::new(self.one()?));
        }
        Ok(test)
    }

    fn one(&mut self) -> Result<Test, BadPattern> {
        if self.take(&Token::Sign("(")) {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err(bad("too many parentheses"));
            }
            let test = self.either()?;
            self.depth -= 1;
            self.expect(&Token::Sign(")"))?;
            return Ok(test);
        }
        let Some(Token::Word(selector)) = self.next() else {
            return Err(bad("a selector such as $.field is missing"));
        };
        let way = way(selector)?;
        let comparison = match self.next() {
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("IS") => match self.word()? {
                "NULL" => Comparison::Null,
                "TRUE" => Comparison::Flag(true),
                "FALSE" => Comparison::Flag(false),
                other => return Err(bad(format!("IS {other} is not understood"))),
            },
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("NOT") => match self.word()? {
                "EXISTS" => Comparison::Missing,
                other => return Err(bad(format!("NOT {other} is not understood"))),
            },
            Some(Token::Sign(sign)) => {
                let order = ORDERS.iter().find(|(known, _)| known == sign);
                let (_, order) = order.ok_or_else(|| bad(format!("'{sign}' compares nothing")))?;
                self.compared(*order)?
            }
            _ => return Err(bad("a selector is followed by a comparison")),
        };
        Ok(Test::Is(way, comparison))
    }

    fn compared(&mut self, order: Order) -> Result<Comparison, BadPattern> {
        let text = match self.next() {
            Some(Token::Quoted(text)) => text.clone(),
            Some(Token::Word(word)) => match word.parse::<f64>() {
                Ok(number) if number.is_finite() => return Ok(Comparison::Number(order, number)),
                _ => word.split('*').map(str::to_owned).collect(),
            },
            _ => return Err(bad("a value to compare with is missing")),
        };
        match order {
            Order::Equal => Ok(Comparison::Text(text, false)),
            Order::Unequal => Ok(Comparison::Text(text, true)),
            _ => {
                let text = text.join("*");
                Err(bad(format!("'{text}' is no number, and has no order")))
            }
        }
    }

    fn word(&mut self) -> Result<&'a str, BadPattern> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word),
            _ => Err(bad("a word is missing")),
        }
    }

    fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn take(&mut self, token: &Token) -> bool {
        let is_next = self.tokens.first() == Some(token);
        if is_next {
            self.next();
        }
        is_next
    }

    fn expect(&mut self, token: &Token) -> Result<(), BadPattern> {
        match self.take(token) {
            true => Ok(()),
            false => match token {
                Token::Sign(sign) => Err(bad(format!("'{sign}' is missing"))),
                _ => Err(bad("a sign is missing")),
            },
        }
    }
}

/// `$.a.b[3]`
fn way(selector: &str) -> Result<Vec<Step>, BadPattern> {
    let wrong = || bad(format!("'{selector}' is no selector such as $.field"));
    let mut rest = selector.strip_prefix('$').ok_or_else(wrong)?;
    let mut way = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, after) = after.split_at(end);
            let plain = |letter: char| letter.is_alphanumeric() || "_-".contains(letter);
            if name.is_empty() || !name.chars().all(plain) {
                return Err(wrong());
            }
            way.push(Step::Member(name.to_owned()));
            rest = after;
        } else {
            let after = rest.strip_prefix('[').ok_or_else(wrong)?;
            let (at, after) = after.split_once(']').ok_or_else(wrong)?;
            way.push(Step::Item(at.parse().map_err(|_| wrong())?));
            rest = after;
        }
    }
    match way.is_empty() {
        true => Err(wrong()),
        false => Ok(way),
    }
}

fn bad(why: impl Into<String>) -> BadPattern {
    BadPattern(why.into())
}

const ORDERS: [(&str, Order); 6] = [
    ("=", Order::Equal),
    ("!=", Order::Unequal),
    ("<", Order::Less),
    ("<=", Order::LessOrEqual),
    (">", Order::More),
    (">=", Order::MoreOrEqual),
];

/// Parentheses within parentheses.
const DEEPEST: usize = 32;
