//! The record's own state: which calls are open, and what is still to be delivered.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use call::authenticate::Denial;
use call::ending::Ending;
use call::note::{CallDirection, CallStart, Note, Party, TransactionId};
use media::measure::Sample;
use serde::Serialize;
use wire::plan::LegId;

use super::call_events::{CallEvent, MediaMinute, What};
use super::call_record::{CallRecord, Closing, OpenCall, Writer, key};
use super::connector_metrics::{ConnectorMetrics, CountedLoss};
use super::delivery::{Delivery, Destination};
use super::figures::Gathered;
use super::metric_log::{MetricLine, VideoLine, Whose};
use super::sink::LogFolder;
use super::spool::{Ready, Spool, Waiting};
use super::{RecordError, Settings, ToKeeper, WAITING, Way, mask};
use crate::objects::Objects;

/// Everything that the record's thread owns.
pub(super) struct Keeper {
    settings: Settings,
    delivery: Delivery,
    logs: LogFolder,
    spool: Spool,
    calls: HashMap<TransactionId, Kept>,
    legs: HashMap<LegId, TransactionId>,
    alive_at: Instant,
    metrics: ConnectorMetrics,
}

/// One open call.
struct Kept {
    open: OpenCall,
    /// A name for the other end that tells nothing of it but whether it is the same.
    endpoint_id: String,
    leg: LegId,
    /// SIP calls have a call record; browsers have the metric log only.
    recorded: bool,
    direction: CallDirection,
    answered: bool,
    counted: CountedLoss,
}

/// One line of the SIP message log.
#[derive(Serialize)]
struct SipLine<'a> {
    voice_connector_id: &'a str,
    aws_region: &'a str,
    event_timestamp: u64,
    call_id: Option<String>,
    sip_message: &'a str,
}

impl Keeper {
    pub(super) fn open(
        settings: Settings,
        objects: Objects,
        destination: Destination,
        runtime: &tokio::runtime::Handle,
    ) -> Result<Self, RecordError> {
        let spool = Spool::open(settings.data.join("spool"))?;
        Ok(Self {
            delivery: Delivery::start(runtime, objects, destination, spool.clone())?,
            metrics: ConnectorMetrics::new(
                &settings.connector_id,
                &settings.region,
                Gathered::new(settings.data.join("metrics"), &settings.connector_id),
            ),
            logs: LogFolder::new(settings.data.join("logs")),
            spool,
            settings,
            calls: HashMap::new(),
            legs: HashMap::new(),
            alive_at: Instant::now(),
        })
    }

    /// Ends the calls that an earlier process left open, and takes up its undelivered records.
    pub(super) fn recover(&mut self, now: SystemTime) {
        let mut finished = HashSet::new();
        for ready in self.spool.left_ready() {
            finished.insert(ready.transaction_id.clone());
            self.delivery.deliver(ready);
        }
        let seen = self.spool.last_alive();
        for open in self.spool.left_open() {
            if finished.contains(&open.transaction_id) {
                // Its record was finished; only the note that the call runs was not taken away.
                let result = self.spool.forget_open(&open.transaction_id);
                report("the spool", result);
                continue;
            }
            // Without a sign of life after the answer nobody knows how long the call went on.
            let since = open.answered_ms.unwrap_or(open.started_ms);
            let ended = seen.map_or(since, |seen| seen.max(since)).min(millis(now));
            tracing::warn!(call = %open.transaction_id, "a call was cut off by the end of an earlier process");
            let event = What::Ended {
                side: "us".to_owned(),
                cause: "Interrupted".to_owned(),
                sip_status: None,
                q850: None,
                text: INTERRUPTED.to_owned(),
            };
            self.event(&open.transaction_id, ended, event);
            self.close(&open, &Closing::Interrupted, ended);
        }
    }

