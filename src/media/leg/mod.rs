//! One media session: path, protection, reception, sending and figures joined.
//!
//! [`Leg`] is what the engine keeps of each party. Its parts: `link` (sockets, path, keys), `handshake` (DTLS), `audio`,
//! `video`, `inbound` (what a datagram does), `outbound` (media that leaves), `reports` (RTCP out), `extended` (its
//! extended reports), `company` (who else is in the session), `figures` (samples).

mod audio;
mod company;
mod event;
mod extended;
mod figures;
mod handshake;
mod inbound;
mod link;
mod outbound;
mod reports;
mod surroundings;
mod video;

use std::time::Instant;

use rand::RngExt;
use wire::plan::{
    ExtensionIds, Fingerprint, IceCredentials, LegId, LegPlan, MediaEvent, MediaLoss, Protection,
    RtcpFeatures, StreamId,
};

use crate::codec::FRAME;
use crate::guard::dtls::{Identity, PeerKind};
use crate::measure::ledger::{Consumed, Dropped, Ledger, Sent};
use crate::mix::SharedEncoders;
use crate::send::outbox::SocketId;
use crate::send::reports::ReportTimer;
use company::Company;
use extended::Reference;
use figures::Figures;
use handshake::{Outcome, Secured};
use link::{Component, Guard, Link, Rekeyed};

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
    /// Where every datagram of this leg went.
    ledger: Ledger,
    reports: Option<ReportTimer>,
    rtcp: RtcpFeatures,
    company: Company,
    /// A reference time of the other side that waits to be echoed.
    reference: Option<Reference>,
    /// The last authentic packet, or the moment since which one may be expected.
    last_packet: Instant,
    told_connected: bool,
    told_lost: bool,
    /// Kept out of the mix.
    muted: bool,
    /// Decoded audio comes out as events.
    tapped: bool,
}

impl Leg {
    /// A leg on a pair of sockets of its own.
    pub(crate) fn phone(
        now: Instant,
        id: LegId,
        (rtp, rtcp): (SocketId, SocketId),
        credentials: IceCredentials,
        ssrc: u32,
        cname: String,
    ) -> Self {
        Self::on(now, id, Link::pair(rtp, rtcp, credentials), ssrc, cname)
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
            ledger: Ledger::new(),
            reports: None,
            rtcp: RtcpFeatures::default(),
            company: Company::default(),
            reference: None,
            last_packet: now,
            told_connected: false,
            told_lost: false,
            muted: false,
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
        match self.link.configure(now, &plan) {
            Err(_) => {
                self.lose(around, MediaLoss::HandshakeFailed);
                return;
            }
            Ok(Rekeyed::Yes) => self.renumber(around),
            Ok(Rekeyed::No) => {}
        }
        if let Protection::Dtls {
            active,
            remote_fingerprint,
        } = &plan.protection
        {
            self.associate(now, identity, *active, remote_fingerprint);
        }
        self.extensions = plan.extensions;
        self.rtcp = plan.rtcp;
        let received = self.receives();
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
        if self.receives() != received {
            // What is expected has changed; the time without it counts anew.
            self.last_packet = now;
        }
        self.configure_video(now, plan.video_receive, plan.video_send, around);
        self.figures.start(now);
        if self.reports.is_none() {
            self.reports = Some(ReportTimer::new(now, &self.session(now), &mut around.rng));
            self.last_packet = now;
        }
        self.drive_handshakes(now, around);
    }

    /// Begins what DTLS needs, unless it is the association that there is.
    fn associate(&mut self, now: Instant, identity: &Identity, active: bool, remote: &Fingerprint) {
        if !matches!(&self.link.guard, Guard::Dtls { rtp, .. } if rtp.is_for(remote)) {
            let kind = if self.link.own_sockets().is_some() {
                PeerKind::Device
            } else {
                PeerKind::Browser
            };
            let fresh = || Box::new(Secured::new(now, kind, active, remote.clone()));
            let rtcp = self.link.has_rtcp_port().then(fresh);
            self.link.guard = Guard::Dtls { rtp: fresh(), rtcp };
        }
        for component in [Component::Rtp, Component::Rtcp] {
            let to = self.link.destination(component);
            let on_ice = self.link.ice_path(component).is_some();
            if let Some(secured) = self.secured(component)
                && !secured.has_begun()
            {
                match (on_ice, secured.is_active(), to) {
                    // A passive side waits from now on; an active one needs somewhere to send to.
                    (true, false, _) | (true, true, Some(_)) => secured.begin(now, identity, None),
                    (false, true, Some(to)) => secured.begin(now, identity, Some(to)),
                    _ => {}
                }
            }
        }
    }

    /// The DTLS association of a port, where there is one.
    fn secured(&mut self, component: Component) -> Option<&mut Secured> {
        match (&mut self.link.guard, component) {
            (Guard::Dtls { rtp, .. }, Component::Rtp) => Some(rtp),
            (Guard::Dtls { rtcp, .. }, Component::Rtcp) => rtcp.as_deref_mut(),
            _ => None,
        }
    }

