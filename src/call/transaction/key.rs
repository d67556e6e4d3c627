//! What matches a message to its transaction (RFC 3261 §17.1.3, §17.2.3).

use wire::sip::{Message, Method, Via};

/// Names a server transaction. ACK has the key of the INVITE that it acknowledges.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum ServerKey {
    /// A branch with the magic cookie, from an RFC 3261 element.
    Branch {
        branch: String,
        sent_by: String,
        method: String,
    },
    /// What an RFC 2543 element leaves to compare. `To` is left out: its tag differs between INVITE and ACK.
    Fields {
        uri: String,
        from_tag: String,
        call_id: String,
        cseq: u32,
        via: String,
        method: String,
    },
}

impl ServerKey {
    /// The key of a request, or `None` when it lacks what every request has.
    pub(super) fn of(request: &Message, via: &Via) -> Option<Self> {
        let method = request.method()?;
        Self::with_method(
            request,
            via,
            if *method == Method::Ack {
                &Method::Invite
            } else {
                method
            },
        )
    }

    /// The key of the INVITE that a CANCEL is for (RFC 3261 §9.2).
    pub(super) fn of_cancelled(cancel: &Message, via: &Via) -> Option<Self> {
        Self::with_method(cancel, via, &Method::Invite)
    }

    fn with_method(request: &Message, via: &Via, method: &Method) -> Option<Self> {
        let sent_by = sent_by(via);
        let method = method.as_str().to_owned();
        if let Some(branch) = via.transaction_branch() {
            return Some(Self::Branch {
                branch: branch.to_owned(),
                sent_by,
                method,
            });
        }
        Some(Self::Fields {
            uri: request.request_uri()?.to_owned(),
            from_tag: from_tag(request),
            call_id: request.headers.call_id().ok()?,
            cseq: request.headers.cseq().ok()?.number,
            via: format!("{sent_by}{}", via.branch().unwrap_or_default()),
            method,
        })
    }
}

/// What is the same in all copies of a request that forks on its way (RFC 3261 §8.2.2.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct MergeKey {
    call_id: String,
    from_tag: String,
    cseq: u32,
    method: String,
}

impl MergeKey {
    /// The key of a request outside any dialog; `None` for one inside, which cannot be merged.
    pub(super) fn of(request: &Message) -> Option<Self> {
        if request.headers.to().ok()?.tag().is_some() {
            return None;
        }
        let cseq = request.headers.cseq().ok()?;
        Some(Self {
            call_id: request.headers.call_id().ok()?,
            from_tag: from_tag(request),
            cseq: cseq.number,
            method: cseq.method.as_str().to_owned(),
        })
    }
}

/// Names a client transaction: branch and method, since CANCEL has the branch of its INVITE.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct ClientKey {
    pub(super) branch: String,
    pub(super) method: String,
}

impl ClientKey {
    /// The key of a request of ours, or of a response to one.
    pub(super) fn of(message: &Message) -> Option<Self> {
        Some(Self {
            branch: message.headers.via().ok()?.branch()?.to_owned(),
            method: message.headers.cseq().ok()?.method.as_str().to_owned(),
        })
    }
}

fn sent_by(via: &Via) -> String {
    format!("{}:{}", via.host, via.port.unwrap_or(5060)).to_ascii_lowercase()
}

fn from_tag(request: &Message) -> String {
    request
        .headers
        .from()
        .ok()
        .and_then(|from| from.tag().map(str::to_owned))
        .unwrap_or_default()
}
