//! Two handshakes joined in virtual time.

use std::time::{Duration, Instant};

use wire::plan::{Fingerprint, MediaLoss, SdesKey, SrtpProfile};

use super::*;

struct Side {
    handshake: Handshake,
    wake: Option<Instant>,
    keys: Option<(SdesKey, SdesKey)>,
    failed: Option<MediaLoss>,
}

impl Side {
    fn new(handshake: Handshake) -> Self {
        Self {
            handshake,
            wake: None,
            keys: None,
            failed: None,
        }
    }

    fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut buf = [0u8; 2048];
        let mut datagrams = Vec::new();
        loop {
            match self.handshake.poll(&mut buf) {
                Output::Transmit(len) => datagrams.push(buf[..len].to_vec()),
                Output::Connected { local, remote } => {
                    assert!(self.keys.replace((local, remote)).is_none(), "told twice");
                }
                Output::Failed(why) => assert!(self.failed.replace(why).is_none(), "told twice"),
                Output::Timeout(at) => {
                    self.wake = at;
                    return datagrams;
                }
            }
        }
    }
}

/// A client and a server, and a wire between them that loses what `lost` says, by number.
struct Pair {
    now: Instant,
    client: Side,
    server: Side,
    sent: usize,
}

impl Pair {
    fn new(wrong: Option<Fingerprint>) -> Self {
        Self::of(PeerKind::Browser, wrong)
    }

    fn of(kind: PeerKind, wrong: Option<Fingerprint>) -> Self {
        // The only clock of these tests; everything else is added to it.
        #[allow(clippy::disallowed_methods)]
        let now = Instant::now();
        let (a, b) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        let seen_by_server = wrong.unwrap_or_else(|| a.fingerprint().clone());
        Self {
            now,
            client: Side::new(Handshake::new(&a, kind, true, b.fingerprint().clone(), now)),
            server: Side::new(Handshake::new(&b, kind, false, seen_by_server, now)),
            sent: 0,
        }
    }

    /// Runs until both know how it ended, or `limit` of virtual time has passed.
    fn run(&mut self, limit: Duration, lost: impl Fn(usize) -> bool) {
        let end = self.now + limit;
        loop {
            let up = self.client.drain();
            let down = self.server.drain();
            let quiet = up.is_empty() && down.is_empty();
            for datagram in up {
                self.sent += 1;
                if !lost(self.sent) {
                    self.server.handshake.handle(self.now, &datagram);
                }
            }
            for datagram in down {
                self.sent += 1;
                if !lost(self.sent) {
                    self.client.handshake.handle(self.now, &datagram);
                }
            }
            if !quiet {
                continue;
            }
            let done = |side: &Side| side.keys.is_some() || side.failed.is_some();
            if done(&self.client) && done(&self.server) {
                return;
            }
            let wakes = [self.client.wake, self.server.wake];
            let Some(next) = wakes.into_iter().flatten().min().filter(|at| *at < end) else {
                return;
            };
            self.now = next.max(self.now + Duration::from_millis(1));
            self.client.handshake.timeout(self.now);
            self.server.handshake.timeout(self.now);
        }
    }

    fn assert_keys_fit(&self) {
        let (client_local, client_remote) = self.client.keys.clone().unwrap();
        let (server_local, server_remote) = self.server.keys.clone().unwrap();
        assert!(client_local == server_remote);
        assert!(client_remote == server_local);
        assert!(client_local != client_remote);
        let profile = client_local.profile;
        assert_eq!(
            client_local.key_salt.len(),
            profile.key_len() + profile.salt_len()
        );
    }
}

#[test]
fn both_sides_get_keys_that_fit_and_gcm_is_preferred() {
    let mut pair = Pair::new(None);
    pair.run(Duration::from_secs(60), |_| false);
    pair.assert_keys_fit();
    let (local, _) = pair.client.keys.unwrap();
    assert_ne!(local.profile, SrtpProfile::AesCm128HmacSha1_80);
}

#[test]
fn devices_get_keys_that_fit_too() {
    let mut pair = Pair::of(PeerKind::Device, None);
    pair.run(Duration::from_secs(60), |_| false);
    pair.assert_keys_fit();
}

