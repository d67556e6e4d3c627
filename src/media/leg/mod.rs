//! One media session: path, protection, reception, sending and figures joined.
//!
//! [`Leg`] is what the engine keeps of each party. Its parts: `link` (sockets, path, keys), `handshake` (DTLS), `audio`,
//! `video`, `inbound` (what a datagram does), `outbound` (media that leaves), `reports` (RTCP out), `figures` (samples).

mod audio;
mod event;
mod figures;
mod handshake;
mod inbound;
mod link;
mod outbound;
mod reports;
mod surroundings;
mod video;

use std::time::Instant;

use wire::plan::{
    ExtensionIds, IceCredentials, LegId, LegPlan, MediaEvent, MediaLoss, Protection, StreamId,
};

use crate::codec::FRAME;
use crate::guard::dtls::{Identity, Output};
use crate::measure::ledger::Sent;
use crate::mix::SharedEncoders;
use crate::send::outbox::SocketId;
use crate::send::reports::ReportTimer;
use figures::Figures;
use handshake::Secured;
use link::{Guard, Link, Route};

pub(crate) use audio::Audio;
pub use event::Event;
pub(crate) use inbound::Received;
pub(crate) use surroundings::Surroundings;
pub(crate) use video::{VideoIn, VideoOut, VideoPacket};

/// One party of a call or meeting.
pub(crate) struct Leg {
    id: LegId,
    cname: String,
    ssrc: u32,
    link: Link,
    audio: Option<Audio>,
    video_in: Vec<VideoIn>,
    video_out: Vec<VideoOut>,
    extensions: ExtensionIds,
    figures: Figures,
    reports: Option<ReportTimer>,
    /// The last authentic packet, or the moment since which one may be expected.
    last_packet: Instant,
    told_connected: bool,
    told_lost: bool,
    /// Decoded audio comes out as events.
    tapped: bool,
}

impl Leg {
    /// A leg on a pair of sockets of its own.
    pub(crate) fn phone(
        now: Instant,
        id: LegId,
        (rtp, rtcp): (SocketId, SocketId),
        ssrc: u32,
        cname: String,
    ) -> Self {
        Self::on(now, id, Link::pair(rtp, rtcp), ssrc, cname)
    }

    /// A leg on the shared socket.
    pub(crate) fn browser(
        now: Instant,
        id: LegId,
        shared: SocketId,
        credentials: IceCredentials,
        ssrc: u32,
        cname: String,
    ) -> Self {
        Self::on(now, id, Link::shared(shared, credentials, now), ssrc, cname)
    }

    fn on(now: Instant, id: LegId, link: Link, ssrc: u32, cname: String) -> Self {
        Self {
            id,
            cname,
            ssrc,
            link,
            audio: None,
            video_in: Vec::new(),
            video_out: Vec::new(),
            extensions: ExtensionIds::default(),
            figures: Figures::default(),
            reports: None,
            last_packet: now,
            told_connected: false,
            told_lost: false,
            tapped: false,
        }
    }

    /// Sets or replaces what was agreed. What a plan cannot have (keys of a wrong length, a codec that cannot be set
    /// up) leaves the leg without that part, which the other side notices as silence.
    pub(crate) fn configure(
        &mut self,
        now: Instant,
        plan: LegPlan,
        identity: &Identity,
        encoders: &mut SharedEncoders,
        around: &mut Surroundings,
    ) {
        if self.link.configure(&plan).is_err() {
            self.lose(around, MediaLoss::HandshakeFailed);
            return;
        }
        if let Protection::Dtls {
            active,
            remote_fingerprint,
        } = &plan.protection
        {
            let same = matches!(&self.link.guard, Guard::Dtls(secured) if secured.is_for(remote_fingerprint));
            if !same {
                let reachable = self.link.rtp_destination().is_some();
                self.link.guard = Guard::Dtls(Box::new(Secured::new(
                    now,
                    identity,
                    *active,
                    remote_fingerprint.clone(),
                    reachable,
                )));
            }
        }
        self.extensions = plan.extensions;
        match (plan.audio, &mut self.audio) {
            (Some(wanted), Some(audio)) => {
                // On an error the old agreement goes on, as documented.
                let _ = audio.configure(wanted, encoders);
            }
            (Some(wanted), None) => {
                self.audio = Audio::new(now, wanted, self.ssrc, encoders, &mut around.rng).ok();
            }
            (None, Some(audio)) => audio.decline(encoders),
            (None, None) => {}
        }
        self.configure_video(now, plan.video_receive, plan.video_send, around);
        self.figures.start(now);
        if self.reports.is_none() {
            self.reports = Some(ReportTimer::new(now, &mut around.rng));
            self.last_packet = now;
        }
        self.drive_handshake(now, around);
    }

