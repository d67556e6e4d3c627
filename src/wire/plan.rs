//! The values through which `call` and `media` meet: what a leg shall be goes down, what it saw comes up.
//!
//! `call` owns SDP, `media` owns everything that SDP names. Neither crate knows the other; both know
//! these types. Commands and events are values: no handle, no channel, no clock crosses here.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// One SIP or WebRTC media session, unique within a running node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LegId(pub u64);

/// The place on a shard where the legs of one meeting or call are mixed and forwarded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BridgeId(pub u64);

/// One video stream within a bridge, numbered as the browser signaling numbers it (never 0).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamId(pub u32);

/// How the other side of a leg will be reached; decides which sockets a shard reserves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LegKind {
    /// A SIP party: a port pair of its own from the configured range, RTP on the even port.
    Phone {
        /// The address family of the party's media, from its offer.
        ipv6: bool,
    },
    /// A WebRTC party: the shard's one port, ICE-lite and DTLS.
    Browser,
}

/// What a shard reserved for a leg: everything the SDP answer must name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalMedia {
    /// Advertised address for RTP (and for RTCP when multiplexed).
    pub rtp: SocketAddr,
    /// Advertised address for RTCP where it has a port of its own (phones); `None` for browsers.
    pub rtcp: Option<SocketAddr>,
    /// Every advertised address of the shard's shared port, for ICE host candidates; empty for phones.
    pub candidates: Vec<SocketAddr>,
    /// Our ICE credentials; of use to a phone only if it offers ICE.
    pub ice: Option<IceCredentials>,
    /// SHA-256 fingerprint of our DTLS certificate, in the form of RFC 8122 (`AB:CD:…`).
    pub fingerprint: Option<String>,
    /// The SSRC of our audio stream.
    pub audio_ssrc: u32,
    /// The RTCP CNAME of everything this leg sends (RFC 7022).
    pub cname: String,
}

/// ICE user fragment and password (RFC 8445 §5.3).
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// User fragment, 4 to 256 ice-chars.
    pub ufrag: String,
    /// Password, 22 to 256 ice-chars.
    pub pwd: String,
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "IceCredentials {{ ufrag: {:?}, pwd: (hidden) }}",
            self.ufrag
        )
    }
}

/// Everything agreed about a leg by offer and answer. A later plan replaces the earlier one whole.
#[derive(Clone, PartialEq, Debug)]
pub struct LegPlan {
    /// How packets reach the other side.
    pub connectivity: Connectivity,
    /// How media is protected.
    pub protection: Protection,
    /// RTP and RTCP on one port (RFC 5761).
    pub rtcp_mux: bool,
    /// What was agreed about RTCP beyond that.
    pub rtcp: RtcpFeatures,
    /// The audio section; `None` when it was declined.
    pub audio: Option<AudioPlan>,
    /// Video streams that the other side sends to us.
    pub video_receive: Vec<VideoReceive>,
    /// Video streams that we send to the other side.
    pub video_send: Vec<VideoSend>,
    /// Ids of the RTP header extensions agreed (RFC 8285), the same in all bundled sections.
    pub extensions: ExtensionIds,
}

/// What offer and answer agreed about RTCP beyond RFC 3550. The default is nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RtcpFeatures {
    /// Feedback may come without a report before it (RFC 5506, `a=rtcp-rsize`).
    pub reduced_size: bool,
    /// The other side asked for VoIP metrics (RFC 3611 §5.1, `voip-metrics` in `a=rtcp-xr`).
    pub voip_metrics: bool,
    /// The other side echoes reference times (RFC 3611 §5.1, `rcvr-rtt` in `a=rtcp-xr`).
    pub reference_time: bool,
}

