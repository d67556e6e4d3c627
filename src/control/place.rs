//! Where this deployment is reached: what links, URLs and dial strings are made of.

use crate::store::Meeting;

/// Where this deployment is reached. Written by the node when its listeners are bound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The region's name.
    pub region: String,
    /// Configured `host` or `host:port` of links; stronger than what a request says.
    pub public: Option<String>,
    /// `host:port` of links where neither configuration nor request names one.
    pub https: String,
    /// What follows the `@` of a dial string: `meet.<domain>`, or `host:port` of the SIP listener.
    pub dial: String,
    /// `host:port` of browser media; opaque to browsers, but never empty.
    pub audio: String,
}

impl Place {
    /// `host:port` of links, given the Host of a request.
    #[must_use]
    pub fn host(&self, asked: Option<&str>) -> String {
        self.public
            .as_deref()
            .or(asked.filter(|host| is_authority(host)))
            .unwrap_or(&self.https)
            .to_owned()
    }

    /// What a phone dials to be in the meeting.
    #[must_use]
    pub fn dial_string(&self, meeting: &Meeting) -> String {
        format!("{}@{}", meeting.pin, self.dial)
    }

    /// The page that joins the meeting.
    #[must_use]
    pub fn join_url(&self, meeting: &Meeting, host: &str) -> String {
        format!("https://{host}/meet/{}", meeting.pin)
    }
}

/// Whether a Host header may be repeated in links: a name, an address, perhaps a port, nothing else.
fn is_authority(host: &str) -> bool {
    (1..=255).contains(&host.len())
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(public: Option<&str>) -> Place {
        Place {
            region: "us-east-1".to_owned(),
            public: public.map(str::to_owned),
            https: "127.0.0.1:8443".to_owned(),
            dial: "127.0.0.1:5061".to_owned(),
            audio: "127.0.0.1:3478".to_owned(),
        }
    }

    #[test]
    fn links_follow_the_configuration_then_the_request_then_the_listener() {
        assert_eq!(
            place(Some("meet.example.org")).host(Some("10.0.0.1:8443")),
            "meet.example.org"
        );
        assert_eq!(place(None).host(Some("10.0.0.1:8443")), "10.0.0.1:8443");
        assert_eq!(place(None).host(Some("[::1]:8443")), "[::1]:8443");
        assert_eq!(place(None).host(None), "127.0.0.1:8443");
    }

    #[test]
    fn a_host_that_is_none_is_not_repeated() {
        assert_eq!(place(None).host(Some("evil/\"><script>")), "127.0.0.1:8443");
        assert_eq!(place(None).host(Some("")), "127.0.0.1:8443");
    }
}
