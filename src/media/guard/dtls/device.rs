//! The record layer towards SIP devices: `rtc-dtls`, as many devices come with RSA certificates, which `dimpl` does
//! not read. DTLS 1.2 only.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc_crypto::SignatureScheme;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, HandshakeConfig};
use rtc_dtls::crypto::{Certificate, CryptoPrivateKey};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;
use wire::plan::SrtpProfile;

use super::identity::Identity;

/// One association with a device.
pub(super) struct Device {
    endpoint: Endpoint,
    now: Instant,
    secrets: Option<Secrets>,
    closed: bool,
}

/// What a completed handshake gives.
pub(super) struct Secrets {
    /// The other side's certificate, DER; empty when it showed none.
    pub(super) certificate: Vec<u8>,
    /// Keys and salts of both sides (RFC 5764 §4.2).
    pub(super) material: Vec<u8>,
    /// What they are for.
    pub(super) profile: SrtpProfile,
}

/// What it wants done.
pub(super) enum Output {
    /// Send these many octets of the buffer.
    Transmit(usize),
    /// The handshake is complete. Told once.
    Complete(Secrets),
    /// The other side closed. Told once.
    Closed,
    /// Nothing before this instant.
    Timeout(Option<Instant>),
}

/// The association cannot be set up, or has broken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Broken;

impl Device {
    pub(super) fn new(
        identity: &Identity,
        active: bool,
        retry: Duration,
        mtu: usize,
        now: Instant,
    ) -> Result<Self, Broken> {
        let config = Arc::new(config(identity, active, retry, mtu)?);
        let server = (!active).then(|| config.clone());
        let mut endpoint = Endpoint::new(NOWHERE, TransportProtocol::UDP, server);
        if active {
            endpoint
                .connect(now, PEER, config, None)
                .map_err(|_| Broken)?;
        }
        Ok(Self {
            endpoint,
            now,
            secrets: None,
            closed: false,
        })
    }

    /// Takes a datagram. One that is no part of the association changes nothing: whoever watches the time ends
    /// what comes to nothing.
    pub(super) fn handle(&mut self, now: Instant, datagram: &[u8]) {
        self.now = now;
        let Ok(events) = self.endpoint.read(now, PEER, None, datagram.into()) else {
            return;
        };
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => self.secrets = self.export(),
                EndpointEvent::PeerClosed => self.closed = true,
                // Data channels are not offered; whatever a peer sends in one is dropped.
                _ => {}
            }
        }
    }

    pub(super) fn timeout(&mut self, now: Instant) {
        self.now = now;
        // An error says that retransmissions are exhausted; the deadline tells.
        let _ = self.endpoint.handle_timeout(PEER, now);
    }

    pub(super) fn close(&mut self) -> Result<(), Broken> {
        self.endpoint.close(self.now).map_err(|_| Broken)
    }

    pub(super) fn poll(&mut self, buf: &mut [u8]) -> Output {
        while let Some(packet) = self.endpoint.poll_transmit() {
            let len = packet.message.len();
            // Longer than the buffer is longer than the MTU that was set; it would be lost on the way.
            if let Some(room) = buf.get_mut(..len) {
                room.copy_from_slice(&packet.message);
                return Output::Transmit(len);
            }
        }
        if let Some(secrets) = self.secrets.take() {
            return Output::Complete(secrets);
        }
        if std::mem::take(&mut self.closed) {
            return Output::Closed;
        }
        Output::Timeout(self.endpoint.poll_timeout(&PEER))
    }

    fn export(&self) -> Option<Secrets> {
        let state = self.endpoint.get_connection_state(PEER)?;
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => SrtpProfile::AesCm128HmacSha1_80,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32 => SrtpProfile::AesCm128HmacSha1_32,
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => SrtpProfile::AeadAes128Gcm,
            SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm => SrtpProfile::AeadAes256Gcm,
            _ => return None,
        };
        let len = 2 * (profile.key_len() + profile.salt_len());
        let material = state.export_keying_material(LABEL, &[], len).ok()?;
        Some(Secrets {
            certificate: state.peer_certificates.first().cloned().unwrap_or_default(),
            material: material.into_bytes(),
            profile,
        })
    }
}

fn config(
    identity: &Identity,
    active: bool,
    retry: Duration,
    mtu: usize,
) -> Result<HandshakeConfig, Broken> {
    let provider = rtc_crypto::default_provider().map_err(|_| Broken)?;
    let own = identity.certificate();
    let key = provider
        .crypto()
        .import_signing_key(SignatureScheme::EcdsaP256Sha256, &own.private_key)
        .map_err(|_| Broken)?;
    let certificate = Certificate {
        certificate: vec![own.certificate.into()],
        private_key: CryptoPrivateKey::from_signing_key(key),
    };
    ConfigBuilder::default()
        .with_crypto_provider(provider)
        .with_certificates(vec![certificate])
        .with_srtp_protection_profiles(PROFILES.to_vec())
        // Chains and names say nothing here: the fingerprint does, which is compared before the keys are given.
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        .with_insecure_skip_verify(true)
        .with_server_name("campanile".to_owned())
        .with_flight_interval(retry)
        .with_mtu(mtu)
        .build(active, None)
        .map_err(|_| Broken)
}

/// In the order in which we like them.
const PROFILES: [SrtpProtectionProfile; 4] = [
    SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
    SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
    SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
    SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_32,
];
/// RFC 5764 §4.2.
const LABEL: &str = "EXTRACTOR-dtls_srtp";
/// The endpoint tells associations apart by address; ours has one, and who may send is the leg's affair.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9);
