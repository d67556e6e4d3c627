//! INVITEs with one thing wrong in each, made by a grammar: every element of a message × every anomaly, in the
//! manner of PROTOS c07-sip. Number `n` is the same message in every run.

/// What is the same in every mutant.
#[derive(Clone, Debug)]
pub(crate) struct Base<'a> {
    /// The server, as a URI's host.
    pub(crate) host: &'a str,
    /// `UDP`, `TCP` or `TLS`.
    pub(crate) transport: &'a str,
    /// Where we are, as `host:port`.
    pub(crate) local: &'a str,
    /// What sets this run's messages apart from others'.
    pub(crate) salt: &'a str,
}

/// All of them.
pub(crate) struct Mutants(Vec<Anomaly>);

impl Mutants {
    pub(crate) fn new() -> Self {
        Self(anomalies())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        ELEMENTS.len() * self.0.len()
    }

    /// Mutant number `n`, its element and its anomaly.
    pub(crate) fn mutant(&self, base: &Base<'_>, n: usize) -> (String, Vec<u8>) {
        // Neighbours differ in their element, so that a part of the whole has some of each.
        let element = ELEMENTS[n % ELEMENTS.len()];
        let (what, with) = &self.0[n / ELEMENTS.len() % self.0.len()];
        let render = |part: &str, length: usize| {
            let mut text = part.replace('\n', "\r\n");
            for other in ELEMENTS.iter().filter(|other| **other != element) {
                text = text.replace(other, sound(other));
            }
            let fill = |text: &str| {
                text.replace("{host}", base.host)
                    .replace("{transport}", base.transport)
                    .replace("{local}", base.local)
                    .replace("{length}", &length.to_string())
                    .replace("{n}", &format!("{}x{n}", base.salt))
            };
            let text = fill(&text);
            match text.split_once(element) {
                None => text.into_bytes(),
                Some((before, after)) => {
                    let value = with(fill(sound(element)).as_bytes());
                    [before.as_bytes(), &value, after.as_bytes()].concat()
                }
            }
        };
        let body = render(BODY, 0);
        let mut bytes = render(HEAD, body.len());
        bytes.extend(body);
        (format!("{n}: {element} {what}"), bytes)
    }
}

/// The header section; its elements are marked, each mark is there once.
const HEAD: &str = "<method> <scheme>:<user>@<uri-host>;<uri-parameter> <version>\n\
    Via<colon> <via-protocol>/<via-transport> <via-host>;branch=<branch>;<via-parameter>\n\
    Max-Forwards: <max-forwards>\n\
    From: <display> <<from-uri>>;tag=<from-tag>\n\
    To: <to-value>\n\
    Call-ID: <call-id>\n\
    CSeq: <cseq-number> <cseq-method>\n\
    Contact: <<contact-uri>>;<contact-parameter>\n\
    <header-name>: <header-value>\n\
    Route: <route>\n\
    Supported: <supported>\n\
    Accept: <accept>\n\
    Date: <date>\n\
    Content-Type: <content-type>\n\
    Content-Length: <content-length><line-end>\n\n";

/// The body; its length is right whatever is wrong with it.
const BODY: &str = "v=<sdp-version>\n\
    o=<origin>\n\
    s=<subject>\n\
    c=IN <address-type> <address>\n\
    t=<times>\n\
    m=<media> <media-port> <profile> <formats>\n\
    a=rtpmap:<rtpmap>\n\
    a=<attribute>\n";

const ELEMENTS: &[&str] = &[
    "<method>",
    "<scheme>",
    "<user>",
    "<uri-host>",
    "<uri-parameter>",
    "<version>",
    "<colon>",
    "<via-protocol>",
    "<via-transport>",
    "<via-host>",
    "<branch>",
    "<via-parameter>",
    "<max-forwards>",
    "<display>",
    "<from-uri>",
    "<from-tag>",
    "<to-value>",
    "<call-id>",
    "<cseq-number>",
    "<cseq-method>",
    "<contact-uri>",
    "<contact-parameter>",
    "<header-name>",
    "<header-value>",
    "<route>",
    "<supported>",
    "<accept>",
    "<date>",
    "<content-type>",
    "<content-length>",
    "<line-end>",
    "<sdp-version>",
    "<origin>",
    "<subject>",
    "<address-type>",
    "<address>",
    "<times>",
    "<media>",
    "<media-port>",
    "<profile>",
    "<formats>",
    "<rtpmap>",
    "<attribute>",
];

