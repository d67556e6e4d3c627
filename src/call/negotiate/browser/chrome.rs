//! Offers in the shape that Chrome writes, for tests.

use std::fmt::Write as _;

/// One video section as the browser holds it.
#[derive(Clone, Debug)]
pub(crate) enum Tile {
    /// The camera's section, not in use.
    Idle(&'static str),
    /// The camera's section, sending with that SSRC.
    Sends(&'static str, u32),
    /// The camera's section with simulcast; paused layers begin with `~`.
    Layers(&'static str, &'static str),
    /// A received stream.
    Shows(&'static str),
    /// Stopped, to be used again.
    Stopped(&'static str),
}

/// An offer with an audio section and these video sections.
pub(crate) fn offer(tiles: &[Tile]) -> String {
    let mut bundle = String::from("0");
    for tile in tiles {
        if let Tile::Idle(mid) | Tile::Sends(mid, _) | Tile::Layers(mid, _) | Tile::Shows(mid) =
            tile
        {
            let _ = write!(bundle, " {mid}");
        }
    }
    let mut sdp = format!(
        "v=0\r\no=mozilla-chrome 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
         a=group:BUNDLE {bundle}\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n"
    );
    sdp.push_str("m=audio 50124 UDP/TLS/RTP/SAVPF 63 111 9 0 8 13 110 126\r\n");
    sdp.push_str("c=IN IP4 192.0.2.77\r\na=rtcp:9 IN IP4 0.0.0.0\r\n");
    sdp.push_str(
        "a=candidate:1467250027 1 udp 2122260223 192.0.2.77 50124 typ host generation 0 network-id 1\r\n\
         a=candidate:435653019 1 tcp 1518280447 192.0.2.77 9 typ host tcptype active generation 0\r\n",
    );
    transport(&mut sdp);
    sdp.push_str(
        "a=mid:0\r\n\
         a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
         a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n\
         a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
         a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
         a=sendrecv\r\na=msid:voice-stream voice-track\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
         a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n\
         a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n\
         a=fmtp:111 minptime=10;useinbandfec=1\r\n\
         a=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:13 CN/8000\r\na=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n\
         a=ssrc:1001 cname:browser\r\na=ssrc:1001 msid:voice-stream voice-track\r\n",
    );
    for tile in tiles {
        video(&mut sdp, tile);
    }
    sdp
}

fn video(sdp: &mut String, tile: &Tile) {
    let port = if matches!(tile, Tile::Stopped(_)) {
        0
    } else {
        9
    };
    let _ = write!(
        sdp,
        "m=video {port} UDP/TLS/RTP/SAVPF 98 99 106 107 102 103 96 97 45\r\n\
         c=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
    );
    if let Tile::Stopped(mid) = tile {
        let _ = write!(sdp, "a=mid:{mid}\r\na=inactive\r\n");
        return;
    }
    transport(sdp);
    let (mid, direction) = match tile {
        Tile::Idle(mid) => (mid, "inactive"),
        Tile::Sends(mid, _) | Tile::Layers(mid, _) => (mid, "sendrecv"),
        Tile::Shows(mid) | Tile::Stopped(mid) => (mid, "recvonly"),
    };
    let _ = write!(
        sdp,
        "a=mid:{mid}\r\n\
         a=extmap:14 urn:ietf:params:rtp-hdrext:toffset\r\n\
         a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n\
         a=extmap:13 urn:3gpp:video-orientation\r\n\
         a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n\
         a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
         a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n\
         a={direction}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n"
    );
    for (pt, name, fmtp) in [
        (98, "VP9", "profile-id=0"),
        (
            106,
            "H264",
            "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f",
        ),
        (
            102,
            "H264",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f;x-google-start-bitrate=1000",
        ),
        (96, "VP8", "x-google-start-bitrate=1000"),
        (45, "AV1", "level-idx=5;profile=0;tier=0"),
    ] {
        let _ = write!(
            sdp,
            "a=rtpmap:{pt} {name}/90000\r\na=rtcp-fb:{pt} goog-remb\r\na=rtcp-fb:{pt} transport-cc\r\n\
             a=rtcp-fb:{pt} ccm fir\r\na=rtcp-fb:{pt} nack\r\na=rtcp-fb:{pt} nack pli\r\na=fmtp:{pt} {fmtp}\r\n"
        );
        if pt != 45 {
            let rtx = pt + 1;
            let _ = write!(sdp, "a=rtpmap:{rtx} rtx/90000\r\na=fmtp:{rtx} apt={pt}\r\n");
        }
    }
    match tile {
        Tile::Sends(_, ssrc) => {
            let rtx = ssrc + 1;
            let _ = write!(
                sdp,
                "a=msid:camera-stream camera-track\r\na=ssrc-group:FID {ssrc} {rtx}\r\n\
                 a=ssrc:{ssrc} cname:browser\r\na=ssrc:{rtx} cname:browser\r\n"
            );
        }
        Tile::Layers(_, simulcast) => {
            sdp.push_str("a=msid:camera-stream camera-track\r\n");
            for rid in simulcast.split(';') {
                let _ = write!(sdp, "a=rid:{} send\r\n", rid.trim_start_matches('~'));
            }
            let _ = write!(sdp, "a=simulcast:send {simulcast}\r\n");
        }
        Tile::Idle(_) | Tile::Shows(_) | Tile::Stopped(_) => {}
    }
}

fn transport(sdp: &mut String) {
    sdp.push_str(
        "a=ice-ufrag:Ab3+\r\na=ice-pwd:0123456789abcdefghijklmn\r\na=ice-options:trickle\r\n\
         a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
         a=setup:actpass\r\n",
    );
}