#[test]
fn each_lost_datagram_in_turn_is_made_good() {
    for victim in 1..=8 {
        let mut pair = Pair::new(None);
        pair.run(Duration::from_secs(14), |number| number == victim);
        assert!(pair.client.keys.is_some(), "client without {victim}");
        assert!(pair.server.keys.is_some(), "server without {victim}");
        pair.assert_keys_fit();
    }
}

#[test]
fn every_third_datagram_may_be_lost() {
    let mut pair = Pair::new(None);
    pair.run(Duration::from_secs(14), |number| number % 3 == 1);
    pair.assert_keys_fit();
}

#[test]
fn a_wrong_fingerprint_yields_no_keys() {
    let other = Identity::generate().unwrap();
    let mut pair = Pair::new(Some(other.fingerprint().clone()));
    pair.run(Duration::from_secs(60), |_| false);
    assert_eq!(pair.server.failed, Some(MediaLoss::WrongFingerprint));
    assert!(pair.server.keys.is_none());
}

#[test]
fn an_unknown_hash_matches_nothing() {
    let identity = Identity::generate().unwrap();
    let mut print = identity.fingerprint().clone();
    let der = identity.certificate().certificate;
    assert!(matches(&der, &print));
    print.hash = "md5".into();
    assert!(!matches(&der, &print));
}

#[test]
fn the_longer_hashes_match_too() {
    use sha2::{Digest, Sha384, Sha512};
    let der = Identity::generate().unwrap().certificate().certificate;
    for (hash, digest) in [
        ("sha-384", Sha384::digest(&der).to_vec()),
        ("SHA-512", Sha512::digest(&der).to_vec()),
    ] {
        let mut print = Fingerprint {
            hash: hash.into(),
            digest,
        };
        assert!(matches(&der, &print), "{hash}");
        print.digest[0] ^= 1;
        assert!(!matches(&der, &print), "{hash}");
    }
}

#[test]
fn a_client_without_answer_gives_up_after_fifteen_seconds() {
    let mut pair = Pair::new(None);
    let start = pair.now;
    pair.run(Duration::from_secs(120), |_| true);
    assert_eq!(pair.client.failed, Some(MediaLoss::HandshakeFailed));
    assert!(pair.now - start >= Duration::from_secs(15));
}

#[test]
fn a_server_that_hears_nothing_gives_up_after_thirty_seconds() {
    let mut pair = Pair::new(None);
    let start = pair.now;
    pair.server.drain();
    pair.server
        .handshake
        .timeout(start + Duration::from_secs(29));
    pair.server.drain();
    assert_eq!(pair.server.failed, None);
    pair.server
        .handshake
        .timeout(start + Duration::from_secs(30));
    pair.server.drain();
    assert_eq!(pair.server.failed, Some(MediaLoss::HandshakeFailed));
}

#[test]
fn garbage_before_the_handshake_does_not_stop_it() {
    let mut pair = Pair::new(None);
    pair.server
        .handshake
        .handle(pair.now, &[22, 254, 253, 0, 0]);
    pair.server.handshake.handle(pair.now, &[0x16; 64]);
    pair.run(Duration::from_secs(14), |_| false);
    pair.assert_keys_fit();
}

#[test]
fn the_other_sides_close_is_told() {
    let mut pair = Pair::new(None);
    pair.run(Duration::from_secs(14), |_| false);
    pair.client.handshake.close();
    for datagram in pair.client.drain() {
        pair.server.handshake.handle(pair.now, &datagram);
    }
    pair.server.drain();
    assert_eq!(pair.server.failed, Some(MediaLoss::ClosedByPeer));
}

#[test]
fn the_fingerprint_is_shown_as_sdp_shows_it() {
    let identity = Identity::generate().unwrap();
    let text = identity.fingerprint_text();
    assert_eq!(text.len(), 32 * 3 - 1);
    assert!(
        text.split(':')
            .all(|pair| u8::from_str_radix(pair, 16).is_ok())
    );
}
