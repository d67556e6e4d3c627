//! Names of header fields, long and compact (RFC 3261 §7.3.3 and the extensions' compact forms).

/// A header field's name. Compared without regard to case; compact forms are the same name.
#[derive(Clone, Copy, Debug)]
pub enum Name<'a> {
    /// `Accept`.
    Accept,
    /// `Accept-Contact`, compact `a`.
    AcceptContact,
    /// `Accept-Encoding`.
    AcceptEncoding,
    /// `Accept-Language`.
    AcceptLanguage,
    /// `Alert-Info`.
    AlertInfo,
    /// `Allow`.
    Allow,
    /// `Allow-Events`, compact `u`.
    AllowEvents,
    /// `Authentication-Info`.
    AuthenticationInfo,
    /// `Authorization`.
    Authorization,
    /// `Call-ID`, compact `i`.
    CallId,
    /// `Call-Info`.
    CallInfo,
    /// `Contact`, compact `m`.
    Contact,
    /// `Content-Disposition`.
    ContentDisposition,
    /// `Content-Encoding`, compact `e`.
    ContentEncoding,
    /// `Content-Language`.
    ContentLanguage,
    /// `Content-Length`, compact `l`.
    ContentLength,
    /// `Content-Type`, compact `c`.
    ContentType,
    /// `CSeq`.
    CSeq,
    /// `Date`.
    Date,
    /// `Diversion`.
    Diversion,
    /// `Event`, compact `o`.
    Event,
    /// `Expires`.
    Expires,
    /// `From`, compact `f`.
    From,
    /// `History-Info`.
    HistoryInfo,
    /// `Identity`, compact `y`.
    Identity,
    /// `Max-Forwards`.
    MaxForwards,
    /// `MIME-Version`.
    MimeVersion,
    /// `Min-Expires`.
    MinExpires,
    /// `Min-SE`.
    MinSe,
    /// `P-Asserted-Identity`.
    PAssertedIdentity,
    /// `P-Preferred-Identity`.
    PPreferredIdentity,
    /// `Path`.
    Path,
    /// `Privacy`.
    Privacy,
    /// `Proxy-Authenticate`.
    ProxyAuthenticate,
    /// `Proxy-Authorization`.
    ProxyAuthorization,
    /// `Proxy-Require`.
    ProxyRequire,
    /// `RAck`.
    RAck,
    /// `Reason`.
    Reason,
    /// `Record-Route`.
    RecordRoute,
    /// `Refer-To`, compact `r`.
    ReferTo,
    /// `Referred-By`, compact `b`.
    ReferredBy,
    /// `Replaces`.
    Replaces,
    /// `Require`.
    Require,
    /// `Retry-After`.
    RetryAfter,
    /// `Route`.
    Route,
    /// `RSeq`.
    RSeq,
    /// `Server`.
    Server,
    /// `Service-Route`.
    ServiceRoute,
    /// `Session-Expires`, compact `x`.
    SessionExpires,
    /// `Subject`, compact `s`.
    Subject,
    /// `Subscription-State`.
    SubscriptionState,
    /// `Supported`, compact `k`.
    Supported,
    /// `Timestamp`.
    Timestamp,
    /// `To`, compact `t`.
    To,
    /// `Unsupported`.
    Unsupported,
    /// `User-Agent`.
    UserAgent,
    /// `Via`, compact `v`.
    Via,
    /// `Warning`.
    Warning,
    /// `WWW-Authenticate`.
    WwwAuthenticate,
    /// Any other name, as it was written.
    Other(&'a str),
}

