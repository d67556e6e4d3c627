//! Electronic addresses as they are kept and looked for.

/// In lower case, the domain in ASCII (UTS 46), as claimed domains are kept: one address has one spelling, and those of a
/// domain are found by its name.
pub(super) fn canonical(said: &str) -> String {
    let domain = said
        .rsplit_once('@')
        .map(|(local, domain)| (local, url::Host::parse(domain)));
    match domain {
        Some((local, Ok(url::Host::Domain(domain)))) => {
            format!("{}@{domain}", local.to_lowercase())
        }
        _ => said.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_one_spelling() {
        for (said, kept) in [
            ("Ada@Example.ORG", "ada@example.org"),
            ("ada@Ex\u{e4}mple.org", "ada@xn--exmple-cua.org"),
            ("ada@XN--EXMPLE-CUA.org", "ada@xn--exmple-cua.org"),
            ("\u{c4}da@example.org", "\u{e4}da@example.org"),
            ("\"a@b\"@example.org", "\"a@b\"@example.org"),
            ("ada@[192.0.2.1]", "ada@[192.0.2.1]"),
            ("Ada@not a host", "ada@not a host"),
            ("Nobody", "nobody"),
        ] {
            assert_eq!(canonical(said), kept, "{said}");
        }
    }
}
