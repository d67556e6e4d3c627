//! Offer and answer with SIP parties (RFC 3264): which audio, where to, how protected.
//!
//! An [`Agreement`] lives as long as its call. It answers offers, makes ours, and remembers what must stay the
//! same between them: origin, version, keys, the number and order of media sections.

mod choose;
mod reach;
mod rules;
mod security;
mod write;

use std::net::IpAddr;

use rand::RngExt;
use rand::rngs::StdRng;
use wire::plan::{
    AudioFormat, AudioPlan, Connectivity, Direction, ExtensionIds, LegPlan, LocalMedia, SdesKey,
};
use wire::sdp::{Media, MediaKind, Origin, Section, Session, Setup};

use super::rtcp;
pub use choose::Offer;
use choose::{Chosen, codec_of, formats_of, opus_wishes, packet_ms};
use reach::Reach;
pub use rules::{Keying, Refusal, Rules, SrtpPolicy};
use security::Security;

/// What was agreed with one SIP party, and what is being agreed. A call that forks has a copy for each branch.
#[derive(Clone, Debug)]
pub struct Agreement {
    rules: Rules,
    srtp: SrtpPolicy,
    session_id: u64,
    version: u64,
    /// Our latest description, offer or answer, without its origin.
    described: Option<Session>,
    /// Our offer that waits for its answer.
    offered: Option<Offered>,
    /// What protects the session; `None` before the first agreement.
    security: Option<Security>,
    /// Where signaling comes from.
    peer: Option<IpAddr>,
}

#[derive(Clone, Debug)]
struct Offered {
    description: Session,
    /// The key of each crypto line, by tag.
    keys: Vec<(u32, SdesKey)>,
}

impl Agreement {
    /// Nothing agreed yet.
    #[must_use]
    pub fn new(rules: Rules, srtp: SrtpPolicy, random: &mut StdRng) -> Self {
        Self {
            rules,
            srtp,
            // 62 bits: some devices read these numbers as signed.
            session_id: random.random::<u64>() >> 2,
            version: 1,
            described: None,
            offered: None,
            security: None,
            peer: None,
        }
    }

    /// Notes where signaling comes from: behind a NAT, media most likely does too.
    pub fn set_peer(&mut self, address: IpAddr) {
        self.peer = Some(address.to_canonical());
    }

    /// Reads an offer and chooses from it. Changes nothing.
    ///
    /// # Errors
    /// [`Refusal`] when nothing in it can be agreed to.
    pub fn consider(&self, body: &[u8]) -> Result<Offer, Refusal> {
        let session = Session::parse(body).map_err(|_| Refusal::Unreadable)?;
        Offer::choose(session, &self.rules, self.srtp)
    }

    /// Answers an offer: the body of the answer and what it means for media.
    ///
    /// # Errors
    /// [`Refusal`]; then everything stays as it was.
    pub fn answer(
        &mut self,
        offer: &Offer,
        local: &LocalMedia,
        random: &mut StdRng,
    ) -> Result<(Vec<u8>, LegPlan), Refusal> {
        let section = offer.section().ok_or(Refusal::NoAudio)?;
        let chosen = &offer.chosen;
        let security = Security::answering(self.security.as_ref(), &chosen.security, random);
        let mut description = write::blank(local);
        let mut audio = self.audio_answer(chosen, section, local);
        security.describe(&mut audio, &chosen.security, local)?;
        chosen.reach.describe(&mut description, &mut audio, local);
        for (index, media) in offer.session.media.iter().enumerate() {
            description.media.push(if index == chosen.index {
                audio.clone()
            } else {
                media.declined()
            });
        }
        bundle(&offer.session, &audio, &mut description);
        let mux = section.media.attributes.rtcp_mux();
        let plan = plan_of(
            section,
            chosen
                .reach
                .connectivity(section, local.ice.is_some(), mux, self.peer),
            &security,
            AudioPlan {
                direction: section.direction().reversed(),
                send: chosen.format,
                receive: vec![chosen.format],
                telephone_events: chosen.events.clone(),
                redundancy: None,
                comfort_noise: chosen.comfort_noise,
            },
            mux,
        );
        self.security = Some(security);
        self.offered = None;
        Ok((self.render(description, local), plan))
    }

