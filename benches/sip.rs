//! Reading and writing a typical INVITE and its 200 with SDP, beside a bare scan for line ends.
//!
//! `cargo bench -p campanile-wire --bench sip`. The columns below the times are heap allocations per
//! message. The bare scan is what any reader must do at least: it looks at every byte once, finds the
//! lines and the colons, and keeps nothing.

use divan::{AllocProfiler, Bencher, black_box, counter::BytesCount};
use wire::sdp::Session;
use wire::sip::{Limits, Message, StreamReader};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// The messages that are read and written.
const MESSAGES: [&str; 2] = ["INVITE", "200 OK"];

const SDP: &str = "v=0\r\n\
o=- 3904167453 3904167453 IN IP4 198.51.100.7\r\n\
s=-\r\n\
c=IN IP4 198.51.100.7\r\n\
t=0 0\r\n\
m=audio 40376 RTP/SAVP 96 0 8 9 101\r\n\
a=rtpmap:96 opus/48000/2\r\n\
a=fmtp:96 useinbandfec=1\r\n\
a=rtpmap:0 PCMU/8000\r\n\
a=rtpmap:8 PCMA/8000\r\n\
a=rtpmap:9 G722/8000\r\n\
a=rtpmap:101 telephone-event/8000\r\n\
a=fmtp:101 0-15\r\n\
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd\r\n\
a=crypto:2 AEAD_AES_128_GCM inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw==\r\n\
a=rtcp:40377\r\n\
a=ptime:20\r\n\
a=sendrecv\r\n";

fn bytes(name: &str) -> Vec<u8> {
    let (start, to_tag) = match name {
        "INVITE" => ("INVITE sip:4417650123@meet.example.org SIP/2.0", ""),
        _ => ("SIP/2.0 200 OK", ";tag=9fxced76sl"),
    };
    format!(
        "{start}\r\n\
         Via: SIP/2.0/TLS 198.51.100.7:45061;branch=z9hG4bK776asdhds;rport=45061;received=203.0.113.5\r\n\
         Via: SIP/2.0/UDP 192.168.1.33:5060;branch=z9hG4bK-524287-1---8d7a;rport\r\n\
         Record-Route: <sip:198.51.100.7:5061;transport=tls;lr>\r\n\
         Max-Forwards: 69\r\n\
         From: \"Alice, at home\" <sip:alice@example.org>;tag=1928301774\r\n\
         To: <sip:4417650123@meet.example.org>{to_tag}\r\n\
         Call-ID: a84b4c76e66710@192.168.1.33\r\n\
         CSeq: 314159 INVITE\r\n\
         Contact: <sip:alice@192.168.1.33:45061;transport=tls>\r\n\
         Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO, REFER, NOTIFY\r\n\
         Supported: 100rel, timer, replaces, norefersub\r\n\
         Session-Expires: 1800;refresher=uac\r\n\
         Min-SE: 90\r\n\
         User-Agent: example phone 1.0\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{SDP}",
        SDP.len()
    )
    .into_bytes()
}

/// Lines and the colons in them, nothing kept: the floor.
#[divan::bench(args = MESSAGES)]
fn bare_scan(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = bytes(name);
    bencher.counter(BytesCount::of_slice(&bytes)).bench(|| {
        let mut rest = black_box(bytes.as_slice());
        let mut sum = 0;
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let (line, after) = rest.split_at(end + 1);
            sum += line.iter().position(|b| *b == b':').unwrap_or_default();
            rest = after;
        }
        sum
    });
}

/// A datagram to a checked message.
#[divan::bench(args = MESSAGES)]
fn read(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = bytes(name);
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .bench(|| Message::parse(black_box(&bytes)).ok());
}

/// The same out of a connection's reader.
#[divan::bench(args = MESSAGES)]
fn read_from_stream(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = bytes(name);
    let mut reader = StreamReader::new(Limits::default());
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .bench_local(|| {
            reader.push(black_box(&bytes));
            reader.next().ok()
        });
}

/// A message to bytes.
#[divan::bench(args = MESSAGES)]
fn write(bencher: Bencher<'_, '_>, name: &str) {
    let bytes = bytes(name);
    let Ok(message) = Message::parse(&bytes) else {
        return;
    };
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .bench(|| black_box(&message).to_bytes());
}

/// The typed values that a transaction and a dialog take from an INVITE.
#[divan::bench]
fn typed(bencher: Bencher<'_, '_>) {
    let Ok(message) = Message::parse(&bytes("INVITE")) else {
        return;
    };
    bencher.bench(|| {
        let headers = &black_box(&message).headers;
        (
            (headers.via(), headers.from(), headers.to()),
            (headers.call_id(), headers.cseq(), headers.contact()),
            headers.record_routes(),
        )
    });
}

/// The response to an INVITE, built and written.
#[divan::bench]
fn answer(bencher: Bencher<'_, '_>) {
    let Ok(invite) = Message::parse(&bytes("INVITE")) else {
        return;
    };
    bencher.bench(|| {
        let mut ok = Message::response_to(black_box(&invite), 200, "OK");
        ok.copy_record_routes(&invite);
        let tagged = ok.tag_to("9fxced76sl");
        ok.set_body("application/sdp", SDP.as_bytes().to_vec());
        (tagged, ok.to_bytes())
    });
}

/// The description in the INVITE.
#[divan::bench]
fn read_sdp(bencher: Bencher<'_, '_>) {
    bencher
        .counter(BytesCount::of_str(SDP))
        .bench(|| Session::parse(black_box(SDP)).ok());
}

/// The same to text.
#[divan::bench]
fn write_sdp(bencher: Bencher<'_, '_>) {
    let Ok(session) = Session::parse(SDP) else {
        return;
    };
    bencher
        .counter(BytesCount::of_str(SDP))
        .bench(|| black_box(&session).to_string());
}