impl<'a> Name<'a> {
    /// The name that a text stands for, in any case and in long or compact form.
    #[must_use]
    pub fn from_text(text: &'a str) -> Self {
        match Name::<'static>::known(text) {
            Some(known) => known,
            None => Self::Other(text),
        }
    }

    /// Whether a text names it, in any case and in long or compact form.
    #[must_use]
    pub fn matches_text(self, text: &str) -> bool {
        match Name::known(text) {
            Some(known) => self.is_same(known),
            None => self.as_str().eq_ignore_ascii_case(text),
        }
    }

    /// Whether both are the same known name.
    pub(super) fn is_same(self, other: Name<'_>) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant::<Name<'_>>(&other)
            && !matches!(self, Self::Other(_))
    }

    /// The long form, as we write it.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        match self {
            Self::Accept => "Accept",
            Self::AcceptContact => "Accept-Contact",
            Self::AcceptEncoding => "Accept-Encoding",
            Self::AcceptLanguage => "Accept-Language",
            Self::AlertInfo => "Alert-Info",
            Self::Allow => "Allow",
            Self::AllowEvents => "Allow-Events",
            Self::AuthenticationInfo => "Authentication-Info",
            Self::Authorization => "Authorization",
            Self::CallId => "Call-ID",
            Self::CallInfo => "Call-Info",
            Self::Contact => "Contact",
            Self::ContentDisposition => "Content-Disposition",
            Self::ContentEncoding => "Content-Encoding",
            Self::ContentLanguage => "Content-Language",
            Self::ContentLength => "Content-Length",
            Self::ContentType => "Content-Type",
            Self::CSeq => "CSeq",
            Self::Date => "Date",
            Self::Diversion => "Diversion",
            Self::Event => "Event",
            Self::Expires => "Expires",
            Self::From => "From",
            Self::HistoryInfo => "History-Info",
            Self::Identity => "Identity",
            Self::MaxForwards => "Max-Forwards",
            Self::MimeVersion => "MIME-Version",
            Self::MinExpires => "Min-Expires",
            Self::MinSe => "Min-SE",
            Self::PAssertedIdentity => "P-Asserted-Identity",
            Self::PPreferredIdentity => "P-Preferred-Identity",
            Self::Path => "Path",
            Self::Privacy => "Privacy",
            Self::ProxyAuthenticate => "Proxy-Authenticate",
            Self::ProxyAuthorization => "Proxy-Authorization",
            Self::ProxyRequire => "Proxy-Require",
            Self::RAck => "RAck",
            Self::Reason => "Reason",
            Self::RecordRoute => "Record-Route",
            Self::ReferTo => "Refer-To",
            Self::ReferredBy => "Referred-By",
            Self::Replaces => "Replaces",
            Self::Require => "Require",
            Self::RetryAfter => "Retry-After",
            Self::Route => "Route",
            Self::RSeq => "RSeq",
            Self::Server => "Server",
            Self::ServiceRoute => "Service-Route",
            Self::SessionExpires => "Session-Expires",
            Self::Subject => "Subject",
            Self::SubscriptionState => "Subscription-State",
            Self::Supported => "Supported",
            Self::Timestamp => "Timestamp",
            Self::To => "To",
            Self::Unsupported => "Unsupported",
            Self::UserAgent => "User-Agent",
            Self::Via => "Via",
            Self::Warning => "Warning",
            Self::WwwAuthenticate => "WWW-Authenticate",
            Self::Other(text) => text,
        }
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Name<'_>) -> bool {
        match (self, other) {
            (Self::Other(a), b) => b.matches_text(a),
            (a, Name::Other(b)) => a.matches_text(b),
            (a, b) => a.is_same(*b),
        }
    }
}

impl Eq for Name<'_> {}

impl Name<'static> {
    /// The known name that a text stands for.
    pub(super) fn known(text: &str) -> Option<Self> {
        let first = text.bytes().next()?.to_ascii_lowercase();
        if text.len() == 1 {
            let compact = |row: &&(&str, &str, Self)| row.1.bytes().next() == Some(first);
            return KNOWN.iter().find(compact).map(|row| row.2);
        }
        let letter = usize::from(first.checked_sub(b'a')?);
        let from = *STARTS.get(letter)?;
        let to = *STARTS.get(letter + 1)?;
        KNOWN
            .get(from..to)?
            .iter()
            .find(|(long, ..)| long.eq_ignore_ascii_case(text))
            .map(|row| row.2)
    }
}

/// Where the names of each letter start in `KNOWN`, and after the last letter its length.
const STARTS: [usize; 27] = {
    let mut starts = [0; 27];
    let mut letter = 0;
    let mut row = 0;
    while letter < 27 {
        while row < KNOWN.len() && KNOWN[row].0.as_bytes()[0] < b'A' + letter as u8 {
            row += 1;
        }
        starts[letter] = row;
        letter += 1;
    }
    starts
};