/// The value with which nothing is wrong.
fn sound(element: &str) -> &'static str {
    match element {
        "<method>" | "<cseq-method>" => "INVITE",
        "<scheme>" => "sip",
        "<user>" => "u",
        "<uri-host>" => "{host}",
        "<uri-parameter>" => "x=y",
        "<version>" => "SIP/2.0",
        "<colon>" => ":",
        "<via-protocol>" => "SIP/2.0",
        "<via-transport>" => "{transport}",
        "<via-host>" => "{local}",
        "<branch>" => "z9hG4bK{n}",
        "<via-parameter>" => "rport",
        "<max-forwards>" => "70",
        "<display>" => "\"Mutant\"",
        "<from-uri>" => "sip:mutant@{local}",
        "<from-tag>" => "f{n}",
        "<to-value>" => "<sip:u@{host}>",
        "<call-id>" => "{n}@mutant.example",
        "<cseq-number>" => "1",
        "<contact-uri>" => "sip:mutant@{local}",
        "<contact-parameter>" => "q=0.5",
        "<header-name>" => "X-Mutant",
        "<header-value>" => "value",
        "<route>" => "<sip:{host};lr>",
        "<supported>" => "timer",
        "<accept>" => "application/sdp",
        "<date>" => "Sat, 13 Nov 2010 23:29:00 GMT",
        "<content-type>" => "application/sdp",
        "<content-length>" => "{length}",
        "<line-end>" => "",
        "<sdp-version>" => "0",
        "<origin>" => "mutant 1 1 IN IP4 127.0.0.1",
        "<subject>" => "-",
        "<address-type>" => "IP4",
        "<address>" => "127.0.0.1",
        "<times>" => "0 0",
        "<media>" => "audio",
        "<media-port>" => "9",
        "<profile>" => "RTP/AVP",
        "<formats>" => "0 8 101",
        "<rtpmap>" => "101 telephone-event/8000",
        "<attribute>" => "sendrecv",
        other => panic!("{other} has no value"),
    }
}

type Anomaly = (String, Box<dyn Fn(&[u8]) -> Vec<u8>>);

/// What is put in a value's place, or done to it.
fn anomalies() -> Vec<Anomaly> {
    let mut all: Vec<Anomaly> = Vec::new();
    let mut instead = |text: &[u8]| {
        let text = text.to_vec();
        let what = format!(
            "is {:?}",
            String::from_utf8_lossy(&text[..text.len().min(24)])
        );
        all.push((what, Box::new(move |_| text.clone())));
    };
    for text in INSTEAD {
        instead(text);
    }
    for length in [
        16, 127, 128, 255, 256, 1023, 1024, 4095, 8192, 16_384, 32_768,
    ] {
        for unit in [&b"a"[..], b"%s%n", b"1", b"/.."] {
            instead(&unit.repeat(length / unit.len()));
        }
    }
    for number in NUMBERS {
        instead(number.as_bytes());
    }
    for octet in [
        0, 7, 9, 10, 11, 13, 27, 32, 34, 37, 44, 58, 59, 60, 62, 64, 92, 127, 128, 254, 255,
    ] {
        let around = move |value: &[u8]| [&[octet], value, &[octet]].concat();
        all.push((format!("between two {octet:#04x}"), Box::new(around)));
        let within = move |value: &[u8]| {
            let (a, b) = value.split_at(value.len() / 2);
            [a, &[octet], b].concat()
        };
        all.push((format!("around a {octet:#04x}"), Box::new(within)));
    }
    for times in [2, 10, 300] {
        all.push((
            format!("{times} times"),
            Box::new(move |value: &[u8]| value.repeat(times)),
        ));
        all.push((
            format!("{times} times with commas"),
            Box::new(move |value: &[u8]| vec![value; times].join(&b","[..])),
        ));
    }
    all.push((
        "upside down".into(),
        Box::new(|v: &[u8]| v.iter().rev().copied().collect()),
    ));
    all.push((
        "half".into(),
        Box::new(|v: &[u8]| v[..v.len() / 2].to_vec()),
    ));
    all
}

const INSTEAD: &[&[u8]] = &[
    b"",
    b" ",
    b"\r\n",
    b"\r\n\r\n",
    b"\r\n ",
    b"\r\n\t\r\n\t",
    b"\"",
    b"\"\\",
    b"<",
    b"<>",
    b"<<<>>>",
    b";;;;",
    b",,,,",
    b"====",
    b"@@@@",
    b"::::",
    b"%",
    b"%00",
    b"%ff%fe",
    b"%%%",
    b"*",
    b"?",
    b"?a=b&c",
    b"\\",
    b"\xc0\xaf",
    b"\xe2\x28\xa1",
    b"\xef\xbb\xbf",
    b"\xff\xff\xff\xff",
    b"sip:",
    b"sip:@",
    b"sip::@:",
    b"sip:[",
    b"sip:[::1",
    b"sip:[:::]",
    b"sip:u@[::1]:99999",
    b"sip:a@b;maddr=0.0.0.0;ttl=256",
    b"sips:a@b;transport=udp",
    b"tel:+1;phone-context=",
    b"127.0.0.1:0",
    b"255.255.255.255",
    b"0.0.0.0",
    b"256.256.256.256",
    b"1.2.3.4.5.6.7.8",
    b"[::ffff:127.0.0.1]",
    b"INVITE",
    b"ACK",
    b"CANCEL",
    b"SIP/2.0",
    b"SIP/2.0 200 OK",
    b"IN IP4",
    b"RTP/SAVP",
    b"application/sdp;;",
    b"multipart/mixed;boundary=",
];

const NUMBERS: &[&str] = &[
    "-1",
    "0",
    "00",
    "1e9",
    "0x10",
    "+1",
    "127",
    "128",
    "255",
    "256",
    "32767",
    "32768",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775808",
    "18446744073709551616",
    "99999999999999999999999999999999999999999999999999",
];