/// How packets of a leg reach the other side.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Connectivity {
    /// Signalled addresses, followed with the latching rules of symmetric RTP.
    Static {
        /// Where the other side said it receives RTP; `None` while unknown (late offer).
        rtp: Option<SocketAddr>,
        /// Where it receives RTCP; `None` means the RTP port + 1, or the RTP port when multiplexed.
        rtcp: Option<SocketAddr>,
        /// Where its signaling comes from: behind a NAT, its media most likely does too.
        peer: Option<IpAddr>,
    },
    /// We are ICE-lite (RFC 8445 §2.5): the other side checks, we answer, and follow its nomination.
    IceLite {
        /// The other side's credentials.
        remote: IceCredentials,
    },
}

/// How media of a leg is protected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Protection {
    /// Plain RTP.
    Plain,
    /// Keys exchanged in SDP (RFC 4568).
    Sdes {
        /// What we protect with.
        local: SdesKey,
        /// What the other side protects with: one key, or several told apart by their MKI.
        remote: Vec<SdesKey>,
    },
    /// Keys from a DTLS handshake on the media path (RFC 5764).
    Dtls {
        /// Whether we wait for the ClientHello (`a=setup:passive`) or send it (`active`).
        active: bool,
        /// The fingerprint that the other side's certificate must have.
        remote_fingerprint: Fingerprint,
    },
}

/// A certificate fingerprint as signalled (RFC 8122).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fingerprint {
    /// Hash function in lower case, such as `sha-256`.
    pub hash: String,
    /// The digest's bytes.
    pub digest: Vec<u8>,
}

/// The SRTP transforms that we speak.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SrtpProfile {
    /// AES_CM_128_HMAC_SHA1_80 (RFC 4568 §6.2.1): 16-octet key, 14-octet salt, 10-octet tag.
    AesCm128HmacSha1_80,
    /// AES_CM_128_HMAC_SHA1_32 (RFC 4568 §6.2.2): the same with a 4-octet tag on RTP; RTCP keeps its 10 octets.
    AesCm128HmacSha1_32,
    /// AES_256_CM_HMAC_SHA1_80 (RFC 6188): 32-octet key, 14-octet salt, 10-octet tag.
    AesCm256HmacSha1_80,
    /// AES_256_CM_HMAC_SHA1_32 (RFC 6188): the same with a 4-octet tag on RTP.
    AesCm256HmacSha1_32,
    /// AEAD_AES_128_GCM (RFC 7714): 16-octet key, 12-octet salt, 16-octet tag.
    AeadAes128Gcm,
    /// AEAD_AES_256_GCM (RFC 7714): 32-octet key, 12-octet salt, 16-octet tag.
    AeadAes256Gcm,
}

impl SrtpProfile {
    /// Every transform.
    pub const ALL: [Self; 6] = [
        Self::AesCm128HmacSha1_80,
        Self::AesCm128HmacSha1_32,
        Self::AesCm256HmacSha1_80,
        Self::AesCm256HmacSha1_32,
        Self::AeadAes128Gcm,
        Self::AeadAes256Gcm,
    ];

    /// Octets of the master key.
    #[must_use]
    pub fn key_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 | Self::AeadAes128Gcm => 16,
            Self::AesCm256HmacSha1_80 | Self::AesCm256HmacSha1_32 | Self::AeadAes256Gcm => 32,
        }
    }

    /// Octets of the master salt.
    #[must_use]
    pub fn salt_len(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80
            | Self::AesCm128HmacSha1_32
            | Self::AesCm256HmacSha1_80
            | Self::AesCm256HmacSha1_32 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }

    /// The crypto-suite name of SDES (RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.2).
    #[must_use]
    pub fn suite_name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesCm256HmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AesCm256HmacSha1_32 => "AES_256_CM_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// The transform of a crypto-suite name, in any case.
    #[must_use]
    pub fn of_suite(name: &str) -> Option<Self> {
        let is = |profile: &Self| profile.suite_name().eq_ignore_ascii_case(name);
        Self::ALL.into_iter().find(is)
    }
}

/// A master key identifier as packets carry it (RFC 3711 §3.1, RFC 4568 §6.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Mki {
    /// Its value, big-endian in packets.
    pub value: u64,
    /// Octets that it has in packets, 1 to 128.
    pub length: u8,
}