/// Long form, compact form (empty where there is none), name; ordered by first letter.
const KNOWN: &[(&str, &str, Name<'static>)] = &[
    ("Accept", "", Name::Accept),
    ("Accept-Contact", "a", Name::AcceptContact),
    ("Accept-Encoding", "", Name::AcceptEncoding),
    ("Accept-Language", "", Name::AcceptLanguage),
    ("Alert-Info", "", Name::AlertInfo),
    ("Allow", "", Name::Allow),
    ("Allow-Events", "u", Name::AllowEvents),
    ("Authentication-Info", "", Name::AuthenticationInfo),
    ("Authorization", "", Name::Authorization),
    ("Call-ID", "i", Name::CallId),
    ("Call-Info", "", Name::CallInfo),
    ("Contact", "m", Name::Contact),
    ("Content-Disposition", "", Name::ContentDisposition),
    ("Content-Encoding", "e", Name::ContentEncoding),
    ("Content-Language", "", Name::ContentLanguage),
    ("Content-Length", "l", Name::ContentLength),
    ("Content-Type", "c", Name::ContentType),
    ("CSeq", "", Name::CSeq),
    ("Date", "", Name::Date),
    ("Diversion", "", Name::Diversion),
    ("Event", "o", Name::Event),
    ("Expires", "", Name::Expires),
    ("From", "f", Name::From),
    ("History-Info", "", Name::HistoryInfo),
    ("Identity", "y", Name::Identity),
    ("Max-Forwards", "", Name::MaxForwards),
    ("MIME-Version", "", Name::MimeVersion),
    ("Min-Expires", "", Name::MinExpires),
    ("Min-SE", "", Name::MinSe),
    ("P-Asserted-Identity", "", Name::PAssertedIdentity),
    ("P-Preferred-Identity", "", Name::PPreferredIdentity),
    ("Path", "", Name::Path),
    ("Privacy", "", Name::Privacy),
    ("Proxy-Authenticate", "", Name::ProxyAuthenticate),
    ("Proxy-Authorization", "", Name::ProxyAuthorization),
    ("Proxy-Require", "", Name::ProxyRequire),
    ("RAck", "", Name::RAck),
    ("Reason", "", Name::Reason),
    ("Record-Route", "", Name::RecordRoute),
    ("Refer-To", "r", Name::ReferTo),
    ("Referred-By", "b", Name::ReferredBy),
    ("Replaces", "", Name::Replaces),
    ("Require", "", Name::Require),
    ("Retry-After", "", Name::RetryAfter),
    ("Route", "", Name::Route),
    ("RSeq", "", Name::RSeq),
    ("Server", "", Name::Server),
    ("Service-Route", "", Name::ServiceRoute),
    ("Session-Expires", "x", Name::SessionExpires),
    ("Subject", "s", Name::Subject),
    ("Subscription-State", "", Name::SubscriptionState),
    ("Supported", "k", Name::Supported),
    ("Timestamp", "", Name::Timestamp),
    ("To", "t", Name::To),
    ("Unsupported", "", Name::Unsupported),
    ("User-Agent", "", Name::UserAgent),
    ("Via", "v", Name::Via),
    ("Warning", "", Name::Warning),
    ("WWW-Authenticate", "", Name::WwwAuthenticate),
];

#[cfg(test)]
mod tests {
    use super::{KNOWN, Name};

    #[test]
    fn every_known_name_is_found_in_both_forms_and_any_case() {
        for (long, compact, name) in KNOWN {
            assert!(Name::known(&long.to_lowercase()).unwrap().is_same(*name));
            assert!(Name::known(&long.to_uppercase()).unwrap().is_same(*name));
            assert_eq!(name.as_str(), *long);
            if !compact.is_empty() {
                assert!(Name::known(compact).unwrap().is_same(*name));
            }
        }
        for unknown in ["", "X-Via", "Viaa", "{", "z", "\u{e9}"] {
            assert!(Name::known(unknown).is_none(), "{unknown:?}");
        }
    }
}
