//! What one browser sends and what it is shown: the sections of its offers, from one SUBSCRIBE to the next.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;
use rand::rngs::StdRng;
use wire::plan::{LegPlan, LocalMedia, StreamId};
use wire::signal::{
    SdkRemoteVideoUpdateFrame, SdkStreamAllocation, SdkStreamDescriptor, SdkStreamMediaType,
    SdkSubscribeAckFrame, SdkSubscribeFrame, SdkTrackMapping, SdkVideoSubscriptionConfiguration,
};

use super::caps;
use crate::meeting::{Capabilities, Meeting, VideoMax, Wish};
use crate::negotiate::browser::{Offer, OfferedRid, Section, Terms, VideoUse};

/// The most simulcast layers that are given numbers.
const MAX_LAYERS: usize = 3;
/// Why a camera is refused.
const NO_ROOM: &str = "as many send video as can";
/// Why a camera is refused or stopped.
pub(crate) const MAY_NOT_SEND: &str = "this attendee may not send video";
/// The number that no stream has.
const NOTHING: StreamId = StreamId(0);

/// Video sections of one leg.
#[derive(Debug)]
pub(crate) struct Stage {
    session_id: u64,
    version: u64,
    /// What each section shows, by mid.
    shown: BTreeMap<String, Shown>,
    /// Streams that the client paused.
    paused: BTreeSet<StreamId>,
    /// As answered last.
    plan: Option<LegPlan>,
}

#[derive(Clone, Debug)]
struct Shown {
    source: StreamId,
    ssrc: u32,
    label: String,
    /// The client gave up this subscription, but not the section.
    hidden: bool,
}

/// Whose stage it is, and in which meeting.
pub(crate) struct Viewer<'a> {
    pub(crate) attendee_id: &'a str,
    pub(crate) content: bool,
    pub(crate) may: Capabilities,
    pub(crate) local: &'a LocalMedia,
}

/// An answered SUBSCRIBE.
pub(crate) struct Subscribed {
    pub(crate) plan: LegPlan,
    pub(crate) ack: SdkSubscribeAckFrame,
    /// It wanted to send video and may not: why.
    pub(crate) refused: Option<&'static str>,
}

impl Stage {
    pub(crate) fn new(random: &mut StdRng) -> Self {
        Self {
            // At most 63 bits: it is a numeric string that implementations read as signed.
            session_id: random.random::<u64>() >> 1,
            version: 0,
            shown: BTreeMap::new(),
            paused: BTreeSet::new(),
            plan: None,
        }
    }

    /// Answers an offer: allots stream numbers to what the client sends, and SSRCs to what it is shown.
    pub(crate) fn subscribe(
        &mut self,
        random: &mut StdRng,
        meeting: &mut Meeting,
        viewer: &Viewer<'_>,
        offer: &Offer,
        wish: &SdkSubscribeFrame,
    ) -> Subscribed {
        let (sending, allocations, refused) = send(meeting, viewer, offer, wish);

        let mut video = Vec::new();
        let mut tracks = Vec::new();
        let mut shown = BTreeMap::new();
        for (index, section) in offer.video_sections().enumerate() {
            let purpose = match &sending {
                Some((at, purpose)) if *at == index => purpose.clone(),
                _ => match wanted(meeting, viewer, wish, index, section) {
                    Some(source) => {
                        let slot = self.slot(random, viewer, &shown, &section.mid, source);
                        tracks.push(SdkTrackMapping {
                            stream_id: Some(source.0),
                            ssrc: Some(slot.ssrc),
                            track_label: Some(slot.label.clone()),
                        });
                        let purpose = VideoUse::Send {
                            source,
                            ssrc: slot.ssrc,
                            label: slot.label.clone(),
                        };
                        shown.insert(section.mid.clone(), slot);
                        purpose
                    }
                    None => VideoUse::Idle,
                },
            };
            video.push(purpose);
        }
        self.shown = shown;
        let visible: BTreeSet<StreamId> = self.shown.values().map(|slot| slot.source).collect();
        self.paused.retain(|stream| visible.contains(stream));

        self.version += 1;
        let answer = offer.answer(&Terms {
            local: viewer.local,
            session_id: self.session_id,
            version: self.version,
            video: &video,
            codecs: meeting.common_codecs(),
        });
        let plan = self.as_wanted(&answer.plan, meeting, viewer.attendee_id);
        self.plan = Some(answer.plan);
        Subscribed {
            plan,
            ack: SdkSubscribeAckFrame {
                duplex: wish.duplex,
                allocations,
                sdp_answer: Some(answer.sdp),
                tracks,
                compressed_sdp_answer: None,
            },
            refused,
        }
    }

