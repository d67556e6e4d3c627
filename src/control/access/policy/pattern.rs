//! Texts with wildcards and policy variables: `*` any run of characters, `?` any one, `${aws:username}` or
//! `${aws:username, 'nobody'}` a value of the request; `${*}`, `${?}` and `${$}` are those characters.

use super::Fault;
use super::truth::Truth;
use crate::control::access::Context;

/// A text to compare others with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
    ignore_case: bool,
}

/// What in a text has a meaning beyond its characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Syntax {
    pub(super) wildcards: bool,
    pub(super) variables: bool,
    pub(super) ignore_case: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Char(char),
    Any,
    One,
    Variable {
        key: String,
        default: Option<String>,
    },
}

/// A pattern whose variables have their values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Token {
    /// A character of the pattern itself.
    Char(char),
    /// A character out of a variable: it never parts an ARN.
    Value(char),
    Any,
    One,
}

impl Pattern {
    pub(super) fn parse(text: &str, syntax: Syntax) -> Result<Self, Fault> {
        let mut pieces = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if syntax.variables
                && let Some(after) = rest.strip_prefix("${")
            {
                let (inside, after) = after
                    .split_once('}')
                    .ok_or(Fault::NotA("a text whose ${ is closed by }"))?;
                pieces.push(variable(inside)?);
                rest = after;
                continue;
            }
            match first {
                '*' if syntax.wildcards => {
                    if pieces.last() != Some(&Piece::Any) {
                        pieces.push(Piece::Any);
                    }
                }
                '?' if syntax.wildcards => pieces.push(Piece::One),
                char if syntax.ignore_case => {
                    pieces.extend(char.to_lowercase().map(Piece::Char));
                }
                char => pieces.push(Piece::Char(char)),
            }
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
        Ok(Self {
            pieces,
            ignore_case: syntax.ignore_case,
        })
    }

    /// Whether it is `*`.
    pub(super) fn is_any(&self) -> bool {
        self.pieces == [Piece::Any]
    }

    /// The keys of its variables.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable { key, .. } => Some(key.as_str()),
            _ => None,
        })
    }

    /// Whether the whole value is like the pattern.
    pub(super) fn matches(&self, value: &str, context: &Context) -> Truth {
        let (tokens, resolved) = self.tokens(context);
        let value: Vec<char> = if self.ignore_case {
            value.to_lowercase().chars().collect()
        } else {
            value.chars().collect()
        };
        judge(glob(&tokens, &value), resolved)
    }

    /// Whether the value is an ARN whose six parts are like those of the pattern; a wildcard does not reach over
    /// a colon, but for one that ends a pattern of fewer parts, and `*` alone, which is everything.
    pub(super) fn matches_arn(&self, value: &str, context: &Context) -> Truth {
        let (tokens, resolved) = self.tokens(context);
        if !tokens.is_empty() && tokens.iter().all(|token| *token == Token::Any) {
            return judge(true, resolved);
        }
        let parts: Vec<&str> = value.splitn(ARN_PARTS, ':').collect();
        if parts.len() < ARN_PARTS || parts.first() != Some(&"arn") {
            return Truth::No;
        }
        let Some(patterns) = arn_parts(&tokens) else {
            return Truth::Unknown;
        };
        let like = patterns.iter().zip(&parts).all(|(pattern, part)| {
            let part: Vec<char> = part.chars().collect();
            glob(pattern, &part)
        });
        judge(like, resolved)
    }

    /// Whether it can be compared with ARNs. What depends on a variable shows only in use.
    pub(super) fn is_arn(&self) -> bool {
        let (tokens, resolved) = self.tokens(&Context::default());
        !resolved || tokens == [Token::Any] || arn_parts(&tokens).is_some()
    }

    /// The pattern with its variables' values, and whether all had one. One without could be anything.
    fn tokens(&self, context: &Context) -> (Vec<Token>, bool) {
        let mut tokens = Vec::with_capacity(self.pieces.len());
        let mut resolved = true;
        for (at, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Char(char) => tokens.push(Token::Char(*char)),
                Piece::Any => tokens.push(Token::Any),
                Piece::One => tokens.push(Token::One),
                Piece::Variable { key, default } => {
                    let value = context.single(key).or(default.as_deref());
                    let Some(value) = value else {
                        resolved = false;
                        tokens.push(Token::Any);
                        continue;
                    };
                    let folded = self.ignore_case.then(|| value.to_lowercase());
                    // A variable that a pattern begins with may hold a whole ARN.
                    let token = if at == 0 { Token::Char } else { Token::Value };
                    tokens.extend(folded.as_deref().unwrap_or(value).chars().map(token));
                }
            }
        }
        (tokens, resolved)
    }
}

/// What stands between `${` and `}`.
fn variable(inside: &str) -> Result<Piece, Fault> {
    if let "*" | "?" | "$" = inside {
        return Ok(Piece::Char(inside.chars().next().unwrap_or('$')));
    }
    let (key, default) = match inside.split_once(',') {
        None => (inside, None),
        Some((key, default)) => {
            let default = default
                .trim()
                .strip_prefix('\'')
                .and_then(|rest| rest.strip_suffix('\''))
                .ok_or(Fault::NotA(
                    "a variable whose default is quoted, such as ${aws:username, 'nobody'}",
                ))?;
            (key, Some(default.to_owned()))
        }
    };
    let key = key.trim();
    if key.is_empty() {
        return Err(Fault::NotA("a variable with a name"));
    }
    Ok(Piece::Variable {
        key: key.to_ascii_lowercase(),
        default,
    })
}

/// A match by a pattern in which something is open is none yet.
fn judge(like: bool, resolved: bool) -> Truth {
    match (like, resolved) {
        (false, _) => Truth::No,
        (true, true) => Truth::Yes,
        (true, false) => Truth::Unknown,
    }
}

/// The six parts of an ARN's pattern; `None` where there are fewer and no `*` stands for the rest.
fn arn_parts(tokens: &[Token]) -> Option<Vec<&[Token]>> {
    let mut parts: Vec<&[Token]> = tokens
        .splitn(ARN_PARTS, |token| *token == Token::Char(':'))
        .collect();
    let begins_well = parts.first().is_some_and(|first| {
        let arn: Vec<char> = "arn".chars().collect();
        glob(first, &arn)
    });
    if !begins_well || (parts.len() < ARN_PARTS && tokens.last() != Some(&Token::Any)) {
        return None;
    }
    parts.resize(ARN_PARTS, &[Token::Any]);
    Some(parts)
}

/// Whether the whole value is like the tokens. Only the last `*` is ever tried again, so the cost is at most the
/// product of both lengths, whatever is compared.
fn glob(tokens: &[Token], value: &[char]) -> bool {
    let (mut token, mut at) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while at < value.len() {
        let steps = match (tokens.get(token), value.get(at)) {
            (Some(Token::Any), _) => {
                last_star = Some((token, at));
                token += 1;
                continue;
            }
            (Some(Token::One), _) => true,
            (Some(Token::Char(wanted) | Token::Value(wanted)), Some(found)) => wanted == found,
            _ => false,
        };
        if steps {
            token += 1;
            at += 1;
        } else if let Some((star, eaten)) = last_star {
            last_star = Some((star, eaten + 1));
            token = star + 1;
            at = eaten + 1;
        } else {
            return false;
        }
    }
    tokens
        .get(token..)
        .is_some_and(|rest| rest.iter().all(|token| *token == Token::Any))
}

/// `arn:partition:service:region:account:resource`.
const ARN_PARTS: usize = 6;