    /// Works until every [`super::Recorder`] is gone.
    pub(super) fn run(mut self, inbox: &Receiver<ToKeeper>) {
        loop {
            let received = inbox.recv_timeout(TURN);
            let one = received.is_ok();
            match received {
                Ok(ToKeeper::Note(note, way, at)) => self.note(note, way, millis(at)),
                Ok(ToKeeper::Sample(sample, at)) => self.sample(&sample, millis(at)),
                Ok(ToKeeper::Finish(done)) => {
                    self.keep_metrics();
                    self.delivery.flush(done);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.keep_metrics();
                    return self.delivery.end();
                }
            }
            if one {
                metrics::gauge!(WAITING).decrement(1);
            }
            self.on_time();
        }
    }

    fn keep_metrics(&mut self) {
        let result = self.metrics.write(millis(SystemTime::now()));
        report("the metrics", result);
    }

    fn on_time(&mut self) {
        let now = Instant::now();
        let result = self.metrics.publish(millis(SystemTime::now()));
        report("the metrics", result);
        if now >= self.alive_at && self.calls.values().any(|kept| kept.recorded) {
            self.alive_at = now + ALIVE_EVERY;
            let result = self.spool.alive(millis(SystemTime::now()));
            report("the sign of life", result);
        }
    }

    fn note(&mut self, note: Note, way: Option<Way>, at_ms: u64) {
        match note {
            Note::SipMessage {
                call,
                incoming,
                peer,
                bytes,
                ..
            } => {
                self.metrics.sip_message(&bytes, at_ms);
                if !self.settings.sip_messages {
                    return;
                }
                self.sip_message(call, &bytes, at_ms);
                if let Some(call) = call {
                    let event = What::Sip {
                        incoming,
                        transport: way.map(|way| way.transport.via_name().to_owned()),
                        local: way.map(|way| way.local),
                        peer,
                    };
                    self.event(&call.to_string(), at_ms, event);
                }
            }
            Note::CallStarted(start) => self.started(start, at_ms),
            Note::CallAnswered { call } => {
                metrics::counter!("campanile_calls_answered_total").increment(1);
                self.event(&call.to_string(), at_ms, What::Answered);
                if let Some(kept) = self.calls.get_mut(&call) {
                    if !kept.answered {
                        self.metrics.answered(kept.direction, at_ms);
                    }
                    kept.answered = true;
                    kept.open.answered_ms = Some(at_ms);
                    if kept.recorded {
                        let result = self.spool.keep_open(&kept.open);
                        report("an open call", result);
                    }
                }
            }
            Note::CallEnded { call, ending, .. } => {
                let Some(kept) = self.calls.remove(&call) else {
                    return;
                };
                self.legs.remove(&kept.leg);
                self.metrics
                    .ended(kept.direction, kept.answered, &ending, at_ms);
                self.event(&call.to_string(), at_ms, ended(&ending));
                metrics::counter!("campanile_calls_ended_total", "side" => ending.side.as_str())
                    .increment(1);
                tracing::info!(%call, from = %kept.open.from_user, ending = %ending.text, side = ending.side.as_str(), "call ended");
                if kept.recorded {
                    self.close(&kept.open, &Closing::Ended(ending), at_ms);
                }
            }
            Note::Denied {
                peer,
                transport,
                why,
            } => {
                let label = why.as_str();
                metrics::counter!("campanile_sip_denied_total", "why" => label).increment(1);
                // Everybody is asked once, and again when a nonce is old: that tells nothing.
                if !matches!(why, Denial::Missing | Denial::Stale) {
                    tracing::warn!(%peer, over = transport.via_name(), %why, "a caller was not believed");
                }
            }
            Note::ForeignMedia { call, source } => {
                tracing::warn!(%call, %source, "media from an address that is not the call's is dropped");
                let what = format!("media from {source} was dropped: not the call's address");
                self.event(&call.to_string(), at_ms, What::Noted { what });
            }
            Note::GaveUp { call, what } => {
                tracing::warn!(?call, what, "gave up");
                if let Some(call) = call {
                    let what = what.to_owned();
                    self.event(&call.to_string(), at_ms, What::GaveUp { what });
                }
            }
            Note::JoinedMeeting {
                call,
                meeting_id,
                attendee_id,
            } => {
                tracing::info!(%call, %meeting_id, %attendee_id, "joined a meeting");
                let event = What::JoinedMeeting {
                    meeting_id,
                    attendee_id,
                };
                self.event(&call.to_string(), at_ms, event);
            }
            other => tracing::info!(event = ?other, "meeting"),
        }
    }

