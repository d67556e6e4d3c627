//! The trace as text: the ladder of messages, offers and answers in short, the minutes of media, the one ending.

use std::fmt;

use super::describe::{description, headline};
use super::{Minute, SipMessage, Trace};
use crate::record::call_events::{Behind, What};
use crate::record::call_record::utc;

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, false)
    }
}

/// The trace with every SIP message whole.
#[derive(Clone, Copy, Debug)]
pub struct Whole<'a>(pub &'a Trace);

impl fmt::Display for Whole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, true)
    }
}

impl Trace {
    fn write(&self, f: &mut fmt::Formatter<'_>, whole: bool) -> fmt::Result {
        let start = self.start();
        writeln!(f, "call {}", self.id)?;
        self.head(f)?;
        writeln!(f, "began {} (times below in seconds since)", utc(start))?;
        writeln!(f)?;
        self.ladder(f, start, whole)?;
        writeln!(f)?;
        self.media(f, start)?;
        writeln!(f)?;
        self.ending(f, start)
    }

    /// When the first thing happened.
    fn start(&self) -> u64 {
        let messages = self.messages.iter().map(|message| message.at_ms);
        let events = self.events.iter().map(|(at, _)| *at);
        messages.chain(events).min().unwrap_or(0)
    }

    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (_, event) in &self.events {
            if let What::Started {
                party,
                direction,
                sip_call_id,
                from_user,
                to_user,
                peer,
            } = event
            {
                let who = |user: &str| if user.is_empty() { "-" } else { user }.to_owned();
                writeln!(
                    f,
                    "{party}, {direction}: {} → {}, by {peer}",
                    who(from_user),
                    who(to_user)
                )?;
                if !sip_call_id.is_empty() {
                    writeln!(f, "Call-ID {sip_call_id}")?;
                }
            }
        }
        Ok(())
    }

    /// Messages and events in the order of their times; at equal times messages first.
    fn ladder(&self, f: &mut fmt::Formatter<'_>, start: u64, whole: bool) -> fmt::Result {
        writeln!(f, "{:>9}  {:<6}{:^WIDTH$}us", "", "peer", "")?;
        if self.messages.is_empty() {
            writeln!(f, "{:>9}  no SIP message was recorded", "")?;
        }
        let mut events = self
            .events
            .iter()
            .filter(|(_, what)| told(what).is_some())
            .peekable();
        for message in &self.messages {
            while let Some((at, what)) = events.next_if(|(at, _)| *at < message.at_ms) {
                event(f, *at - start, what)?;
            }
            rung(f, message, start, whole)?;
        }
        events.try_for_each(|(at, what)| event(f, *at - start, what))
    }

    fn media(&self, f: &mut fmt::Formatter<'_>, start: u64) -> fmt::Result {
        if self.minutes.is_empty() {
            return writeln!(f, "media: no figures were recorded");
        }
        writeln!(
            f,
            "media, a line per minute ({NULL} = not measured; loss since the beginning; jitter and RTT in ms)"
        )?;
        writeln!(
            f,
            "{:>9} │ {:>8} {:>6} {:>8} │ {:>8} {:>6} {:>8} │ {:>7} {:>5}",
            "until", "in", "lost", "jitter", "out", "lost", "jitter", "RTT", "MOS"
        )?;
        for Minute { figures, .. } in &self.minutes {
            let ms = |us: Option<u64>| us.map(|us| format!("{:.1}", us as f64 / 1000.0));
            writeln!(
                f,
                "{:>9} │ {:>8} {:>6} {:>8} │ {:>8} {:>6} {:>8} │ {:>7} {:>5}",
                seconds(figures.event_timestamp.saturating_sub(start)),
                or_null(figures.cust2vc_rtp_packets),
                or_null(figures.cust2vc_packets_lost),
                or_null(ms(figures.cust2vc_jitter)),
                or_null(figures.vc2cust_rtp_packets),
                or_null(figures.vc2cust_packets_lost),
                or_null(ms(figures.vc2cust_jitter)),
                or_null(ms(figures.rtt_btwn_vc_and_cust)),
                or_null(figures.mos_btwn_vc_and_cust.map(|mos| format!("{mos:.2}"))),
            )?;
        }
        let Some(behind) = self.minutes.iter().rev().find_map(|m| m.behind.as_ref()) else {
            return Ok(());
        };
        if let Some(codec) = &behind.codec {
            writeln!(f, "codec {codec}")?;
        }
        for (name, conditions) in [("in", &behind.inbound), ("out", &behind.outbound)] {
            if let Some(Behind {
                loss_percent,
                burst_ratio,
                delay_ms,
            }) = conditions
            {
                writeln!(
                    f,
                    "opinion of the last minute, {name}: {loss_percent:.2} % lost behind the jitter buffer, BurstR {burst_ratio:.2}, delay {delay_ms:.0} ms"
                )?;
            }
        }
        let list = |counts: &std::collections::BTreeMap<String, u64>| {
            let all: Vec<String> = counts
                .iter()
                .map(|(name, n)| format!("{name} {n}"))
                .collect();
            if all.is_empty() {
                "none".to_owned()
            } else {
                all.join(", ")
            }
        };
        writeln!(
            f,
            "datagrams in: {} = used ({}) + dropped ({}){}; out: {}",
            behind.packets_in,
            list(&behind.used),
            list(&behind.dropped),
            if behind.balances() {
                ""
            } else {
                " — DOES NOT BALANCE"
            },
            behind.packets_out
        )
    }

    fn ending(&self, f: &mut fmt::Formatter<'_>, start: u64) -> fmt::Result {
        let ending = self.events.iter().rev().find_map(|(at, what)| match what {
            What::Ended {
                side,
                cause,
                sip_status,
                q850,
                text,
            } => Some((at, side, cause, sip_status, q850, text)),
            _ => None,
        });
        match ending {
            Some((at, side, cause, sip_status, q850, text)) => writeln!(
                f,
                "ended after {} s by {side}: {text} ({cause}), SIP status {}, Q.850 {}",
                seconds(at.saturating_sub(start)),
                or_null(*sip_status),
                or_null(*q850)
            ),
            None => writeln!(f, "not ended as far as the logs tell"),
        }
    }
}

