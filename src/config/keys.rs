//! Every key of the configuration with its default: the one list that file, environment and types share.

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Section and name, such as `sip.tls.listen`.
    pub path: &'static str,
    /// The default as TOML text; `None` for a key that may be absent.
    pub default: Option<&'static str>,
}

const fn key(path: &'static str, default: &'static str) -> Key {
    Key {
        path,
        default: Some(default),
    }
}

const fn optional(path: &'static str) -> Key {
    Key {
        path,
        default: None,
    }
}

/// The keys in the order of `config/campanile.toml`, where each is explained.
pub const KEYS: &[Key] = &[
    key("node.data", r#""data""#),
    key("node.region", r#""us-east-1""#),
    optional("node.account_id"),
    optional("node.domain"),
    key("http.listen", r#"":8443""#),
    optional("http.public"),
    optional("sip.realm"),
    key("sip.nonce_lifetime", r#""5m""#),
    optional("sip.name_server"),
    key("sip.tls.listen", r#"":5061""#),
    key("sip.tls.srtp", r#""require""#),
    key("sip.tls.client_certificates", r#""off""#),
    optional("sip.tls.client_authorities"),
    optional("sip.tls.server_authorities"),
    key("sip.tls.users", "[]"),
    optional("sip.tls.users_file"),
    key("sip.tcp.listen", r#""off""#),
    key("sip.tcp.srtp", r#""prefer""#),
    key("sip.tcp.users", "[]"),
    optional("sip.tcp.users_file"),
    key("sip.udp.listen", r#""off""#),
    key("sip.udp.srtp", r#""prefer""#),
    key("sip.udp.users", "[]"),
    optional("sip.udp.users_file"),
    key("media.listen", r#"":3478""#),
    key("media.ports", "[10000, 60000]"),
    key("media.advertise", "[]"),
    key("media.port_rest", r#""30s""#),
    key("media.timeout", r#""30s""#),
    key("media.held_timeout", r#""30m""#),
    key("media.loudest", "6"),
    key("media.shards", "1"),
    key("metrics.listen", r#""127.0.0.1:9464""#),
    optional("tls.certificate"),
    optional("tls.key"),
    optional("tls.folder"),
    optional("secrets.key_file"),
    optional("store.database"),
    optional("store.password_file"),
    key("drain.deadline", r#""30s""#),
    key("numbers.inventory", "[]"),
    optional("domains.name_server"),
    key("domains.first_check", r#""1m""#),
    key("limits.attendees", "250"),
    key("limits.empty_meeting", r#""5m""#),
    key("limits.video", "25"),
    key("limits.http_body", "1048576"),
    key("limits.http_connections", "4096"),
    key("limits.http_header_timeout", r#""10s""#),
    key("limits.api_requests_per_second", "1000"),
    key("limits.joins_per_minute", "30"),
    key("limits.calls", "1000"),
    key("limits.sip_connections", "4096"),
    key("limits.sip_connections_per_source", "1024"),
    key("log.level", r#""info""#),
    key("log.format", r#""text""#),
    key("record.media_metrics", "true"),
    key("record.sip_messages", "true"),
    key("record.call_records", "true"),
    key("record.bucket", r#""campanile-records""#),
    key("record.audit_batch", r#""5m""#),
    key("objects.buckets", "[]"),
];

/// The section names that lead to keys: `sip` and `sip.tls`, for example.
pub(super) fn is_section(path: &str) -> bool {
    KEYS.iter().any(|key| {
        key.path
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// The valid key most like the wrong one.
pub(super) fn nearest(wrong: &str) -> &'static str {
    KEYS.iter()
        .map(|key| key.path)
        .min_by_key(|path| {
            // A misplaced key is judged by its last word as well: `listen_port` under the wrong section.
            let whole = distance(wrong, path);
            let last = |text: &str| text.rsplit('.').next().unwrap_or_default().to_owned();
            (whole, distance(&last(wrong), &last(path)))
        })
        .unwrap_or_default()
}

/// Edit distance of Levenshtein, in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, cb) in row.iter_mut().skip(1).zip(&b) {
            let best = (diagonal + usize::from(ca != *cb))
                .min(left + 1)
                .min(*cell + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_single_edits() {
        assert_eq!(distance("listen", "listen"), 0);
        assert_eq!(distance("lisen", "listen"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn a_misspelt_key_finds_its_neighbour() {
        assert_eq!(nearest("http.lisen"), "http.listen");
        assert_eq!(nearest("htp.listen"), "http.listen");
        assert_eq!(nearest("media.port"), "media.ports");
        assert_eq!(nearest("drain.dead_line"), "drain.deadline");
    }

    #[test]
    fn no_key_is_listed_twice() {
        for (i, key) in KEYS.iter().enumerate() {
            assert!(KEYS.iter().skip(i + 1).all(|other| other.path != key.path));
        }
    }
}