    fn started(&mut self, start: CallStart, at_ms: u64) {
        let CallStart {
            call,
            leg,
            party,
            direction,
        } = start;
        let auth_user = match &party {
            Party::Sip { auth_user, .. } => auth_user.clone(),
            Party::Browser { .. } => None,
        };
        let (party, sip_call_id, from_user, to_user, peer, endpoint, recorded) = match party {
            Party::Sip {
                sip_call_id,
                from_user,
                to_user,
                peer,
                ..
            } => (
                "sip",
                sip_call_id,
                from_user,
                to_user,
                peer,
                peer.ip().to_string(),
                self.settings.call_records,
            ),
            Party::Browser {
                attendee_id,
                external_user_id,
                peer,
            } => (
                "browser",
                String::new(),
                external_user_id,
                String::new(),
                peer,
                attendee_id,
                false,
            ),
        };
        let open = OpenCall {
            transaction_id: call.to_string(),
            sip_call_id: mask::sip_message(sip_call_id.as_bytes(), &self.settings.meet_hosts),
            from_user,
            to_user: mask::user(to_user.split([';', ':']).next().unwrap_or_default()).to_owned(),
            auth_user,
            // Seen from the customer's side, as on a trunk: what it dials is outbound.
            direction: match direction {
                CallDirection::Inbound => "Outbound".to_owned(),
                CallDirection::Outbound => "Inbound".to_owned(),
            },
            started_ms: at_ms,
            answered_ms: None,
        };
        metrics::counter!("campanile_calls_started_total").increment(1);
        tracing::info!(%call, from = %open.from_user, to = %open.to_user, "call started");
        self.metrics.attempted(direction, at_ms);
        let event = What::Started {
            party: party.to_owned(),
            direction: open.direction.clone(),
            sip_call_id: open.sip_call_id.clone(),
            from_user: open.from_user.clone(),
            to_user: open.to_user.clone(),
            peer,
        };
        self.event(&open.transaction_id, at_ms, event);
        self.legs.insert(leg, call);
        let endpoint_id = endpoint_name(&endpoint);
        if recorded {
            let result = self.spool.keep_open(&open);
            report("an open call", result);
        }
        self.calls.insert(
            call,
            Kept {
                open,
                endpoint_id,
                leg,
                recorded,
                direction,
                answered: false,
                counted: CountedLoss::default(),
            },
        );
    }

    fn sip_message(&mut self, call: Option<TransactionId>, bytes: &[u8], at_ms: u64) {
        let line = SipLine {
            voice_connector_id: &self.settings.connector_id,
            aws_region: &self.settings.region,
            event_timestamp: at_ms,
            call_id: call.map(|call| call.to_string()),
            sip_message: &mask::sip_message(bytes, &self.settings.meet_hosts),
        };
        let group = format!(
            "/aws/ChimeVoiceConnectorSipMessages/{}",
            self.settings.connector_id
        );
        let result = self.logs.append(&group, at_ms, &line);
        report("a SIP message", result);
    }