/// Octets of the longest [`Mki`] that we take. Devices use 1 to 4.
pub const MAX_MKI: u8 = 16;

/// Master keys of one side that may be in use at once.
pub const MAX_SDES_KEYS: usize = 8;

/// One SDES master key and salt. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SdesKey {
    /// The transform.
    pub profile: SrtpProfile,
    /// Master key then master salt, `profile.key_len() + profile.salt_len()` octets.
    pub key_salt: Vec<u8>,
    /// What packets under this key carry before or after their tag, where agreed.
    pub mki: Option<Mki>,
    /// Packets that may be protected with it; `None` is as many as SRTP allows (RFC 3711 §9.2).
    pub lifetime: Option<u64>,
}

impl SdesKey {
    /// A key without identifier and with the transform's own lifetime.
    #[must_use]
    pub fn new(profile: SrtpProfile, key_salt: Vec<u8>) -> Self {
        Self {
            profile,
            key_salt,
            mki: None,
            lifetime: None,
        }
    }
}

impl fmt::Debug for SdesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SdesKey {{ profile: {:?}, key_salt: (hidden), mki: {:?}, lifetime: {:?} }}",
            self.profile, self.mki, self.lifetime
        )
    }
}

/// The direction of a media section as *we* hold it (RFC 3264 §5.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// We send and receive.
    SendRecv,
    /// We only send.
    SendOnly,
    /// We only receive.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// Whether we send.
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether we receive.
    #[must_use]
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same section seen from the other side.
    #[must_use]
    pub fn reversed(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            both => both,
        }
    }
}

/// Audio codecs that we decode, mix and encode.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AudioCodec {
    /// Opus (RFC 6716, RFC 7587), RTP clock 48 kHz, full band.
    Opus,
    /// G.722 at 64 kbit/s: samples at 16 kHz, RTP clock 8 kHz (RFC 3551 §4.5.2).
    G722,
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

impl AudioCodec {
    /// The RTP clock in Hz. For G.722 it is 8000, not its sampling rate (RFC 3551 §4.5.2).
    #[must_use]
    pub fn rtp_clock(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::G722 | Self::Pcmu | Self::Pcma => 8_000,
        }
    }

    /// The rate in Hz at which we decode and encode it.
    #[must_use]
    pub fn sample_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::G722 => 16_000,
            Self::Pcmu | Self::Pcma => 8_000,
        }
    }

    /// The encoding name of `a=rtpmap`.
    #[must_use]
    pub fn encoding_name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::G722 => "G722",
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }
}

/// One audio payload type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AudioFormat {
    /// The codec.
    pub codec: AudioCodec,
    /// RTP payload type, 0 to 127.
    pub payload_type: u8,
    /// Milliseconds of sound in a packet that we send (`a=ptime`), 10 to 60.
    pub ptime_ms: u8,
    /// Upper bound for what we send in bit/s, from `maxaveragebitrate`; `None` where the codec fixes it.
    pub max_bitrate: Option<u32>,
    /// Opus: the other side asked for in-band FEC (`useinbandfec=1`).
    pub inband_fec: bool,
}

/// A `telephone-event` payload type (RFC 4733).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TelephoneEvent {
    /// RTP payload type.
    pub payload_type: u8,
    /// RTP clock in Hz.
    pub clock_rate: u32,
}

/// The agreed audio section.
#[derive(Clone, PartialEq, Debug)]
pub struct AudioPlan {
    /// Our direction.
    pub direction: Direction,
    /// What we send with.
    pub send: AudioFormat,
    /// Every format that may arrive.
    pub receive: Vec<AudioFormat>,
    /// Every telephone-event format that may arrive; the first with our sending clock is what we send with.
    pub telephone_events: Vec<TelephoneEvent>,
    /// Payload type of RED (RFC 2198) in either direction, whose blocks are of the formats here; `None` where not
    /// agreed.
    pub redundancy: Option<u8>,
    /// Payload type of comfort noise (RFC 3389) in either direction, 13 as a rule; `None` where not agreed: nothing
    /// is left out for silence then.
    pub comfort_noise: Option<u8>,
}