    fn configure_video(
        &mut self,
        now: Instant,
        receive: Vec<wire::plan::VideoReceive>,
        send: Vec<wire::plan::VideoSend>,
        around: &mut Surroundings,
    ) {
        let mut before = std::mem::take(&mut self.video_in);
        for plan in receive {
            let known = before
                .iter()
                .position(|stream| stream.plan.stream == plan.stream);
            self.video_in.push(match known {
                Some(at) => {
                    let mut stream = before.swap_remove(at);
                    stream.plan = plan;
                    stream
                }
                None => VideoIn::new(plan),
            });
        }
        let mut before = std::mem::take(&mut self.video_out);
        for plan in send {
            let known = before.iter().position(|out| out.plan.ssrc == plan.ssrc);
            self.video_out.push(match known {
                Some(at) => {
                    let mut out = before.swap_remove(at);
                    out.set_source(plan.source);
                    out.plan = plan;
                    out
                }
                None => VideoOut::new(now, plan, &mut around.rng),
            });
        }
    }

    /// Its id.
    pub(crate) fn id(&self) -> LegId {
        self.id
    }

    /// Its audio, once agreed.
    pub(crate) fn audio_mut(&mut self) -> Option<&mut Audio> {
        self.audio.as_mut()
    }

    /// Streams that it sends us.
    pub(crate) fn video_in(&mut self) -> &mut [VideoIn] {
        &mut self.video_in
    }

    /// Streams that we send it.
    pub(crate) fn video_out(&self) -> &[VideoOut] {
        &self.video_out
    }

    /// Sockets that are its own.
    pub(crate) fn own_sockets(&self) -> Option<[SocketId; 2]> {
        self.link.own_sockets()
    }

    /// Whether its decoded audio comes out.
    pub(crate) fn is_tapped(&self) -> bool {
        self.tapped
    }

    /// Lets its decoded audio come out, or not.
    pub(crate) fn set_tapped(&mut self, on: bool) {
        self.tapped = on;
    }

    /// A stream that it sends us is wanted from a key frame on.
    pub(crate) fn want_key_frame(&mut self, stream: StreamId) {
        if let Some(video) = self.video_in.iter_mut().find(|v| v.plan.stream == stream) {
            video.requests.want();
        }
    }

    /// A viewer of a stream can show nothing before its next key frame: one is asked for unless that happened
    /// already. Called for every packet that such a viewer is not sent.
    pub(crate) fn await_key_frame(&mut self, stream: StreamId) {
        if let Some(video) = self.video_in.iter_mut().find(|v| v.plan.stream == stream)
            && !video.requests.is_wanted()
        {
            video.requests.want();
        }
    }

    /// Plays 20 ms of what the leg says, and tells them.
    pub(crate) fn heard_by_tap(
        &mut self,
        now: Instant,
        frame: &mut [i16; FRAME],
        around: &mut Surroundings,
    ) {
        if let Some(audio) = &mut self.audio {
            audio.play_out(now, frame);
            around.events.push_back(Event::Heard {
                leg: self.id,
                samples_48k: frame.to_vec(),
            });
        }
    }

