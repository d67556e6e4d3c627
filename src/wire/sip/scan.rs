//! The lexical pieces of header values (RFC 3261 §25.1), read tolerantly and without copying.

/// White space within a value. Line ends are only ever part of a fold there.
pub(super) fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// A token's characters.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// The value without white space around it.
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = value
        && is_lws(*first)
    {
        value = rest;
    }
    while let [rest @ .., last] = value
        && is_lws(*last)
    {
        value = rest;
    }
    value
}

/// The value with every fold made one space, as text; bytes that are no UTF-8 become U+FFFD.
pub(super) fn text(value: &[u8]) -> std::borrow::Cow<'_, str> {
    let value = trim(value);
    if !value.iter().any(|b| matches!(b, b'\r' | b'\n')) {
        return String::from_utf8_lossy(value);
    }
    let mut flat = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if matches!(byte, b'\r' | b'\n') {
            while let [next, after @ ..] = rest
                && is_lws(*next)
            {
                rest = after;
            }
            while flat.last().is_some_and(|b| is_lws(*b)) {
                flat.pop();
            }
            flat.push(b' ');
        } else {
            flat.push(byte);
        }
    }
    String::from_utf8_lossy(&flat).into_owned().into()
}

/// The plain text of a quoted string or of anything else, as it is.
pub(super) fn unquote(raw: &str) -> String {
    let Some(inner) = raw.strip_prefix('"').and_then(|r| r.strip_suffix('"')) else {
        return raw.to_owned();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            plain.push(c);
        }
    }
    plain
}

/// The items of a comma-separated value; commas in quoted strings and in `<…>` do not separate.
pub(super) fn items(value: &[u8]) -> Items<'_> {
    Items { rest: Some(value) }
}

/// See [`items`].
#[derive(Clone)]
pub(super) struct Items<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let mut quoted = false;
        let mut escaped = false;
        let mut angle = false;
        for (at, &byte) in rest.iter().enumerate() {
            if quoted {
                if escaped {
                    escaped = false;
                } else if byte == b'\\' {
                    escaped = true;
                } else if byte == b'"' {
                    quoted = false;
                }
                continue;
            }
            match byte {
                b'"' => quoted = true,
                b'<' => angle = true,
                b'>' => angle = false,
                b',' if !angle => {
                    let (item, after) = rest.split_at(at);
                    self.rest = after.get(1..);
                    return Some(trim(item));
                }
                _ => {}
            }
        }
        self.rest = None;
        Some(trim(rest))
    }
}

/// Reads a value from left to right.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(value: &'a [u8]) -> Self {
        Self { rest: value }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Skips white space and says whether there was any.
    pub(super) fn skip_lws(&mut self) -> bool {
        let before = self.rest.len();
        self.take_while(is_lws);
        self.rest.len() != before
    }

    /// Takes the byte if it comes next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        if self.peek() == Some(byte) {
            self.rest = self.rest.get(1..).unwrap_or_default();
            true
        } else {
            false
        }
    }

    /// Takes the byte with white space around it, if it comes next.
    pub(super) fn eat_spaced(&mut self, byte: u8) -> bool {
        let mut ahead = *self;
        ahead.skip_lws();
        if !ahead.eat(byte) {
            return false;
        }
        ahead.skip_lws();
        *self = ahead;
        true
    }

    pub(super) fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self
            .rest
            .iter()
            .position(|b| !accept(*b))
            .unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// A token of at least one character.
    pub(super) fn token(&mut self) -> Option<&'a [u8]> {
        let token = self.take_while(is_token);
        (!token.is_empty()).then_some(token)
    }

    /// A quoted string with its quotes; `None` when it does not start or does not end.
    pub(super) fn quoted(&mut self) -> Option<&'a [u8]> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let mut escaped = false;
        for (at, &byte) in self.rest.iter().enumerate().skip(1) {
            if escaped {
                escaped = false;
            } else if byte == b'\\' {
                escaped = true;
            } else if byte == b'"' {
                let (taken, rest) = self.rest.split_at(at + 1);
                self.rest = rest;
                return Some(taken);
            }
        }
        None
    }
}

/// A decimal number of only digits, with any number of leading zeros; `None` when it is none or too large.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, b| {
        b.is_ascii_digit()
            .then(|| sum.checked_mul(10)?.checked_add(u64::from(b - b'0')))
            .flatten()
    })
}

/// One `;name[=value]` of a header value.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawParam<'a> {
    pub(super) name: &'a [u8],
    /// As written; a quoted string keeps its quotes.
    pub(super) value: Option<&'a [u8]>,
}

/// Reads the next parameter: `None` at the end, `Some(None)` when it is malformed.
pub(super) fn param<'a>(cursor: &mut Cursor<'a>) -> Option<Option<RawParam<'a>>> {
    cursor.skip_lws();
    if cursor.is_empty() {
        return None;
    }
    Some(read_param(cursor))
}

fn read_param<'a>(cursor: &mut Cursor<'a>) -> Option<RawParam<'a>> {
    if !cursor.eat(b';') {
        return None;
    }
    cursor.skip_lws();
    let name = cursor.take_while(|b| !is_lws(b) && !b";=,\"<>".contains(&b));
    if name.is_empty() {
        return None;
    }
    let value = if cursor.eat_spaced(b'=') {
        if cursor.peek() == Some(b'"') {
            Some(cursor.quoted()?)
        } else {
            Some(cursor.take_while(|b| !is_lws(b) && !b";,\"<>".contains(&b)))
        }
    } else {
        None
    };
    Some(RawParam { name, value })
}

/// Whether everything left is well-formed parameters.
pub(super) fn params_are_sound(mut cursor: Cursor<'_>) -> bool {
    while let Some(param) = param(&mut cursor) {
        if param.is_none() {
            return false;
        }
    }
    true
}