/// Video codecs that we forward.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum VideoCodec {
    /// VP8 (RFC 7741).
    Vp8,
    /// H.264 constrained baseline, packetization mode 1 (RFC 6184).
    H264,
}

/// One video payload type with its retransmission partner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VideoFormat {
    /// The codec.
    pub codec: VideoCodec,
    /// RTP payload type.
    pub payload_type: u8,
    /// Payload type of its RTX (RFC 4588), where agreed.
    pub rtx: Option<u8>,
}

/// A video stream that arrives.
#[derive(Clone, PartialEq, Debug)]
pub struct VideoReceive {
    /// The section's `a=mid`.
    pub mid: String,
    /// The stream's number in the bridge.
    pub stream: StreamId,
    /// Formats that may arrive.
    pub formats: Vec<VideoFormat>,
    /// SSRCs named in the offer; empty when packets must be matched by `mid`.
    pub ssrcs: Vec<u32>,
    /// SSRCs of retransmissions named in the offer (`a=ssrc-group:FID`).
    pub rtx_ssrcs: Vec<u32>,
}

/// A video stream that we send.
#[derive(Clone, PartialEq, Debug)]
pub struct VideoSend {
    /// The section's `a=mid`.
    pub mid: String,
    /// Which stream of the bridge it carries; 0, or one that is not there: nothing as yet, or paused.
    pub source: StreamId,
    /// The SSRC that the answer named.
    pub ssrc: u32,
    /// Formats that the viewer takes; a source in another codec is not forwarded.
    pub formats: Vec<VideoFormat>,
}