    /// The client pauses or resumes streams it is shown. Returns the plan when it changes.
    pub(crate) fn pause(
        &mut self,
        meeting: &Meeting,
        attendee_id: &str,
        streams: &[u32],
        groups: &[u32],
        paused: bool,
    ) -> Option<LegPlan> {
        let of_groups = groups
            .iter()
            .filter_map(|group| meeting.visible_of_group(attendee_id, *group))
            .map(|source| source.stream);
        let named: BTreeSet<StreamId> = streams
            .iter()
            .map(|stream| StreamId(*stream))
            .chain(of_groups)
            .collect();
        let mut changed = false;
        for slot in self.shown.values() {
            if named.contains(&slot.source) {
                changed |= if paused {
                    self.paused.insert(slot.source)
                } else {
                    self.paused.remove(&slot.source)
                };
            }
        }
        self.plan_now(meeting, attendee_id).filter(|_| changed)
    }

    /// The client wants something else in sections that it has, without a new offer. Returns the plan when it
    /// changes. Of what it says only the stream counts as yet: there are no layers to choose from.
    pub(crate) fn update(
        &mut self,
        meeting: &Meeting,
        attendee_id: &str,
        update: &SdkRemoteVideoUpdateFrame,
    ) -> Option<LegPlan> {
        let mut changed = false;
        for wanted in &update.added_or_updated_video_subscriptions {
            let Some(source) = configured(meeting, attendee_id, wanted) else {
                continue;
            };
            if let Some(slot) = self.shown.get_mut(&wanted.mid) {
                changed |= slot.hidden || slot.source != source;
                slot.hidden = false;
                slot.source = source;
            }
        }
        for mid in &update.removed_video_subscription_mids {
            if let Some(slot) = self.shown.get_mut(mid) {
                changed |= !slot.hidden;
                slot.hidden = true;
            }
        }
        self.plan_now(meeting, attendee_id).filter(|_| changed)
    }

    /// The same section and stream keep their SSRC; everything else gets a new one, because a client would take
    /// a known SSRC in another section for the old track.
    fn slot(
        &self,
        random: &mut StdRng,
        viewer: &Viewer<'_>,
        taken: &BTreeMap<String, Shown>,
        mid: &str,
        source: StreamId,
    ) -> Shown {
        if let Some(slot) = self.shown.get(mid).filter(|slot| slot.source == source) {
            return Shown {
                hidden: false,
                ..slot.clone()
            };
        }
        let is_free = |ssrc: u32| {
            ssrc != 0
                && ssrc != viewer.local.audio_ssrc
                && self
                    .shown
                    .values()
                    .chain(taken.values())
                    .all(|slot| slot.ssrc != ssrc)
        };
        let mut ssrc = random.random::<u32>();
        while !is_free(ssrc) {
            ssrc = ssrc.wrapping_add(1);
        }
        Shown {
            source,
            ssrc,
            label: format!("video-{ssrc:08x}"),
            hidden: false,
        }
    }

    /// What was agreed on last, with what is wanted and allowed now.
    pub(crate) fn plan_now(&self, meeting: &Meeting, attendee_id: &str) -> Option<LegPlan> {
        let full = self.plan.as_ref()?;
        Some(self.as_wanted(full, meeting, attendee_id))
    }

    /// The plan with what each section shows now. What is paused, given up or not allowed stays in it and carries
    /// nothing, so that its sequence numbers go on when it is wanted again: a receiver would take others for a replay.
    /// What is sent and is no stream of the meeting any more is not taken.
    fn as_wanted(&self, full: &LegPlan, meeting: &Meeting, attendee_id: &str) -> LegPlan {
        let mut plan = full.clone();
        plan.video_receive.retain(|receive| {
            meeting
                .video_of(attendee_id)
                .any(|source| source.stream == receive.stream)
        });
        for send in &mut plan.video_send {
            let wanted = self.shown.get(&send.mid).filter(|slot| {
                !slot.hidden
                    && !self.paused.contains(&slot.source)
                    && meeting.visible(attendee_id, slot.source).is_some()
            });
            send.source = wanted.map_or(NOTHING, |slot| slot.source);
        }
        plan
    }
}

