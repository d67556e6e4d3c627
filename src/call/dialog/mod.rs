//! SIP dialogs (RFC 3261 §12): ids, route set, targets and sequence numbers of both sides.
//!
//! A dialog has no timers and no messages in flight: those are [`crate::transaction`]s and the session's. What else
//! two user agents keep between them is beside it: [`session_timer`], [`reliable`] provisional responses, and how long
//! to wait when their offers crossed ([`glare`]).

pub mod glare;
pub mod reliable;
pub mod session_timer;

use wire::sip::{CSeq, Message, Method, Name, NameAddr, Uri};

/// What names a dialog here: the local tag is ours and unique, the others must agree.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DialogId {
    /// `Call-ID`.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The other side's tag; empty when it is an RFC 2543 element without one.
    pub remote_tag: String,
}

impl DialogId {
    /// The dialog that a request of the other side is in; `None` without a To tag: it is outside any.
    #[must_use]
    pub fn of_request(request: &Message) -> Option<Self> {
        Some(Self {
            call_id: request.headers.call_id().ok()?,
            local_tag: request.headers.to().ok()?.tag()?.to_owned(),
            remote_tag: tag_of(request, Name::From),
        })
    }
}

/// Why a message makes no dialog, or is refused by one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DialogError {
    /// A header that a dialog is made from is missing or unreadable: 400.
    #[error("no usable {0}")]
    Missing(&'static str),
    /// The sequence number is not above the last one (RFC 3261 §12.2.2): 500.
    #[error("CSeq out of order")]
    LowCseq,
}

/// One dialog, seen from our side.
#[derive(Clone, Debug)]
pub struct Dialog {
    id: DialogId,
    /// Our From (or To) value with our tag, as it stands in requests of ours.
    local: String,
    /// The other side's value, as it came; bytes that are no UTF-8 are lost, of its tag and URI none are.
    remote: String,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    target: Uri,
    routes: Vec<NameAddr>,
}

impl Dialog {
    /// The dialog that our 2xx to this INVITE makes (RFC 3261 §12.1.1).
    ///
    /// # Errors
    /// [`DialogError::Missing`] when From, To, Call-ID, CSeq or a Contact with a URI is missing.
    pub fn uas(invite: &Message, local_tag: &str) -> Result<Self, DialogError> {
        Ok(Self {
            id: DialogId {
                call_id: call_id(invite)?,
                local_tag: local_tag.to_owned(),
                remote_tag: tag_of(invite, Name::From),
            },
            local: format!("{};tag={local_tag}", raw(invite, Name::To, "To")?),
            remote: raw(invite, Name::From, "From")?,
            local_cseq: 0,
            remote_cseq: Some(cseq(invite)?.number),
            target: contact(invite).or_else(|error| old_target(invite).ok_or(error))?,
            routes: routes(invite)?,
        })
    }

    /// The dialog that this response to our INVITE makes (RFC 3261 §12.1.2): a 2xx, or an early one with a tag.
    ///
    /// # Errors
    /// [`DialogError::Missing`] when the response lacks To, Call-ID, CSeq or a Contact with a URI.
    pub fn uac(invite: &Message, response: &Message) -> Result<Self, DialogError> {
        Ok(Self {
            id: DialogId {
                call_id: call_id(invite)?,
                local_tag: tag_of(invite, Name::From),
                remote_tag: tag_of(response, Name::To),
            },
            local: raw(invite, Name::From, "From")?,
            remote: raw(response, Name::To, "To")?,
            local_cseq: cseq(invite)?.number,
            remote_cseq: None,
            target: contact(response)?,
            routes: {
                let mut routes = routes(response)?;
                routes.reverse();
                routes
            },
        })
    }

