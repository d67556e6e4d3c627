//! SIP messages that are hard to read, and the verdict that the whole server gives on each: RFC 4475 and RFC 5118
//! as tables of message × transport × verdict, and messages of our own for every property in them.
//!
//! The 49 messages of RFC 4475 are not kept with the project. They are read from the folder that
//! `CAMPANILE_SIP_TORTURE` names, or from `../shared/sip-torture` beside the project, where there is one.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One message, and what the server does with it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) why: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) verdict: Verdict,
}

/// What a server does with a message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Verdict {
    /// The final statuses that it answers with, in order.
    pub(crate) answers: Vec<u16>,
    /// Whether it closes the connection, because it cannot know where the next message starts.
    pub(crate) closes: bool,
    /// Whether it waits for the message's end.
    pub(crate) waits: bool,
}

/// What stands in for `{…}` in messages of our own.
#[derive(Clone, Debug)]
pub(crate) struct Place<'a> {
    /// The server, as a URI's host.
    pub(crate) host: &'a str,
    /// `UDP`, `TCP` or `TLS`.
    pub(crate) transport: &'a str,
}

impl Place<'_> {
    fn is_stream(&self) -> bool {
        self.transport != "UDP"
    }
}

/// The messages of RFC 4475 as they stand; `None` where they are not at hand.
pub(crate) fn rfc4475(place: &Place<'_>) -> Option<Vec<Case>> {
    let folder = folder()?;
    Some(
        rows()
            .iter()
            .map(|row| Case {
                name: row.name.to_owned(),
                why: format!("RFC 4475 {}: {}", row.section, row.why),
                bytes: message(&folder, row.name),
                verdict: Verdict::read(row.as_it_stands, place.is_stream()),
            })
            .collect(),
    )
}

/// Those of them whose verdict is another when they are addressed to the server, so addressed.
pub(crate) fn rfc4475_to_us(place: &Place<'_>) -> Option<Vec<Case>> {
    let folder = folder()?;
    let cases = rows().into_iter().filter(|row| !row.replaced.is_empty());
    Some(
        cases
            .map(|row| {
                let bytes = message(&folder, row.name);
                let at = bytes
                    .windows(row.replaced.len())
                    .position(|window| window == row.replaced.as_bytes())
                    .unwrap_or_else(|| panic!("{}: no {}", row.name, row.replaced));
                let mut ours = bytes[..at].to_vec();
                ours.extend_from_slice(format!("u@{}", place.host).as_bytes());
                ours.extend_from_slice(&bytes[at + row.replaced.len()..]);
                Case {
                    name: format!("{} to us", row.name),
                    why: format!("RFC 4475 {}: {}", row.section, row.why),
                    bytes: ours,
                    verdict: Verdict::read(row.to_us, place.is_stream()),
                }
            })
            .collect(),
    )
}

/// Messages of our own with the properties of those in RFC 4475.
pub(crate) fn own(place: &Place<'_>, salt: &str) -> Vec<Case> {
    written(include_str!("own.txt"), place, salt)
}

/// Messages of our own with the properties of those in RFC 5118.
pub(crate) fn rfc5118(place: &Place<'_>, salt: &str) -> Vec<Case> {
    written(include_str!("rfc5118.txt"), place, salt)
}

/// A sound OPTIONS: its answer shows that the server has done with everything before it.
pub(crate) fn probe(place: &Place<'_>, id: &str) -> Vec<u8> {
    let text = "OPTIONS sip:u@{host} SIP/2.0\n{via};rport\n{max}\n{from}\n{to}\n{call}\n\
                CSeq: 1 OPTIONS\n{empty}";
    fill(text, place, id)
}

/// Says what two verdicts differ in.
pub(crate) fn compare(case: &Case, transport: &str, found: &Verdict) -> Option<String> {
    (*found != case.verdict).then(|| {
        format!(
            "{} over {transport}: {found:?} instead of {:?} ({})",
            case.name, case.verdict, case.why
        )
    })
}

impl Verdict {
    /// Reads `404`, `405 404`, `400, closed`, `closed`, `dropped`, `waits`, or `udp X / stream Y`.
    fn read(text: &str, stream: bool) -> Self {
        let text = match text.split_once(" / ") {
            Some((udp, _)) if !stream => udp.strip_prefix("udp ").unwrap(),
            Some((_, on_stream)) => on_stream.strip_prefix("stream ").unwrap(),
            None => text,
        };
        let mut verdict = Self::default();
        for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
            match word {
                "closed" => verdict.closes = true,
                "waits" => verdict.waits = true,
                "dropped" => {}
                status => verdict.answers.push(status.parse().unwrap()),
            }
        }
        verdict
    }
}

