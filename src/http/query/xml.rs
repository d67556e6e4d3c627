//! XML as it is written for answers: elements and texts, nothing else.

/// Elements side by side.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::http) struct Xml(String);

impl Xml {
    pub(in crate::http) fn new() -> Self {
        Self::default()
    }

    /// The same and an element with a text.
    pub(in crate::http) fn leaf(mut self, name: &str, text: &str) -> Self {
        self.0.push_str(&format!("<{name}>"));
        for char in text.chars() {
            match char {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                // Readers would take it for a line feed.
                '\r' => self.0.push_str("&#13;"),
                // XML 1.0 has no way to write the others (§2.2).
                '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}' => {
                    self.0.push(char::REPLACEMENT_CHARACTER);
                }
                char => self.0.push(char),
            }
        }
        self.0.push_str(&format!("</{name}>"));
        self
    }

    /// The same and an element with elements.
    pub(in crate::http) fn within(mut self, name: &str, inside: &Self) -> Self {
        self.0.push_str(&format!("<{name}>{}</{name}>", inside.0));
        self
    }

    /// The document whose root is `name` in that namespace.
    pub(in crate::http) fn document(self, name: &str, namespace: &str) -> String {
        format!("<{name} xmlns=\"{namespace}\">{}</{name}>\n", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_what_cannot_be_written_is_replaced() {
        let xml = Xml::new()
            .leaf("A", "<b>&\"c\"\r\n\u{0}\u{1b}ü]]>")
            .within("D", &Xml::new().leaf("E", ""));
        assert_eq!(
            xml.document("R", "urn:x"),
            "<R xmlns=\"urn:x\"><A>&lt;b&gt;&amp;\"c\"&#13;\n\u{fffd}\u{fffd}ü]]&gt;</A><D><E></E></D></R>\n"
        );
    }
}