    /// Does what is due: handshake, silence, reports, key frame requests, the minute's sample.
    pub(crate) fn tick(&mut self, now: Instant, around: &mut Surroundings) {
        if let Guard::Dtls(secured) = &mut self.link.guard
            && secured.next.is_some_and(|next| now >= next)
        {
            if let Some(handshake) = &mut secured.handshake {
                handshake.timeout(now);
            }
            self.drive_handshake(now, around);
        }
        self.look_for_silence(now, around);
        if let Some(timer) = &mut self.reports
            && timer.is_due(now, &mut around.rng)
        {
            self.send_report(now, around, false);
        }
        self.ask_for_key_frames(now, around);
        if self.figures.is_due(now) {
            self.sample(around, false);
        }
    }

    /// Ends the leg: says goodbye, and tells the last sample.
    pub(crate) fn close(&mut self, now: Instant, around: &mut Surroundings) {
        if self.figures.is_started() {
            self.send_report(now, around, true);
            self.sample(around, true);
        }
        if let Guard::Dtls(secured) = &mut self.link.guard
            && let Some(handshake) = &mut secured.handshake
        {
            handshake.close();
            // What it says about its own end is no loss any more.
            self.told_lost = true;
            self.drive_handshake(now, around);
        }
    }

    fn sample(&mut self, around: &mut Surroundings, last: bool) {
        let sample = self.figures.take(
            self.id,
            last,
            self.audio.as_mut(),
            &mut self.video_in,
            &mut self.video_out,
        );
        around.events.push_back(Event::Sample(Box::new(sample)));
    }

    /// Takes the handshake as far as it goes now.
    fn drive_handshake(&mut self, now: Instant, around: &mut Surroundings) {
        let to = self.link.rtp_destination();
        let socket = self.link.rtp_socket();
        let Guard::Dtls(secured) = &mut self.link.guard else {
            return;
        };
        let Some(handshake) = &mut secured.handshake else {
            return;
        };
        let mut lost = None;
        let mut connected = false;
        let mut buffer = [0; 2048];
        loop {
            match handshake.poll(&mut buffer) {
                Output::Transmit(len) => {
                    // Without a destination it is repeated when there is one.
                    if let (Some(to), Some(datagram)) = (to, buffer.get(..len))
                        && around.outbox.push(socket, to, datagram)
                    {
                        around.ledger.count_out(Sent::Dtls, len);
                    }
                }
                Output::Connected { local, remote } => match link::Keys::new(local, remote) {
                    Ok(keys) => {
                        secured.keys = Some(keys);
                        connected = true;
                    }
                    Err(_) => lost = Some(MediaLoss::HandshakeFailed),
                },
                Output::Failed(why) => lost = Some(why),
                Output::Timeout(next) => {
                    secured.next = next;
                    break;
                }
            }
        }
        if connected {
            self.last_packet = now;
            self.connect(around);
        }
        if let Some(why) = lost {
            self.lose(around, why);
        }
    }

    /// Tells once that media may flow.
    fn connect(&mut self, around: &mut Surroundings) {
        if !self.told_connected {
            self.told_connected = true;
            let event = MediaEvent::Connected { leg: self.id };
            around.events.push_back(Event::Media(event));
        }
    }

    /// Tells once that media ended by itself.
    fn lose(&mut self, around: &mut Surroundings, why: MediaLoss) {
        if !self.told_lost {
            self.told_lost = true;
            let event = MediaEvent::Lost { leg: self.id, why };
            around.events.push_back(Event::Media(event));
        }
    }

    fn look_for_silence(&mut self, now: Instant, around: &mut Surroundings) {
        if let Route::Ice(path) = &self.link.route
            && path.is_expired(now)
        {
            self.lose(around, MediaLoss::PathExpired);
        }
        let receives = self
            .audio
            .as_ref()
            .is_some_and(|audio| audio.plan.direction.receives());
        if !receives || !self.figures.is_started() {
            // On hold nothing is expected; the time counts anew from its end.
            self.last_packet = now;
        } else if now.saturating_duration_since(self.last_packet) >= around.media_timeout {
            self.lose(around, MediaLoss::Silent);
        }
    }
}
