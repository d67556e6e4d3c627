//! Header fields in order, each with the bytes in which it arrived.
//!
//! All fields lie in one buffer; a field is three offsets into it. So reading a message costs two
//! allocations for its headers whatever their number, and writing one that was not touched is copying.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use super::name::Name;
use super::scan;

/// Ordered header fields.
#[derive(Clone, Default)]
pub struct Headers {
    /// Raw fields without their line ends. What was removed or replaced stays as unused bytes.
    bytes: Vec<u8>,
    fields: Vec<Slot>,
}

/// Where a field lies in `bytes`.
#[derive(Clone, Copy)]
struct Slot {
    start: usize,
    name_end: usize,
    value: usize,
    end: usize,
    /// Known names are resolved once; `Name::Other("")` stands for the written name.
    name: Name<'static>,
}

/// One header field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name; [`Name::Other`] holds it as written.
    pub name: Name<'a>,
    /// The value without white space around it; folds are still in it.
    pub value: &'a [u8],
    /// The whole field as it arrived, without the last line end.
    pub raw: &'a [u8],
}

impl Headers {
    /// No fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn with_capacity(bytes: usize, fields: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            fields: Vec::with_capacity(fields),
        }
    }

    /// Number of fields.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.fields.iter().map(|slot| self.field(slot))
    }

    /// The first value of that name, white space around it removed; folds may be in it.
    #[must_use]
    pub fn get(&self, name: Name<'_>) -> Option<&[u8]> {
        self.fields
            .iter()
            .find(|slot| self.is(slot, name))
            .map(|slot| self.value(slot))
    }

    /// Every value of that name in order, one per field (a field may hold several, see [`Headers::items`]).
    pub fn get_all<'a>(&'a self, name: Name<'a>) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.fields
            .iter()
            .filter(move |slot| self.is(slot, name))
            .map(|slot| self.value(slot))
    }

    /// Every value of that name, fields with commas split.
    pub fn items<'a>(&'a self, name: Name<'a>) -> impl Iterator<Item = &'a [u8]> + 'a {
        self.get_all(name).flat_map(scan::items)
    }

    /// The first value of that name as text, folds made one space; bytes that are no UTF-8 become U+FFFD.
    #[must_use]
    pub fn text(&self, name: Name<'_>) -> Option<Cow<'_, str>> {
        self.fields
            .iter()
            .find(|slot| self.is(slot, name))
            .map(|slot| scan::text(self.value(slot)))
    }

    /// Whether there is a field of that name.
    #[must_use]
    pub fn has(&self, name: Name<'_>) -> bool {
        self.count(name) > 0
    }

    /// Number of fields of that name.
    #[must_use]
    pub fn count(&self, name: Name<'_>) -> usize {
        self.fields
            .iter()
            .filter(|slot| self.is(slot, name))
            .count()
    }

    /// Adds a field at the end. Line ends in the value become spaces: a value never adds a field.
    pub fn push(&mut self, name: Name<'_>, value: impl fmt::Display) {
        let slot = self.write(name, value);
        self.fields.push(slot);
    }

    /// Adds a field before all others.
    pub fn push_front(&mut self, name: Name<'_>, value: impl fmt::Display) {
        let slot = self.write(name, value);
        self.fields.insert(0, slot);
    }

    /// Sets the first field of that name and removes the others; adds it at the end when there is none.
    pub fn replace(&mut self, name: Name<'_>, value: impl fmt::Display) {
        let slot = self.write(name, value);
        let first = self.fields.iter().position(|s| self.is(s, name));
        let Some(first) = first else {
            self.fields.push(slot);
            return;
        };
        self.remove(name);
        self.fields.insert(first, slot);
    }

    /// Removes every field of that name and returns how many there were.
    pub fn remove(&mut self, name: Name<'_>) -> usize {
        let before = self.fields.len();
        let mut fields = std::mem::take(&mut self.fields);
        fields.retain(|slot| !self.is(slot, name));
        self.fields = fields;
        before - self.fields.len()
    }

    /// Adds every field of that name from other headers, byte for byte.
    pub fn copy(&mut self, name: Name<'_>, from: &Self) {
        for slot in from.fields.iter().filter(|slot| from.is(slot, name)) {
            let base = self.bytes.len();
            self.bytes
                .extend_from_slice(from.slice(slot.start, slot.end));
            let move_to = |at: usize| base + (at - slot.start);
            self.fields.push(Slot {
                start: base,
                name_end: move_to(slot.name_end),
                value: move_to(slot.value),
                end: move_to(slot.end),
                name: slot.name,
            });
        }
    }

    /// Offers every field's name and value; where something is returned, it becomes the value.
    /// So secrets are masked before a message is kept.
    pub fn rewrite(&mut self, mut change: impl FnMut(Name<'_>, &[u8]) -> Option<Vec<u8>>) {
        for index in 0..self.fields.len() {
            let Some(slot) = self.fields.get(index).copied() else {
                return;
            };
            let field = self.field(&slot);
            let Some(value) = change(field.name, field.value) else {
                continue;
            };
            let start = self.bytes.len();
            self.bytes.extend_from_within(slot.start..slot.value);
            let value_at = self.bytes.len();
            self.bytes.extend(value);
            self.clean(value_at);
            let changed = Slot {
                start,
                name_end: start + (slot.name_end - slot.start),
                value: value_at,
                end: self.bytes.len(),
                name: slot.name,
            };
            if let Some(slot) = self.fields.get_mut(index) {
                *slot = changed;
            }
        }
    }

    /// The values of that name, to be overwritten in place by as many bytes.
    pub fn values_mut(&mut self, name: Name<'_>, mut change: impl FnMut(&mut [u8])) {
        for index in 0..self.fields.len() {
            let Some(slot) = self.fields.get(index).copied() else {
                return;
            };
            if self.is(&slot, name)
                && let Some(value) = self.bytes.get_mut(slot.value..slot.end)
            {
                change(value);
            }
        }
    }

    /// Adds a field as it arrived: `name_end` is the length of its name, `value` where its value starts.
    /// `raw` must not end in a line end.
    pub(super) fn push_raw(&mut self, raw: &[u8], name_end: usize, value: usize) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(raw);
        let name = raw
            .get(..name_end)
            .and_then(|n| std::str::from_utf8(n).ok())
            .map_or(Name::Other(""), known);
        self.fields.push(Slot {
            start,
            name_end: start + name_end,
            value: start + value.min(raw.len()),
            end: start + raw.len(),
            name,
        });
    }

    /// Appends all fields with their line ends, except those of `skip`.
    pub(super) fn write_to(&self, out: &mut Vec<u8>, skip: Option<Name<'_>>) {
        for slot in &self.fields {
            if skip.is_some_and(|name| self.is(slot, name)) {
                continue;
            }
            out.extend_from_slice(self.slice(slot.start, slot.end));
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Octets that [`Headers::write_to`] appends.
    pub(super) fn wire_len(&self) -> usize {
        self.fields.iter().map(|s| s.end - s.start + 2).sum()
    }

    fn write(&mut self, name: Name<'_>, value: impl fmt::Display) -> Slot {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name.as_str().as_bytes());
        self.clean(start);
        let name_end = self.bytes.len();
        self.bytes.extend_from_slice(b": ");
        let value_at = self.bytes.len();
        // Writing into memory fails only if `value` itself says so; what it wrote until then stays.
        let _ = write!(Appender(&mut self.bytes), "{value}");
        self.clean(value_at);
        Slot {
            start,
            name_end,
            value: value_at,
            end: self.bytes.len(),
            name: known(name.as_str()),
        }
    }

    /// Makes line ends from `from` on spaces, and cuts white space at the end, as a reader would.
    fn clean(&mut self, from: usize) {
        for byte in self.bytes.iter_mut().skip(from) {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        while self.bytes.len() > from && self.bytes.last().is_some_and(|b| scan::is_lws(*b)) {
            self.bytes.pop();
        }
    }

    fn slice(&self, from: usize, to: usize) -> &[u8] {
        self.bytes.get(from..to).unwrap_or_default()
    }

    fn value(&self, slot: &Slot) -> &[u8] {
        scan::trim(self.slice(slot.value, slot.end))
    }

    fn written_name(&self, slot: &Slot) -> &str {
        std::str::from_utf8(self.slice(slot.start, slot.name_end)).unwrap_or_default()
    }

    fn is(&self, slot: &Slot, name: Name<'_>) -> bool {
        match (slot.name, name) {
            (Name::Other(_), Name::Other(text)) => {
                self.written_name(slot).eq_ignore_ascii_case(text)
                    // `Name::Other("via")` finds Via as well: only unknown names reach this arm unresolved.
                    && !text.is_empty()
            }
            (known_name, Name::Other(text)) => known_name.matches_text(text),
            (known_name, name) => known_name.is_same(name),
        }
    }

    fn field(&self, slot: &Slot) -> Field<'_> {
        Field {
            name: match slot.name {
                Name::Other(_) => Name::Other(self.written_name(slot)),
                known => known,
            },
            value: self.value(slot),
            raw: self.slice(slot.start, slot.end),
        }
    }
}

/// Equal when they would be written equally.
impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().zip(other.iter()).all(|(a, b)| a.raw == b.raw)
    }
}

impl Eq for Headers {}

/// Names only: values may hold secrets.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|field| field.name.as_str()))
            .finish()
    }
}

/// The name where it is a known one, else the mark for "as written".
fn known(text: &str) -> Name<'static> {
    Name::known(text).unwrap_or(Name::Other(""))
}

/// Lets `write!` append to bytes.
struct Appender<'a>(&'a mut Vec<u8>);

impl fmt::Write for Appender<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
