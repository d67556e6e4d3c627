//! Listeners that not everybody may call over: who wants to begin a dialog is asked for a digest (RFC 3261 §22).
//!
//! Asked are INVITE, SUBSCRIBE and REFER outside a dialog. What comes within one is not: it shows the dialog's tags,
//! of which ours is 80 random bits. ACK and CANCEL never are, since they cannot be sent again with an answer (§22.1),
//! nor is OPTIONS, which begins nothing and by which trunks are watched.

use std::time::Instant;

use wire::sip::{Message, Method, Name};

use super::super::border::Output;
use super::super::dialled::is_ours;
use super::Phones;
use crate::authenticate::Challenger;
use crate::note::Note;
use crate::transaction::{Flow, ServerId};

/// The request was answered: its sender is none of the listener's users, or has not said so yet.
pub(super) struct Denied;

/// Whether a request outside a dialog would begin one.
pub(super) fn begins_dialog(method: Option<&Method>) -> bool {
    matches!(
        method,
        Some(Method::Invite | Method::Subscribe | Method::Refer)
    )
}

impl Phones {
    /// The user that a request is from; `None` where everybody may call.
    ///
    /// # Errors
    /// [`Denied`] once the refusal was sent.
    pub(super) fn authenticate(
        &mut self,
        now: Instant,
        id: ServerId,
        flow: Flow,
        request: &Message,
    ) -> Result<Option<String>, Denied> {
        let config = &self.config;
        let Some(users) = config.users.get(&flow.transport) else {
            return Ok(None);
        };
        let random = &mut self.manners.random;
        let challenger = self.challengers.entry(flow.transport).or_insert_with(|| {
            let lifetime = config.nonce_lifetime;
            Challenger::new(now, &config.realm, users.clone(), lifetime, random)
        });
        let serves = |uri: &_| is_ours(config, flow, uri);
        let denial = match challenger.check(now, request, |uri| serves(&uri.host)) {
            Ok(user) => return Ok(Some(user.to_owned())),
            Err(denial) => denial,
        };
        let status = denial.status();
        let challenges = match status {
            401 => challenger.challenges(now, denial, random),
            _ => Vec::new(),
        };
        let tag = self.manners.fresh();
        let mut response = self.manners.reply(request, status, &tag);
        for challenge in challenges {
            response.headers.push(Name::WwwAuthenticate, challenge);
        }
        self.transactions.respond(now, id, &response);
        self.outputs.push_back(Output::Note(Note::Denied {
            peer: flow.peer,
            transport: flow.transport,
            why: denial,
        }));
        Err(Denied)
    }
}