    /// What we send goes on under another SSRC, with a rollover counter of 0: so both who keep theirs when keys
    /// change (RFC 3711 §3.3.1) and who begin anew, or are another party altogether, read it.
    fn renumber(&mut self, around: &mut Surroundings) {
        self.ssrc = around.rng.random_range(1..=u32::MAX);
        if let Some(audio) = &mut self.audio {
            audio.renumber(self.ssrc, &mut around.rng);
        }
    }

    /// Whether the agreement lets the other side send audio.
    fn receives(&self) -> bool {
        self.audio
            .as_ref()
            .is_some_and(|audio| audio.plan.direction.receives())
    }

    /// What the leg says is kept out of the mix, or let in again.
    pub(crate) fn set_muted(&mut self, now: Instant, muted: bool) {
        if self.muted != muted {
            self.muted = muted;
            self.last_packet = now;
        }
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

    /// Counts a datagram that was found to be this leg's.
    pub(crate) fn count_in(&mut self, bytes: usize, outcome: Result<Consumed, Dropped>) {
        self.ledger.count_in(bytes, outcome);
    }

    /// Where every datagram of this leg went.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Sockets that are its own.
    pub(crate) fn own_sockets(&self) -> Option<[SocketId; 2]> {
        self.link.own_sockets()
    }

    /// It goes on with the same sockets under other names.
    pub(crate) fn set_own_sockets(&mut self, sockets: [SocketId; 2]) {
        self.link.set_own_sockets(sockets);
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
        let mut due = false;
        for component in [Component::Rtp, Component::Rtcp] {
            due |= self
                .secured(component)
                .is_some_and(|secured| secured.timeout(now));
        }
        if due {
            self.drive_handshakes(now, around);
        }
        self.look_for_silence(now, around);
        self.report_when_due(now, around);
        self.ask_for_key_frames(now, around);
        if self.figures.is_due(now) {
            self.sample(around, false);
        }
    }

    /// Ends the leg: says goodbye, and tells the last sample.
    pub(crate) fn close(&mut self, now: Instant, around: &mut Surroundings) {
        if self.figures.is_started() {
            self.say_goodbye(now, around);
            self.sample(around, true);
        }
        // What an association says about its own end is no loss any more.
        self.told_lost = true;
        for component in [Component::Rtp, Component::Rtcp] {
            if let Some(secured) = self.secured(component) {
                secured.close();
            }
        }
        self.drive_handshakes(now, around);
    }

    fn sample(&mut self, around: &mut Surroundings, last: bool) {
        let sample = self.figures.take(
            self.id,
            last,
            self.audio.as_mut(),
            &mut self.video_in,
            &mut self.video_out,
            &self.ledger,
        );
        around.events.push_back(Event::Sample(Box::new(sample)));
    }

    /// Takes the handshakes as far as they go now.
    fn drive_handshakes(&mut self, now: Instant, around: &mut Surroundings) {
        for component in [Component::Rtp, Component::Rtcp] {
            let way = self.link.destination(component);
            let socket = self.link.socket(component);
            let Some(secured) = self.secured(component) else {
                continue;
            };
            let (mut datagrams, mut octets) = (0, 0);
            let outcome = secured.drive(|peer, datagram| {
                // Without a destination it is repeated when there is one.
                if let Some(to) = peer.or(way)
                    && around.outbox.push(socket, to, datagram)
                {
                    datagrams += 1;
                    octets += datagram.len();
                    around.ledger.count_out(Sent::Dtls, datagram.len());
                }
            });
            for at in 0..datagrams {
                self.ledger
                    .count_out(Sent::Dtls, if at == 0 { octets } else { 0 });
            }
            match outcome {
                Some(Outcome::Connected(source)) => {
                    if let (Some(path), Some(source)) = (self.link.static_path(component), source) {
                        // It has shown the certificate: as good as an authentic packet.
                        path.good_packet(now, source);
                    }
                    if component == Component::Rtp {
                        self.last_packet = now;
                        self.connect(around);
                    }
                }
                Some(Outcome::Lost(why)) => self.lose(around, why),
                None => {}
            }
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
        let path = self.link.ice_path(Component::Rtp);
        let can_expire = path.as_ref().is_some_and(|path| path.can_expire());
        if path.is_some_and(|path| path.is_expired(now)) {
            self.lose(around, MediaLoss::PathExpired);
        }
        if !self.figures.is_started() {
            self.last_packet = now;
            return;
        }
        // On hold nothing need come for long, and a device whose party we muted may stop sending too. Where the
        // path itself expires, that tells.
        let silence = now.saturating_duration_since(self.last_packet);
        let limit = match self.receives() && !self.muted {
            true => around.media_timeout,
            false if can_expire => return,
            false => around.held_timeout,
        };
        if silence >= limit {
            self.lose(around, MediaLoss::Silent);
        }
    }
}
