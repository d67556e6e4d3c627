//! Offer and answer with SIP parties (RFC 3264): which audio, where to, how protected.
//!
//! An [`Agreement`] lives as long as its call. It answers offers, makes ours, and remembers what must stay the
//! same between them: origin, version, keys, the number and order of media sections.

mod choose;
mod rules;
mod write;

use rand::RngExt;
use rand::rngs::StdRng;
use wire::plan::{
    AudioFormat, AudioPlan, Connectivity, Direction, ExtensionIds, LegPlan, LocalMedia, Protection,
    SdesKey, SrtpProfile,
};
use wire::sdp::{Media, MediaKind, Origin, Section, Session};

pub use choose::Offer;
use choose::{Chosen, codec_of, crypto_of, formats_of, opus_wishes, packet_ms};
pub use rules::{Refusal, Rules, SrtpPolicy};

/// What was agreed with one SIP party, and what is being agreed.
#[derive(Debug)]
pub struct Agreement {
    rules: Rules,
    srtp: SrtpPolicy,
    session_id: u64,
    version: u64,
    /// Our latest description, offer or answer, without its origin.
    described: Option<Session>,
    /// Our offer that waits for its answer.
    offered: Option<Offered>,
    /// Both keys in use; ours stays as long as theirs does.
    keys: Option<Keys>,
}

#[derive(Clone, Debug)]
struct Keys {
    local: SdesKey,
    remote: SdesKey,
}

#[derive(Debug)]
struct Offered {
    description: Session,
    /// The key of each crypto line, by tag.
    keys: Vec<(u32, SdesKey)>,
}

/// Crypto suites of our offers: first the one that every SRTP device has.
const SUITES: [SrtpProfile; 2] = [SrtpProfile::AesCm128HmacSha1_80, SrtpProfile::AeadAes128Gcm];

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
            keys: None,
        }
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
        let keys = chosen
            .crypto
            .as_ref()
            .map(|(_, remote)| self.keys_for(remote, random));
        let mut description = write::blank(local);
        for (index, media) in offer.session.media.iter().enumerate() {
            description.media.push(if index == chosen.index {
                self.audio_answer(media, chosen, section, keys.as_ref(), local)
            } else {
                media.declined()
            });
        }
        let plan = plan_of(
            section,
            protection(keys.as_ref()),
            AudioPlan {
                direction: section.direction().reversed(),
                send: chosen.format,
                receive: vec![chosen.format],
                telephone_events: chosen.events.clone(),
            },
            section.media.attributes.rtcp_mux(),
        );
        self.keys = keys;
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
        let keys = self.answered_keys(offered, section)?;
        let audio = audio_of_answer(&self.rules, ours, section)?;
        let mux = ours.attributes.rtcp_mux() && section.media.attributes.rtcp_mux();
        let plan = plan_of(section, protection(keys.as_ref()), audio, mux);
        self.keys = keys;
        self.offered = None;
        Ok(plan)
    }

    /// Our key beside theirs: the one in use when theirs is unchanged, else a fresh one (RFC 4568 §7.1.4).
    fn keys_for(&self, remote: &SdesKey, random: &mut StdRng) -> Keys {
        match &self.keys {
            Some(keys) if keys.remote == *remote => keys.clone(),
            _ => Keys {
                local: fresh_key(remote.profile, random),
                remote: remote.clone(),
            },
        }
    }

    fn audio_answer(
        &self,
        offered: &Media,
        chosen: &Chosen,
        section: Section<'_>,
        keys: Option<&Keys>,
        local: &LocalMedia,
    ) -> Media {
        let events = chosen.answered_events();
        let mut media = write::audio(
            local,
            offered.protocol.clone(),
            &[chosen.format],
            &events,
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
        if let (Some((tag, _)), Some(keys)) = (&chosen.crypto, keys) {
            write::crypto(&mut media, *tag, &keys.local);
        }
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
            write::offered_protocol(self.srtp),
            &formats,
            &events,
            &self.rules,
        );
        media.attributes.add_direction(Direction::SendRecv);
        write::rtcp(&mut media, local);
        let keys: Vec<(u32, SdesKey)> = match self.srtp {
            SrtpPolicy::Off => Vec::new(),
            SrtpPolicy::Require | SrtpPolicy::Prefer => (1..)
                .zip(SUITES)
                .map(|(tag, profile)| (tag, fresh_key(profile, random)))
                .collect(),
        };
        for (tag, key) in &keys {
            write::crypto(&mut media, *tag, key);
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
            if let Some(in_use) = &self.keys {
                let lines = media.attributes.cryptos();
                let tag = lines.first().map_or(1, |line| line.tag);
                let same = |key: &wire::sdp::CryptoKey| key.key_salt == in_use.local.key_salt;
                if lines.len() != 1 || !lines.iter().all(|line| line.keys.iter().all(same)) {
                    // Of the lines that were offered only the agreed one is left.
                    media.attributes.remove("crypto");
                    write::crypto(media, tag, &in_use.local);
                }
                keys.push((tag, in_use.local.clone()));
            }
        }
        (described, keys)
    }

    /// The keys that an answer settles: ours of the line whose tag it repeats, theirs from that line.
    fn answered_keys(
        &self,
        offered: &Offered,
        section: Section<'_>,
    ) -> Result<Option<Keys>, Refusal> {
        let settled = section.media.attributes.cryptos().iter().find_map(|line| {
            let (_, local) = offered.keys.iter().find(|(tag, _)| *tag == line.tag)?;
            let remote = crypto_of(line)?;
            (remote.profile == local.profile).then(|| Keys {
                local: local.clone(),
                remote,
            })
        });
        if settled.is_some() {
            return Ok(settled);
        }
        if section.media.protocol.is_secure() {
            return Err(Refusal::NoCrypto);
        }
        if self.srtp == SrtpPolicy::Require || self.keys.is_some() {
            return Err(Refusal::ProtectionRequired);
        }
        Ok(None)
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
    })
}

fn plan_of(
    section: Section<'_>,
    protection: Protection,
    audio: AudioPlan,
    rtcp_mux: bool,
) -> LegPlan {
    let held = section
        .connection()
        .is_some_and(wire::sdp::Connection::is_hold);
    let rtp = section.rtp_addr().filter(|_| !held);
    let named = section.media.attributes.rtcp().is_some() && !rtcp_mux;
    LegPlan {
        connectivity: Connectivity::Static {
            rtp,
            rtcp: section.rtcp_addr().filter(|_| named && rtp.is_some()),
        },
        protection,
        rtcp_mux,
        audio: Some(audio),
        video_receive: Vec::new(),
        video_send: Vec::new(),
        extensions: ExtensionIds::default(),
    }
}

fn protection(keys: Option<&Keys>) -> Protection {
    keys.map_or(Protection::Plain, |keys| Protection::Sdes {
        local: keys.local.clone(),
        remote: keys.remote.clone(),
    })
}

fn fresh_key(profile: SrtpProfile, random: &mut StdRng) -> SdesKey {
    let mut key_salt = vec![0; profile.key_len() + profile.salt_len()];
    random.fill(key_salt.as_mut_slice());
    SdesKey { profile, key_salt }
}

#[cfg(test)]
mod tests;