    /// Makes an offer: the first by our rules, a later one as the session stands. Replaces an unanswered one.
    pub fn offer(&mut self, local: &LocalMedia, random: &mut StdRng) -> Vec<u8> {
        let (description, keys) = match &self.described {
            Some(described) => self.offer_again(described.clone()),
            None => self.offer_first(local, random),
        };
        let body = self.render(description.clone(), local);
        self.offered = Some(Offered { description, keys });
        body
    }

    /// Takes the answer to our offer.
    ///
    /// # Errors
    /// [`Refusal`]; then what was agreed before stays.
    pub fn take_answer(&mut self, body: &[u8]) -> Result<LegPlan, Refusal> {
        if body.is_empty() {
            return Err(Refusal::Missing);
        }
        let answer = Session::parse(body).map_err(|_| Refusal::Unreadable)?;
        let offered = self.offered.as_ref().ok_or(Refusal::BadAnswer)?;
        if answer.media.len() != offered.description.media.len() {
            return Err(Refusal::BadAnswer);
        }
        let (ours, section) = offered
            .description
            .media
            .iter()
            .zip(answer.sections())
            .find(|(ours, _)| ours.kind == MediaKind::Audio && ours.port != 0)
            .ok_or(Refusal::BadAnswer)?;
        if section.is_declined() || section.media.kind != MediaKind::Audio {
            return Err(Refusal::NoAudio);
        }
        if ours.protocol.is_secure() != section.media.protocol.is_secure() {
            return Err(Refusal::BadAnswer);
        }
        let security = Security::settled(
            self.security.as_ref(),
            ours,
            &offered.keys,
            section,
            self.srtp,
        )?;
        let audio = audio_of_answer(&self.rules, ours, section)?;
        let mux = ours.attributes.rtcp_mux() && section.media.attributes.rtcp_mux();
        let ice = ours.attributes.ice_ufrag().is_some();
        let connectivity = Reach::of(section).connectivity(section, ice, mux, self.peer);
        let plan = plan_of(section, connectivity, &security, audio, mux);
        self.security = Some(security);
        self.offered = None;
        Ok(plan)
    }

    fn audio_answer(&self, chosen: &Chosen, section: Section<'_>, local: &LocalMedia) -> Media {
        let offered = section.media;
        let mut media = write::audio(
            local,
            offered.protocol.clone(),
            &[chosen.format],
            &chosen.events,
            chosen.comfort_noise,
            &self.rules,
        );
        media
            .attributes
            .add_direction(section.direction().reversed());
        if let Some(mid) = offered.attributes.mid() {
            media.attributes.add("mid", mid);
        }
        if offered.attributes.rtcp_mux() {
            media.attributes.flag("rtcp-mux");
        } else {
            write::rtcp(&mut media, local);
        }
        rtcp::answer(section, &mut media);
        media
    }

    fn offer_first(
        &self,
        local: &LocalMedia,
        random: &mut StdRng,
    ) -> (Session, Vec<(u32, SdesKey)>) {
        let formats = formats_of(&self.rules);
        let mut clocks: Vec<u32> = formats.iter().map(|f| f.codec.rtp_clock()).collect();
        clocks.sort_unstable();
        clocks.dedup();
        let events = write::own_events(&clocks);
        let mut description = write::blank(local);
        let mut media = write::audio(
            local,
            write::offered_protocol(self.srtp, self.rules.keying),
            &formats,
            &events,
            // Its static type; a dynamic one would be another clock's.
            formats
                .iter()
                .any(|format| format.codec.rtp_clock() == 8_000)
                .then_some(13),
            &self.rules,
        );
        media.attributes.add_direction(Direction::SendRecv);
        write::rtcp(&mut media, local);
        let mut keys: Vec<(u32, SdesKey)> = Vec::new();
        match (self.srtp, self.rules.keying) {
            (SrtpPolicy::Off, _) => {}
            (_, Keying::Dtls) => {
                // One association for both; who wants two says so by leaving it out.
                media.attributes.flag("rtcp-mux");
                // Without a certificate of ours the section goes out as it is, and no answer can settle it.
                let _ = security::certificate(&mut media, Setup::ActPass, local);
            }
            (_, Keying::Sdes) => {
                for (tag, &profile) in (1..).zip(&self.rules.suites) {
                    let key = security::fresh_key(profile, random);
                    security::crypto(&mut media, tag, &key);
                    keys.push((tag, key));
                }
            }
        }
        description.media.push(media);
        (description, keys)
    }