/// A line of `rfc4475.tsv`.
struct Row {
    name: &'static str,
    section: &'static str,
    as_it_stands: &'static str,
    replaced: &'static str,
    to_us: &'static str,
    why: &'static str,
}

fn rows() -> Vec<Row> {
    let lines = include_str!("rfc4475.tsv").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| match line.split('\t').collect::<Vec<_>>()[..] {
            [name, section, as_it_stands, replaced, to_us, why] => Row {
                name,
                section,
                as_it_stands,
                replaced,
                to_us,
                why,
            },
            _ => panic!("not six columns: {line}"),
        })
        .collect()
}

fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("CAMPANILE_SIP_TORTURE").map(PathBuf::from);
    // Both the project's own package and those below `src` include this file.
    let project = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").exists())?;
    let beside = project.parent()?.join("shared/sip-torture");
    let folder = named.unwrap_or(beside);
    folder.is_dir().then_some(folder)
}

fn message(folder: &Path, name: &str) -> Vec<u8> {
    let path = folder.join(format!("{name}.dat"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn written(text: &str, place: &Place<'_>, salt: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for section in text.split("\n@ ").skip(1) {
        let (title, message) = section.split_once('\n').unwrap();
        let [name, verdict, why] = title.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("not three columns: {title}");
        };
        let id = format!("{salt}{}{}", cases.len(), place.transport.to_lowercase());
        cases.push(Case {
            name: name.to_owned(),
            why: why.to_owned(),
            bytes: fill(message.trim_end_matches('\n'), place, &id),
            verdict: Verdict::read(verdict, place.is_stream()),
        });
    }
    cases
}

/// Puts the words in place of `{…}`, line ends in place of line ends, and octets in place of `\xNN`.
fn fill(text: &str, place: &Place<'_>, id: &str) -> Vec<u8> {
    let sdp = format!(
        "Content-Type: application/sdp\nContent-Length: {}\n\n{OFFER}",
        OFFER.len() + OFFER.matches('\n').count()
    );
    let long = "long".repeat(50);
    let words = BTreeMap::from([
        ("{core}", "{via}\n{max}\n{from}\n{to}\n{call}\n{contact}"),
        (
            "{via}",
            "Via: SIP/2.0/{transport} 192.0.2.1;branch=z9hG4bK{id}",
        ),
        ("{max}", "Max-Forwards: 70"),
        ("{from}", "From: <sip:caller@example.net>;tag=f{id}"),
        ("{to}", "To: <sip:u@{host}>"),
        ("{call}", "Call-ID: {id}@192.0.2.1"),
        ("{contact}", "Contact: <sip:caller@192.0.2.1>"),
        ("{empty}", "Content-Length: 0"),
        ("{sdp}", &sdp),
        ("{offer}", OFFER),
        ("{long}", &long),
        ("{transport}", place.transport),
        ("{host}", place.host),
        ("{id}", id),
    ]);
    let mut text = text.to_owned();
    // Words hold words: `{core}` first.
    for _ in 0..3 {
        for (name, value) in &words {
            text = text.replace(name, value);
        }
    }
    let cut = text.strip_suffix("\n{end}").map(str::to_owned);
    let text = match cut {
        Some(text) => text + "\n",
        None if text.contains("\n\n") => text.trim_end_matches('\n').to_owned() + "\n",
        None => text + "\n\n",
    };
    let bytes = octets(&text.replace('\n', "\r\n"));
    let head = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map_or(bytes.len(), |at| at + 4);
    let length = (bytes.len() - head).to_string();
    replace(&bytes, b"{length}", length.as_bytes())
}

/// Resolves `\xNN`; every other backslash stays.
fn octets(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("\\x") {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        match u8::from_str_radix(rest.get(at + 2..at + 4).unwrap_or_default(), 16) {
            Ok(octet) => bytes.push(octet),
            Err(_) => bytes.extend_from_slice(&rest.as_bytes()[at..rest.len().min(at + 4)]),
        }
        rest = rest.get(at + 4..).unwrap_or_default();
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

fn replace(bytes: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    match bytes.windows(what.len()).position(|window| window == what) {
        Some(at) => [&bytes[..at], with, &bytes[at + what.len()..]].concat(),
        None => bytes.to_vec(),
    }
}

/// An offer of G.711, and of a video codec that nobody has.
const OFFER: &str = "v=0\no=caller 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n\
                     m=audio 49170 RTP/AVP 0 8\nm=video 49172 RTP/AVP 31\na=rtpmap:31 LPC/90000\n";
