//! Media that is not protected by the keys that were agreed.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use media::guard::{Protector, Unprotector};
use wire::plan::{SdesKey, SrtpProfile};

use crate::support::dialler::{Dialler, audio_port};
use crate::support::server::Server;
use crate::support::wait_for;

/// The key that the offers name, 30 octets in base64.
const OFFERED: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";

fn offer(port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {port} RTP/SAVP 0\r\na=rtpmap:0 PCMU/8000\r\n\
         a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{OFFERED}\r\n"
    )
}

fn key(first: u8) -> SdesKey {
    let key_salt = (0..30).map(|n| n + first).collect();
    SdesKey::new(SrtpProfile::AesCm128HmacSha1_80, key_salt)
}

/// A second of µ-law silence, protected with `key`, from `socket` to `to`.
fn speak(socket: &UdpSocket, to: SocketAddr, key: &SdesKey) {
    let mut protector = Protector::new(key).unwrap();
    for n in 0..50u16 {
        let mut packet = [0u8; 256];
        packet[0] = 0x80;
        packet[2..4].copy_from_slice(&n.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(n) * 160).to_be_bytes());
        packet[8..12].copy_from_slice(&7u32.to_be_bytes());
        packet[12..172].fill(0xff);
        let len = protector.protect_rtp(&mut packet, 172).unwrap();
        socket.send_to(&packet[..len], to).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn packets_under_wrong_keys_count_for_nothing_and_those_under_the_agreed_ones_are_heard() {
    let server = Server::start(&[]);
    let meeting = server.meeting_create();
    for (first, heard) in [(100, 0), (0, 50)] {
        let media = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut phone = Dialler::new(server.ready().sip_udp.unwrap(), &meeting.pin);
        let answer = phone.invite(&offer(media.local_addr().unwrap().port()));
        assert!(answer.starts_with("SIP/2.0 200"), "{answer}");
        assert!(answer.contains("RTP/SAVP"), "{answer}");
        let before = server.logs("ChimeVoiceConnectorLogs").len();
        speak(
            &media,
            SocketAddr::from(([127, 0, 0, 1], audio_port(&answer))),
            &key(first),
        );
        // The BYE goes by another socket: it must not overtake the last packet.
        std::thread::sleep(Duration::from_millis(100));
        phone.bye();
        let line = wait_for("the metric log", Duration::from_secs(10), || {
            server.logs("ChimeVoiceConnectorLogs").get(before).cloned()
        });
        assert_eq!(line["cust2vc_rtp_packets"], heard, "{line:#}");
    }
}

#[test]
fn nothing_but_the_signalled_address_is_sent_media_whatever_a_stranger_sends() {
    let server = Server::start(&[]);
    let meeting = server.meeting_create();
    let media = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut phone = Dialler::new(server.ready().sip_udp.unwrap(), &meeting.pin);
    let answer = phone.invite(&offer(media.local_addr().unwrap().port()));
    let to = SocketAddr::from(([127, 0, 0, 1], audio_port(&answer)));
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    speak(&stranger, to, &key(100));
    let mut buffer = [0; 2048];
    assert!(
        stranger.recv(&mut buffer).is_err(),
        "a stranger was sent media"
    );

    // The phone itself has been sent protected media all the while, which its key opens.
    media
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    let inline = answer
        .split("inline:")
        .nth(1)
        .unwrap()
        .split(['|', '\r', ' '])
        .next()
        .unwrap();
    let key_salt =
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, inline).unwrap();
    let local = SdesKey::new(SrtpProfile::AesCm128HmacSha1_80, key_salt);
    let mut opener = Unprotector::new(&local).unwrap();
    let len = media.recv(&mut buffer).unwrap();
    assert_eq!(opener.unprotect_rtp(&mut buffer[..len]).unwrap(), 172);
    phone.bye();
}