/// Takes what the client sends into the meeting. Returns the section and what it is for, the numbers given, and
/// whether video was refused for want of room.
fn send(
    meeting: &mut Meeting,
    viewer: &Viewer<'_>,
    offer: &Offer,
    wish: &SdkSubscribeFrame,
) -> (
    Option<(usize, VideoUse)>,
    Vec<SdkStreamAllocation>,
    Option<&'static str>,
) {
    let described: Vec<&SdkStreamDescriptor> = wish
        .send_streams
        .iter()
        .filter(|stream| stream.media_type == Some(SdkStreamMediaType::Video.into()))
        .take(MAX_LAYERS)
        .collect();
    let section = offer
        .video_sections()
        .enumerate()
        .find(|(_, section)| !section.stopped && section.direction.sends() && section.has_video());
    let allowed = if viewer.content {
        viewer.may.content.sends()
    } else {
        viewer.may.video.sends() && meeting.info().video_max != VideoMax::None
    };
    let sends_already = meeting.video_of(viewer.attendee_id).next().is_some();
    let no_room = !viewer.content && !sends_already && meeting.video_is_full();
    let (Some((index, section)), false, true, false) =
        (section, described.is_empty(), allowed, no_room)
    else {
        meeting.stop_video(viewer.attendee_id);
        let wanted_to = section.is_some() && !described.is_empty();
        let why = if allowed { NO_ROOM } else { MAY_NOT_SEND };
        return (None, Vec::new(), wanted_to.then_some(why));
    };

    let cap = if viewer.content {
        caps::content_bps()
    } else {
        let cameras = meeting.cameras() + usize::from(!sends_already);
        caps::camera_bps(meeting.info().video_max, cameras)
    };
    let (layer, rid) = layer(&described, section.rids());
    let wishes: Vec<Wish> = described
        .iter()
        .enumerate()
        .map(|(index, stream)| Wish {
            max_kbps: match stream.max_bitrate_kbps {
                None | Some(0) => cap / 1000,
                Some(kbps) => kbps.min(cap / 1000),
            },
            framerate: stream.framerate.unwrap_or(15),
            live: index == layer,
        })
        .collect();
    meeting.send_video(viewer.attendee_id, &wishes);

    let allocations: Vec<SdkStreamAllocation> = meeting
        .video_of(viewer.attendee_id)
        .zip(&described)
        .map(|(source, stream)| SdkStreamAllocation {
            track_label: Some(stream.track_label.clone().unwrap_or_default()),
            stream_id: Some(source.stream.0),
            group_id: Some(source.group),
        })
        .collect();
    let live = meeting
        .video_of(viewer.attendee_id)
        .find(|source| source.live);
    let purpose = live.map(|source| {
        let purpose = VideoUse::Receive {
            stream: source.stream,
            max_bps: cap,
            rid,
        };
        (index, purpose)
    });
    (purpose, allocations, None)
}

/// Which of the described streams is taken, and its rid where there are layers.
///
/// Layers are not chosen between yet, so one is taken: the first that the client sends at present (`a=simulcast`
/// marks the others with `~`). All are given numbers, since the client counts on them; only one is shown in INDEX.
fn layer(described: &[&SdkStreamDescriptor], rids: &[OfferedRid]) -> (usize, Option<String>) {
    if rids.is_empty() {
        let sent = described
            .iter()
            .position(|stream| stream.max_bitrate_kbps != Some(0));
        return (sent.unwrap_or(0), None);
    }
    let index = rids.iter().position(|rid| !rid.paused).unwrap_or(0);
    let rid = rids.get(index).map(|rid| rid.id.clone());
    (index.min(described.len().saturating_sub(1)), rid)
}

/// What the client wants to be shown in a section.
fn wanted(
    meeting: &Meeting,
    viewer: &Viewer<'_>,
    wish: &SdkSubscribeFrame,
    index: usize,
    section: &Section,
) -> Option<StreamId> {
    if section.stopped || !section.direction.receives() || !section.has_video() {
        return None;
    }
    let by_number = wish
        .receive_stream_ids
        .get(index)
        .and_then(|stream| meeting.visible(viewer.attendee_id, StreamId(*stream)))
        .map(|source| source.stream);
    by_number.or_else(|| {
        wish.video_subscription_configuration
            .iter()
            .find(|configuration| configuration.mid == section.mid)
            .and_then(|configuration| configured(meeting, viewer.attendee_id, configuration))
    })
}

fn configured(
    meeting: &Meeting,
    attendee_id: &str,
    wanted: &SdkVideoSubscriptionConfiguration,
) -> Option<StreamId> {
    let by_number = wanted
        .stream_id
        .and_then(|stream| meeting.visible(attendee_id, StreamId(stream)));
    by_number
        .or_else(|| {
            wanted
                .group_id
                .and_then(|group| meeting.visible_of_group(attendee_id, group))
        })
        .map(|source| source.stream)
}
