//! What offer and answer say of RTCP beyond RFC 3550: reduced size (RFC 5506 §5), extended reports (RFC 3611 §5).

use wire::plan::RtcpFeatures;
use wire::sdp::{Attributes, Media, Section};

/// What the other side's section asks for and permits.
///
/// `voip-metrics` asks for what one side sees, and is asked for by each side for itself; `rcvr-rtt` needs both sides
/// (RFC 3611 §5.2).
pub(super) fn features(theirs: Section<'_>) -> RtcpFeatures {
    let has = |name| {
        let of_section = words(&theirs.media.attributes);
        let mut all = of_section.chain(words(&theirs.session.attributes));
        all.any(|word| word == name)
    };
    RtcpFeatures {
        reduced_size: theirs.media.attributes.rtcp_rsize(),
        voip_metrics: has("voip-metrics"),
        reference_time: has("rcvr-rtt"),
    }
}

/// Our side of it, in the answer to an offer.
pub(super) fn answer(offered: Section<'_>, media: &mut Media) {
    let features = features(offered);
    if features.reduced_size {
        media.attributes.flag("rtcp-rsize");
    }
    // The answer has no `rcvr-rtt` that the offer had not. Metrics are asked for where the other side knows of them.
    let asked = match (features.reference_time, features.voip_metrics) {
        (true, true) => "rcvr-rtt=all voip-metrics",
        (true, false) => "rcvr-rtt=all",
        (false, true) => "voip-metrics",
        (false, false) => return,
    };
    media.attributes.add("rtcp-xr", asked);
}

/// The names of the formats in `a=rtcp-xr` lines, without their parameters.
fn words(attributes: &Attributes) -> impl Iterator<Item = &str> {
    attributes
        .get_all("rtcp-xr")
        .flat_map(|line| line.split_ascii_whitespace())
        .map(|word| word.split(['=', ':']).next().unwrap_or(word))
}

#[cfg(test)]
mod tests {
    use wire::sdp::Session;

    use super::*;

    fn read(lines: &str) -> (RtcpFeatures, Vec<String>) {
        let text = format!(
            "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{lines}"
        );
        let session = Session::parse(text.as_bytes()).unwrap();
        let section = session.sections().next().unwrap();
        let mut media = section.media.declined();
        answer(section, &mut media);
        let written = media.attributes.iter();
        let written = written.map(|a| format!("{}:{}", a.name, a.value.as_deref().unwrap_or("")));
        (features(section), written.collect())
    }

    #[test]
    fn what_was_offered_is_agreed_and_nothing_else() {
        let (nothing, written) = read("m=audio 4000 RTP/AVP 0\r\na=rtcp:4001\r\n");
        assert_eq!(nothing, RtcpFeatures::default());
        assert!(!written.iter().any(|line| line.starts_with("rtcp-")));

        let (all, written) = read(
            "m=audio 4000 RTP/AVPF 0\r\na=rtcp-rsize\r\n\
             a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics\r\n",
        );
        assert!(all.reduced_size && all.voip_metrics && all.reference_time);
        assert!(written.contains(&"rtcp-rsize:".to_owned()), "{written:?}");
        assert!(written.contains(&"rtcp-xr:rcvr-rtt=all voip-metrics".to_owned()));
    }

    #[test]
    fn what_the_session_says_holds_for_its_sections() {
        let (features, _) = read("a=rtcp-xr:voip-metrics\r\nm=audio 4000 RTP/AVP 0\r\n");
        assert!(features.voip_metrics && !features.reference_time);
    }
}