    /// The session as it stands (RFC 3261 §14.2), both directions open again.
    fn offer_again(&self, mut described: Session) -> (Session, Vec<(u32, SdesKey)>) {
        let mut keys = Vec::new();
        let audio = described
            .media
            .iter_mut()
            .find(|media| media.kind == MediaKind::Audio && media.port != 0);
        if let Some(media) = audio {
            // What is as it shall be stays in its place: a moved line would be a changed description.
            if media.attributes.direction() != Some(Direction::SendRecv) {
                for name in ["sendrecv", "sendonly", "recvonly", "inactive"] {
                    media.attributes.remove(name);
                }
                media.attributes.add_direction(Direction::SendRecv);
            }
            match &self.security {
                Some(Security::Sdes { local, .. }) => {
                    let lines = media.attributes.cryptos();
                    let tag = lines.first().map_or(1, |line| line.tag);
                    let same = |key: &wire::sdp::CryptoKey| key.key_salt == local.key_salt;
                    if lines.len() != 1 || !lines.iter().all(|line| line.keys.iter().all(same)) {
                        // Of the lines that were offered only the agreed one is left.
                        media.attributes.remove("crypto");
                        security::crypto(media, tag, local);
                    }
                    keys.push((tag, local.clone()));
                }
                // An offer leaves the roles open, also when they are settled (RFC 8842 §5.2).
                Some(Security::Dtls { .. }) if media.attributes.setup() != Some(Setup::ActPass) => {
                    media.attributes.remove("setup");
                    media.attributes.add("setup", Setup::ActPass);
                }
                _ => {}
            }
        }
        (described, keys)
    }

    /// The text, with an origin whose version grows only when something else changed (RFC 3264 §8).
    fn render(&mut self, description: Session, local: &LocalMedia) -> Vec<u8> {
        if self
            .described
            .as_ref()
            .is_some_and(|described| *described != description)
        {
            self.version += 1;
        }
        let mut whole = description.clone();
        whole.origin = Some(Origin::new(self.session_id, self.version, local.rtp.ip()));
        self.described = Some(description);
        whole.to_string().into_bytes()
    }
}

/// What an answer agrees to: its formats are what we send, ours of the same codecs what may arrive.
fn audio_of_answer(
    rules: &Rules,
    ours: &Media,
    section: Section<'_>,
) -> Result<AudioPlan, Refusal> {
    let offered = ours.codecs();
    let answered = section.media.codecs();
    let ptime = |codec| packet_ms(codec, section.ptime(), section.maxptime());
    let mut send = None;
    let mut receive = Vec::new();
    for map in &answered {
        let Some(codec) = codec_of(map).filter(|codec| rules.codecs.contains(codec)) else {
            continue;
        };
        let Some(mine) = offered.iter().find(|own| codec_of(own) == Some(codec)) else {
            continue;
        };
        let (max_bitrate, inband_fec) = opus_wishes(codec, section.media, map.payload_type);
        let format = AudioFormat {
            codec,
            payload_type: map.payload_type,
            ptime_ms: ptime(codec),
            max_bitrate,
            inband_fec,
        };
        send = send.or(Some(format));
        receive.push(AudioFormat {
            payload_type: mine.payload_type,
            ..format
        });
    }
    let send = send.ok_or(Refusal::NoCodec)?;
    Ok(AudioPlan {
        direction: section.direction().reversed(),
        send,
        receive,
        telephone_events: choose::events_of(&answered, send.codec.rtp_clock()),
        redundancy: None,
        comfort_noise: choose::comfort_noise_of(&answered, send.codec)
            .filter(|noise| offered.iter().any(|own| own.payload_type == *noise)),
    })
}

/// The section that we answer is the only one of its bundle, where it was offered in one (RFC 9143 §7.3).
fn bundle(offer: &Session, answered: &Media, description: &mut Session) {
    if let (Some(mids), Some(mid)) = (offer.attributes.bundle(), answered.attributes.mid())
        && mids.iter().any(|other| other == mid)
    {
        description.attributes.add("group", format!("BUNDLE {mid}"));
    }
}

fn plan_of(
    section: Section<'_>,
    connectivity: Connectivity,
    security: &Security,
    audio: AudioPlan,
    rtcp_mux: bool,
) -> LegPlan {
    LegPlan {
        connectivity,
        protection: security.protection(),
        rtcp_mux,
        rtcp: rtcp::features(section),
        audio: Some(audio),
        video_receive: Vec::new(),
        video_send: Vec::new(),
        extensions: ExtensionIds::default(),
    }
}

#[cfg(test)]
mod tests;