    fn sample(&mut self, sample: &Sample, at_ms: u64) {
        if !sample.ledger.balances() {
            tracing::error!(leg = ?sample.leg, ledger = ?sample.ledger, "the ledger of a leg does not balance");
        }
        let Some(kept) = self
            .legs
            .get(&sample.leg)
            .and_then(|call| self.calls.get_mut(call))
        else {
            tracing::warn!(leg = ?sample.leg, "a sample of a leg that belongs to no call");
            return;
        };
        self.metrics.sample(sample, &mut kept.counted, at_ms);
        if !self.settings.media_metrics {
            return;
        }
        let call_id = kept.open.transaction_id.clone();
        let kept = &*kept;
        let whose = Whose {
            connector_id: &self.settings.connector_id,
            region: &self.settings.region,
            call_id: &kept.open.transaction_id,
            from_user: &kept.open.from_user,
            to_user: &kept.open.to_user,
            endpoint_id: &kept.endpoint_id,
        };
        let group = format!("/aws/ChimeVoiceConnectorLogs/{}", whose.connector_id);
        let result = self
            .logs
            .append(&group, at_ms, &MetricLine::of_party(whose, sample, at_ms));
        report("a metric line", result);
        let group = format!("/campanile/VideoMetricLogs/{}", whose.connector_id);
        for video in &sample.video {
            let line = VideoLine {
                voice_connector_id: whose.connector_id,
                event_timestamp: at_ms,
                call_id: whose.call_id,
                endpoint_id: whose.endpoint_id,
                aws_region: whose.region,
                stream_id: video.stream.0,
                direction: if video.received { "cust2vc" } else { "vc2cust" },
                rtp_packets: video.packets,
                rtp_bytes: video.bytes,
                packets_lost: video.packets_lost,
                key_frames: video.key_frames,
                key_frame_requests: video.key_frame_requests,
            };
            let result = self.logs.append(&group, at_ms, &line);
            report("a video metric line", result);
        }
        let minute = Box::new(MediaMinute::of(sample));
        self.event(&call_id, at_ms, What::Media(minute));
    }

    /// Writes down what happened to a call.
    fn event(&mut self, call_id: &str, at_ms: u64, event: What) {
        let line = CallEvent {
            voice_connector_id: self.settings.connector_id.clone(),
            aws_region: self.settings.region.clone(),
            event_timestamp: at_ms,
            call_id: call_id.to_owned(),
            event,
        };
        let group = format!("/campanile/CallEvents/{}", self.settings.connector_id);
        let result = self.logs.append(&group, at_ms, &line);
        report("a call event", result);
    }

    /// Writes a call's record into the spool; delivery follows.
    fn close(&mut self, open: &OpenCall, closing: &Closing, ended_ms: u64) {
        let writer = Writer {
            account_id: &self.settings.account_id,
            connector_id: &self.settings.connector_id,
            region: &self.settings.region,
        };
        let record = CallRecord::new(open, writer, closing, ended_ms);
        let body = match serde_json::to_string(&record) {
            Ok(body) => body,
            Err(error) => return report("a call record", Err(error.into())),
        };
        let ready = Ready {
            transaction_id: open.transaction_id.clone(),
            bucket: None,
            key: key(&self.settings.connector_id, &open.transaction_id, ended_ms),
            body,
        };
        let result = self.spool.make_ready(&ready);
        let kept = result.is_ok();
        report("a call record", result);
        self.delivery.deliver(Waiting {
            transaction_id: ready.transaction_id,
            bucket: ready.bucket,
            key: ready.key,
            body: (!kept).then_some(ready.body),
        });
    }
}

fn ended(ending: &Ending) -> What {
    What::Ended {
        side: ending.side.as_str().to_owned(),
        cause: format!("{:?}", ending.cause),
        sip_status: ending.sip_status,
        q850: ending.q850,
        text: ending.text.clone(),
    }
}

fn report(what: &str, result: io::Result<()>) {
    if let Err(error) = result {
        tracing::error!(%error, "cannot write {what}");
    }
}

/// An opaque name of the other end: equal for equal ends.
fn endpoint_name(end: &str) -> String {
    let hash = digest::digest(&digest::SHA256, end.as_bytes());
    hash.as_ref()
        .iter()
        .take(8)
        .map(|b| format!("{b:02x}"))
        .collect()
}

fn millis(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as u64)
}

/// What is known of the end of a call whose process stopped without a word.
const INTERRUPTED: &str = "the server stopped during the call";
/// How long the thread waits before it looks at its timers.
const TURN: Duration = Duration::from_secs(1);
/// How exact the end of a call is whose process was killed.
const ALIVE_EVERY: Duration = Duration::from_secs(2);