/// One message of the ladder.
fn rung(f: &mut fmt::Formatter<'_>, message: &SipMessage, start: u64, whole: bool) -> fmt::Result {
    let text = headline(&message.text);
    let at = seconds(message.at_ms.saturating_sub(start));
    match &message.way {
        Some(way) if way.incoming => writeln!(f, "{at:>9}  {text:─<LINE$}►")?,
        Some(_) => writeln!(f, "{at:>9}  ◄{text:─>LINE$}")?,
        None => writeln!(f, "{at:>9}  {text}")?,
    }
    let lines = description(&message.text);
    if let Some(way) = message.way.as_ref().filter(|_| whole || !lines.is_empty()) {
        let (from, to) = (Some(way.peer), way.local);
        let (from, to) = if way.incoming { (from, to) } else { (to, from) };
        let transport = way.transport.as_deref().unwrap_or("by an unknown way");
        writeln!(
            f,
            "{:>11}{transport}, {} → {}",
            "",
            or_null(from),
            or_null(to)
        )?;
    }
    for line in lines {
        writeln!(f, "{:>11}{line}", "")?;
    }
    if whole {
        for line in message.text.lines() {
            writeln!(f, "{:>11}│ {}", "", line.trim_end())?;
        }
    }
    Ok(())
}

fn event(f: &mut fmt::Formatter<'_>, at: u64, what: &What) -> fmt::Result {
    match told(what) {
        Some(text) => writeln!(f, "{:>9}  {text:·^LINE$}", seconds(at)),
        None => Ok(()),
    }
}

/// What the ladder tells of an event.
fn told(what: &What) -> Option<String> {
    Some(match what {
        What::Answered => " answered ".to_owned(),
        What::JoinedMeeting { meeting_id, .. } => format!(" in meeting {meeting_id} "),
        What::Noted { what } => format!(" {what} "),
        What::GaveUp { what } => format!(" gave up: {what} "),
        What::Ended { side, text, .. } => format!(" ended by {side}: {text} "),
        What::Started { .. } | What::Sip { .. } | What::Media(_) => return None,
    })
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

fn or_null(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(|| NULL.to_owned(), |value| value.to_string())
}

const NULL: &str = "–";
/// Columns between the two sides.
const WIDTH: usize = 56;
/// Columns of an arrow's shaft.
const LINE: usize = 62;
