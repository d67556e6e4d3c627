//! Messages that peers send, and the verdict on each.

mod building;
mod differential;
mod reading;
mod roundtrip;
mod streams;
mod values;
mod verdicts;

use super::{Fault, Message, SipError};

/// A request with everything that is mandatory; `{}` takes further lines, with their line ends.
fn request(more: &str) -> String {
    format!(
        "INVITE sip:bob@example.com SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKtest;rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:alice@example.org>;tag=a1\r\n\
         To: <sip:bob@example.com>\r\n\
         Call-ID: call-1@192.0.2.1\r\n\
         CSeq: 1 INVITE\r\n{more}\r\n"
    )
}

fn read(text: &str) -> Message {
    Message::parse(text.as_bytes()).unwrap()
}

fn refuse(text: &str) -> SipError {
    Message::parse(text.as_bytes()).unwrap_err()
}

fn fault(text: &str) -> Fault {
    refuse(text).fault
}