    /// The 2xx that makes an early dialog a confirmed one settles target and route set (RFC 3261 §13.2.2.4).
    ///
    /// # Errors
    /// [`DialogError::Missing`] when the response lacks a Contact with a URI, or has unreadable routes.
    pub fn confirm(&mut self, response: &Message) -> Result<(), DialogError> {
        let target = contact(response)?;
        let mut routes = routes(response)?;
        routes.reverse();
        self.target = target;
        self.routes = routes;
        Ok(())
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &DialogId {
        &self.id
    }

    /// Where requests to the other side go, before routes.
    #[must_use]
    pub fn target(&self) -> &Uri {
        &self.target
    }

    /// The URI whose place requests to the other side are sent to: the first route's, or the target.
    #[must_use]
    pub fn next_hop(&self) -> Uri {
        self.routes
            .first()
            .map_or_else(|| self.target.clone(), |route| route.uri.clone())
    }

    /// Takes the sequence number of a request of the other side (RFC 3261 §12.2.2). ACK and CANCEL do not count.
    ///
    /// # Errors
    /// [`DialogError::LowCseq`] when it is not above the last one.
    pub fn take_cseq(&mut self, request: &Message) -> Result<(), DialogError> {
        let number = cseq(request)?.number;
        if self.remote_cseq.is_some_and(|last| number <= last) {
            return Err(DialogError::LowCseq);
        }
        self.remote_cseq = Some(number);
        Ok(())
    }

    /// Takes the Contact of a target refresh, a re-INVITE or its 2xx (RFC 3261 §12.2.1.2, §12.2.2).
    pub fn refresh_target(&mut self, message: &Message) {
        if let Ok(target) = contact(message) {
            self.target = target;
        }
    }

    /// A request within the dialog (RFC 3261 §12.2.1.1), complete but for Via and what its method needs.
    ///
    /// ACK takes the number of the INVITE that it acknowledges from [`Dialog::ack`] instead.
    #[must_use]
    pub fn request(&mut self, method: Method) -> Message {
        self.local_cseq = self.local_cseq.wrapping_add(1).max(1) & 0x7fff_ffff;
        self.build(method, self.local_cseq)
    }

    /// Gives a request within the dialog the next number: it is sent again, changed (RFC 3261 §22.2).
    pub fn renumber(&mut self, request: &mut Message) {
        if let Some(method) = request.method().cloned() {
            self.local_cseq = self.local_cseq.wrapping_add(1).max(1) & 0x7fff_ffff;
            let cseq = format!("{} {method}", self.local_cseq);
            request.headers.replace(Name::CSeq, cseq);
        }
    }

    /// The ACK of a 2xx to an INVITE of ours with that sequence number (RFC 3261 §13.2.2.4).
    #[must_use]
    pub fn ack(&self, invite_cseq: u32) -> Message {
        self.build(Method::Ack, invite_cseq)
    }

    fn build(&self, method: Method, number: u32) -> Message {
        let cseq = format!("{number} {method}");
        let target = self.target.to_string();
        let mut routes = self.routes.clone();
        // A strict router in front gets its own URI as Request-URI, ours goes last (RFC 3261 §12.2.1.1).
        let strict = routes
            .first()
            .is_some_and(|route| !route.uri.is_loose_router());
        let uri = if strict {
            let first = routes.remove(0);
            routes.push(NameAddr::new(self.target.clone()));
            first.uri.to_string()
        } else {
            target
        };
        let mut message = Message::request(method, uri);
        message.headers.push(Name::MaxForwards, 70);
        for route in &routes {
            message.headers.push(Name::Route, route);
        }
        message.headers.push(Name::From, &self.local);
        message.headers.push(Name::To, &self.remote);
        message.headers.push(Name::CallId, &self.id.call_id);
        message.headers.push(Name::CSeq, cseq);
        message
    }
}

/// The `tag` of From or To; empty when there is none.
fn tag_of(message: &Message, name: Name<'_>) -> String {
    let value = match name {
        Name::From => message.headers.from(),
        _ => message.headers.to(),
    };
    value
        .ok()
        .and_then(|value| value.tag().map(str::to_owned))
        .unwrap_or_default()
}

fn call_id(message: &Message) -> Result<String, DialogError> {
    message
        .headers
        .call_id()
        .map_err(|_| DialogError::Missing("Call-ID"))
}

fn cseq(message: &Message) -> Result<CSeq, DialogError> {
    message
        .headers
        .cseq()
        .map_err(|_| DialogError::Missing("CSeq"))
}

fn contact(message: &Message) -> Result<Uri, DialogError> {
    message
        .headers
        .contact()
        .map(|contact| contact.uri)
        .map_err(|_| DialogError::Missing("Contact"))
}

/// Where an RFC 2543 element without a Contact is reached: at its From. Its Via has no branch with the cookie.
fn old_target(invite: &Message) -> Option<Uri> {
    let old = invite.headers.via().ok()?.transaction_branch().is_none();
    invite
        .headers
        .from()
        .ok()
        .filter(|_| old)
        .map(|from| from.uri)
}

fn routes(message: &Message) -> Result<Vec<NameAddr>, DialogError> {
    message
        .headers
        .record_routes()
        .map_err(|_| DialogError::Missing("Record-Route"))
}

fn raw(message: &Message, name: Name<'_>, what: &'static str) -> Result<String, DialogError> {
    message
        .headers
        .get(name)
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .ok_or(DialogError::Missing(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite() -> Message {
        Message::parse(
            b"INVITE sip:1234567890@meet.example.com SIP/2.0\r\n\
              Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
              Record-Route: <sip:p2.example.com;lr>, <sip:p1.example.com;lr>\r\n\
              Max-Forwards: 70\r\n\
              From: \"Ann\" <sip:ann@example.com>;tag=a\r\n\
              To: <sip:1234567890@meet.example.com>\r\n\
              Call-ID: c1\r\nCSeq: 7 INVITE\r\n\
              Contact: <sip:ann@192.0.2.1:5070>\r\nContent-Length: 0\r\n\r\n",
        )
        .unwrap()
    }

    fn header(message: &Message, name: Name<'_>) -> Vec<String> {
        message
            .headers
            .get_all(name)
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    #[test]
    fn a_callee_sends_its_requests_along_the_recorded_routes_in_their_order() {
        let mut dialog = Dialog::uas(&invite(), "us").unwrap();
        let bye = dialog.request(Method::Bye);
        assert_eq!(bye.request_uri(), Some("sip:ann@192.0.2.1:5070"));
        assert_eq!(
            header(&bye, Name::Route),
            ["<sip:p2.example.com;lr>", "<sip:p1.example.com;lr>"]
        );
        assert_eq!(
            header(&bye, Name::From),
            ["<sip:1234567890@meet.example.com>;tag=us"]
        );
        assert_eq!(
            header(&bye, Name::To),
            ["\"Ann\" <sip:ann@example.com>;tag=a"]
        );
        assert_eq!(header(&bye, Name::CSeq), ["1 BYE"]);
    }

    #[test]
    fn a_caller_reverses_the_recorded_routes_and_acknowledges_with_the_invites_number() {
        let mut response = Message::response_to(&invite(), 200, "OK");
        response.copy_record_routes(&invite());
        response.tag_to("them").unwrap();
        response
            .headers
            .push(Name::Contact, "<sip:1234567890@203.0.113.9;transport=tls>");
        let mut dialog = Dialog::uac(&invite(), &response).unwrap();
        let ack = dialog.ack(7);
        assert_eq!(header(&ack, Name::CSeq), ["7 ACK"]);
        assert_eq!(
            header(&ack, Name::Route),
            ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"]
        );
        assert_eq!(header(&dialog.request(Method::Bye), Name::CSeq), ["8 BYE"]);
    }

    #[test]
    fn a_strict_router_gets_its_own_uri_and_the_target_goes_last() {
        let mut invite = invite();
        invite
            .headers
            .replace(Name::RecordRoute, "<sip:old.example.com>");
        let bye = Dialog::uas(&invite, "us").unwrap().request(Method::Bye);
        assert_eq!(bye.request_uri(), Some("sip:old.example.com"));
        assert_eq!(header(&bye, Name::Route), ["<sip:ann@192.0.2.1:5070>"]);
    }

    #[test]
    fn a_request_with_a_number_already_seen_is_out_of_order() {
        let mut dialog = Dialog::uas(&invite(), "us").unwrap();
        assert_eq!(dialog.take_cseq(&invite()), Err(DialogError::LowCseq));
        let mut next = invite();
        next.headers.replace(Name::CSeq, "9 INVITE");
        assert_eq!(dialog.take_cseq(&next), Ok(()));
        next.headers.replace(Name::CSeq, "8 INVITE");
        assert_eq!(dialog.take_cseq(&next), Err(DialogError::LowCseq));
    }

    #[test]
    fn the_2xx_settles_target_and_routes_of_an_early_dialog_and_keeps_its_numbers() {
        let mut early = Message::response_to(&invite(), 183, "Session Progress");
        early.tag_to("them").unwrap();
        early.headers.push(Name::Contact, "<sip:early@203.0.113.9>");
        let mut dialog = Dialog::uac(&invite(), &early).unwrap();
        assert_eq!(
            header(&dialog.request(Method::Prack), Name::CSeq),
            ["8 PRACK"]
        );
        let mut success = Message::response_to(&invite(), 200, "OK");
        success.tag_to("them").unwrap();
        success.copy_record_routes(&invite());
        assert_eq!(
            dialog.confirm(&success),
            Err(DialogError::Missing("Contact"))
        );
        success
            .headers
            .push(Name::Contact, "<sip:final@203.0.113.9>");
        dialog.confirm(&success).unwrap();
        let bye = dialog.request(Method::Bye);
        assert_eq!(bye.request_uri(), Some("sip:final@203.0.113.9"));
        assert_eq!(header(&bye, Name::CSeq), ["9 BYE"]);
        assert_eq!(
            header(&bye, Name::Route),
            ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"]
        );
    }

    #[test]
    fn a_re_invite_moves_the_target() {
        let mut dialog = Dialog::uas(&invite(), "us").unwrap();
        let mut next = invite();
        next.headers
            .replace(Name::Contact, "<sip:ann@198.51.100.7>");
        dialog.refresh_target(&next);
        assert_eq!(dialog.target().to_string(), "sip:ann@198.51.100.7");
    }

    #[test]
    fn an_rfc_2543_element_without_a_contact_is_reached_at_its_from() {
        let mut invite = invite();
        invite.headers.remove(Name::Contact);
        invite.headers.replace(Name::Via, "SIP/2.0/UDP 192.0.2.1");
        let dialog = Dialog::uas(&invite, "us").unwrap();
        assert_eq!(dialog.target().to_string(), "sip:ann@example.com");
    }

    #[test]
    fn without_a_contact_there_is_no_dialog() {
        let mut invite = invite();
        invite.headers.remove(Name::Contact);
        assert_eq!(
            Dialog::uas(&invite, "us").err(),
            Some(DialogError::Missing("Contact"))
        );
    }
}
