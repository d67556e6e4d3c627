//! Which certificate a client is shown: the first that is valid for the name it asks for (SNI, RFC 6066 §3).

use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Certificates in the order in which they are tried; the first also serves whoever asks for no name, an
/// address, or a name that none is for.
#[derive(Debug)]
pub(super) struct Choice {
    first: Arc<CertifiedKey>,
    others: Vec<Arc<CertifiedKey>>,
}

impl Choice {
    pub(super) fn new(first: CertifiedKey, others: Vec<CertifiedKey>) -> Self {
        Self {
            first: Arc::new(first),
            others: others.into_iter().map(Arc::new).collect(),
        }
    }

    fn for_name(&self, name: Option<&str>) -> &Arc<CertifiedKey> {
        let wanted = name.and_then(|name| ServerName::try_from(name).ok());
        wanted
            .and_then(|wanted| {
                std::iter::once(&self.first)
                    .chain(&self.others)
                    .find(|key| is_for(key, &wanted))
            })
            .unwrap_or(&self.first)
    }
}

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.for_name(hello.server_name())))
    }
}

fn is_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    key.end_entity_cert()
        .and_then(ParsedCertificate::try_from)
        .is_ok_and(|certificate| verify_server_name(&certificate, name).is_ok())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Made, made};
    use super::*;
    use crate::config::tls;

    #[test]
    fn the_name_asked_for_chooses_and_the_first_serves_all_others() {
        let folder = tempfile::tempdir().unwrap();
        let load = |name: &str, names: &[&str]| {
            let Made { files, der } = made(folder.path(), name, names);
            (tls::load(&files).unwrap(), der)
        };
        let (meet, meet_der) = load("meet", &["meet.example.org"]);
        let (wild, wild_der) = load("wild", &["*.rooms.example.org", "rooms.example.org"]);
        let choice = Choice::new(meet, vec![wild]);
        let shown = |name| choice.for_name(name).cert[0].as_ref().to_vec();
        for (name, der) in [
            (Some("meet.example.org"), &meet_der),
            (Some("MEET.example.org"), &meet_der),
            (Some("rooms.example.org"), &wild_der),
            (Some("b12.rooms.example.org"), &wild_der),
            // A wildcard stands for one label (RFC 6125 §6.4.3).
            (Some("x.b12.rooms.example.org"), &meet_der),
            (Some("elsewhere.example.net"), &meet_der),
            (Some("not a name"), &meet_der),
            (None, &meet_der),
        ] {
            assert_eq!(&shown(name), der, "{name:?}");
        }
    }
}