/// Header extension ids agreed for a leg; `None` where not offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ExtensionIds {
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level` (RFC 6464).
    pub audio_level: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:mid` (RFC 9143 §15).
    pub mid: Option<u8>,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time`.
    pub abs_send_time: Option<u8>,
    /// `http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01`.
    pub transport_cc: Option<u8>,
}

/// A spoken or sounded prompt. Which samples it stands for is the node's affair.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Prompt {
    /// "Welcome. Enter the meeting id, then press the pound key."
    EnterMeetingId,
    /// "That meeting id was not recognised. Try again."
    UnknownMeetingId,
    /// "That meeting id was not recognised. Goodbye."
    Goodbye,
    /// A short rising tone: you are in.
    Joined,
    /// "This meeting has ended."
    MeetingEnded,
    /// "This meeting is full."
    MeetingFull,
    /// "This meeting is locked."
    MeetingLocked,
    /// "This meeting is unlocked."
    MeetingUnlocked,
    /// "Muted."
    Muted,
    /// "Unmuted."
    Unmuted,
    /// A short tone: somebody else came in.
    SomeoneJoined,
    /// A short tone: somebody left.
    SomeoneLeft,
    /// A sound file that the node loaded at run time (`campanile call --play`).
    File,
}

/// From `call` to a shard.
#[derive(Clone, PartialEq, Debug)]
pub enum MediaCommand {
    /// Reserve what the answer must name; answered by [`MediaEvent::Ready`] or [`MediaEvent::Refused`].
    Reserve {
        /// The leg, new.
        leg: LegId,
        /// What it will be.
        kind: LegKind,
        /// The bridge that it will join, where that is known: a browser's leg cannot move to another shard.
        bridge: Option<BridgeId>,
    },
    /// Set or replace what was agreed.
    Configure {
        /// A reserved leg.
        leg: LegId,
        /// The agreement.
        plan: Box<LegPlan>,
    },
    /// Put the leg into a bridge, made when it is the first.
    Join {
        /// A reserved leg.
        leg: LegId,
        /// The bridge.
        bridge: BridgeId,
    },
    /// Take the leg out of its bridge; it stays open.
    Leave {
        /// The leg.
        leg: LegId,
    },
    /// Keep what the leg says out of the mix, or let it in again.
    Mute {
        /// The leg.
        leg: LegId,
        /// Whether it is muted.
        muted: bool,
    },
    /// Let the leg hear silence in place of the others, or the others again. It is sent packets all the same, and
    /// its prompts.
    Deafen {
        /// The leg.
        leg: LegId,
        /// Whether it hears nobody.
        deaf: bool,
    },
    /// Play a prompt to the leg over whatever it hears, replacing the one that plays.
    Play {
        /// The leg.
        leg: LegId,
        /// The prompt; its end is told by [`MediaEvent::PromptEnded`].
        prompt: Prompt,
    },
    /// Stop the prompt.
    StopPlaying {
        /// The leg.
        leg: LegId,
    },
    /// Send digits by RFC 4733, 100 ms each with 100 ms between.
    SendDigits {
        /// The leg.
        leg: LegId,
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        digits: String,
    },
    /// Close the leg; its last sample follows, then [`MediaEvent::Closed`].
    Close {
        /// The leg.
        leg: LegId,
    },
}

impl MediaCommand {
    /// The leg that it is about.
    #[must_use]
    pub fn leg(&self) -> LegId {
        match self {
            Self::Reserve { leg, .. }
            | Self::Configure { leg, .. }
            | Self::Join { leg, .. }
            | Self::Leave { leg }
            | Self::Mute { leg, .. }
            | Self::Deafen { leg, .. }
            | Self::Play { leg, .. }
            | Self::StopPlaying { leg }
            | Self::SendDigits { leg, .. }
            | Self::Close { leg } => *leg,
        }
    }
}

/// Why a shard could not reserve a leg.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refused {
    /// Every port of the range is taken.
    NoPorts,
    /// The node is draining or the shard is full.
    Full,
    /// No local address of that family.
    NoAddress,
}

/// Why media of a leg ended by itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MediaLoss {
    /// No packet arrived for the configured time.
    Silent,
    /// No valid ICE check arrived for 30 s.
    PathExpired,
    /// The DTLS handshake failed or did not end in time.
    HandshakeFailed,
    /// The DTLS certificate did not match the signalled fingerprint.
    WrongFingerprint,
    /// The other side closed DTLS.
    ClosedByPeer,
}

/// From a shard to `call`.
#[derive(Clone, PartialEq, Debug)]
pub enum MediaEvent {
    /// The leg is reserved.
    Ready {
        /// The leg.
        leg: LegId,
        /// What was reserved.
        local: LocalMedia,
    },
    /// The leg could not be reserved, and does not exist.
    Refused {
        /// The leg.
        leg: LegId,
        /// Why.
        why: Refused,
    },
    /// Protected media may flow: the first authentic packet came, or the handshake ended. Told once.
    Connected {
        /// The leg.
        leg: LegId,
    },
    /// A key was pressed; told once per press.
    Digit {
        /// The leg.
        leg: LegId,
        /// `0`–`9`, `*`, `#`, `A`–`D`.
        digit: char,
    },
    /// The prompt was played to its end.
    PromptEnded {
        /// The leg.
        leg: LegId,
        /// Which.
        prompt: Prompt,
    },
    /// Loudness of every leg of a bridge that has spoken since the last such event, about 5 times a second.
    Levels {
        /// The bridge.
        bridge: BridgeId,
        /// Leg and attenuation in dB below full scale, 0 (loudest) to 127 (RFC 6464); legs not listed were silent.
        levels: Vec<(LegId, u8)>,
    },
    /// Measured rate of every video stream of a bridge, about every 4 s.
    VideoRates {
        /// The bridge.
        bridge: BridgeId,
        /// Stream and bit/s over the last interval.
        rates: Vec<(StreamId, u32)>,
    },
    /// Packets come from a source that is not the leg's, and are dropped. Told seldom, not per packet.
    ForeignSource {
        /// The leg.
        leg: LegId,
        /// Where they come from.
        source: SocketAddr,
    },
    /// Media ended by itself; the leg stays until it is closed.
    Lost {
        /// The leg.
        leg: LegId,
        /// Why.
        why: MediaLoss,
    },
    /// The leg is gone and its ports are free.
    Closed {
        /// The leg.
        leg: LegId,
    },
}
