//! Meetings: made, found, listed, ended.

use std::time::Duration;

use call::exchange::{DialIn, Lookup};
use call::meeting::{MeetingInfo, VideoMax};
use serde_json::Value;
use wire::plan::BridgeId;

use super::attendees::{self, Wanted};
use super::{Caller, Control, Refusal, now_ms};
use crate::store::{Attendee, Listed, Meeting, NewMeeting, Page, Store, StoreError, in_time};

impl Control {
    /// Makes a meeting and its first attendees, each of whom may be refused. The same request with the same token,
    /// repeated while the meeting runs, finds what the first one made.
    ///
    /// # Errors
    /// The token belongs to another request; attendees that may not be; the store.
    pub async fn create_meeting(
        &self,
        asked: NewMeeting,
        wanted: &[Wanted],
    ) -> Result<(Meeting, Vec<Result<Attendee, Refusal>>), Refusal> {
        let attendees = wanted
            .iter()
            .map(|wanted| wanted.settle(&asked.features))
            .collect::<Result<Vec<_>, _>>()?;
        let digest = asked.request_digest.clone();
        let (meeting, attendees) = self
            .store
            .create_meeting(asked, &attendees, now_ms())
            .await?;
        if meeting.asked.request_digest != digest {
            return Err(Refusal::Conflict(
                "ClientRequestToken was used for a meeting with other parameters".to_owned(),
            ));
        }
        let attendees = attendees.into_iter();
        let attendees = attendees.map(|made| made.map_err(Refusal::from));
        Ok((meeting, attendees.collect()))
    }

    /// A running meeting of the caller's account.
    ///
    /// # Errors
    /// No such meeting; the store.
    pub async fn get_meeting(&self, caller: &Caller, meeting_id: &str) -> Result<Meeting, Refusal> {
        let found = self.store.meeting(meeting_id).await?;
        found
            .filter(|meeting| {
                meeting.asked.account_id == caller.account_id && meeting.ended_ms.is_none()
            })
            .ok_or(Refusal::NotFound("the meeting"))
    }

    /// The running meetings of the caller's account, newest first.
    ///
    /// # Errors
    /// The store.
    pub async fn list_meetings(
        &self,
        caller: &Caller,
        page: &Page,
    ) -> Result<Listed<Meeting>, Refusal> {
        let account = &caller.account_id;
        Ok(self.store.running_meetings(account, page).await?)
    }

    /// Ends a meeting for everybody in it.
    ///
    /// # Errors
    /// No such meeting; the store; the node is going down.
    pub async fn end_meeting(&self, caller: &Caller, meeting_id: &str) -> Result<(), Refusal> {
        let meeting = self.get_meeting(caller, meeting_id).await?;
        let (store, desk) = (self.store.clone(), self.desk.clone());
        // A task of its own: a client that hangs up must not leave a meeting that has ended in the store
        // and goes on at the desk, where nobody could end it any more.
        let ending = tokio::spawn(async move {
            in_time(store.end_meeting(&meeting.meeting_id, now_ms())).await??;
            desk.end_meeting(meeting.meeting_id)
                .await
                .map_err(|gone| Refusal::Failed(gone.to_string()))
        });
        match ending.await {
            Ok(ended) => ended,
            Err(error) => Err(Refusal::Failed(error.to_string())),
        }
    }

    /// Looks meetings up as the exchange knows them.
    #[must_use]
    pub fn directory(&self) -> Directory {
        Directory {
            store: self.store.clone(),
            max_attendees: self.max_attendees,
        }
    }
}

/// Finds meetings for the exchange. It has no way to the desk: the desk owns one, and a desk that held a
/// way to itself would never see that everybody else has let go.
#[derive(Clone, Debug)]
pub struct Directory {
    store: Store,
    max_attendees: usize,
}

impl Directory {
    /// The meeting that a phone dialled or keyed in: ten digits, or thirteen that also say who dials.
    pub async fn find_by_dialled(&self, digits: &str) -> Lookup {
        match in_time(self.look_up(digits)).await.flatten() {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "a meeting could not be looked up");
                Lookup::Failed
            }
        }
    }

    async fn look_up(&self, digits: &str) -> Result<Lookup, StoreError> {
        let (pin, suffix) = digits.split_at_checked(PIN_DIGITS).unwrap_or((digits, ""));
        let Some(meeting) = self.store.meeting_by_pin(pin).await? else {
            return Ok(Lookup::Unknown);
        };
        let who = match suffix {
            "" => None,
            suffix => {
                let found = self.store.attendee_by_suffix(&meeting.meeting_id, suffix);
                let Some(attendee) = found.await? else {
                    return Ok(Lookup::Unknown);
                };
                let host = meeting.asked.meeting_host_id.as_deref();
                Some(DialIn {
                    moderator: host == Some(attendee.asked.external_user_id.as_str()),
                    attendee: attendees::info(&attendee),
                })
            }
        };
        if meeting.ended_ms.is_some() {
            return Ok(Lookup::Ended);
        }
        Ok(Lookup::Meeting {
            info: self.meeting_info(&meeting),
            who,
        })
    }

    /// A moderator ended the meeting by phone, or it ended by being empty: nobody finds it any more.
    pub async fn end(&self, meeting_id: &str) {
        let end = || self.store.end_meeting(meeting_id, now_ms());
        if let Err(error) = patiently(end).await {
            tracing::error!(%error, meeting_id, "a meeting that has ended goes on in the store");
        }
    }

    /// Somebody is in the meeting on that server.
    pub async fn hold(&self, meeting_id: &str, server: &str) {
        let hold = || self.store.hold_meeting(meeting_id, server);
        if let Err(error) = patiently(hold).await {
            tracing::error!(%error, meeting_id, "after a restart this meeting would not end by itself");
        }
    }

    /// A meeting as the exchange knows it.
    #[must_use]
    pub fn meeting_info(&self, meeting: &Meeting) -> MeetingInfo {
        let wish = meeting
            .asked
            .features
            .pointer("/Attendee/MaxCount")
            .and_then(Value::as_u64);
        let wish = wish.and_then(|count| usize::try_from(count).ok());
        MeetingInfo {
            id: meeting.meeting_id.clone(),
            pin: meeting.pin.clone(),
            external_id: meeting.asked.external_meeting_id.clone(),
            account_id: meeting.asked.account_id.clone(),
            media_region: meeting.asked.media_region.clone(),
            bridge: bridge(&meeting.meeting_id),
            max_attendees: wish.unwrap_or(self.max_attendees).min(self.max_attendees),
            video_max: video_max(&meeting.asked.features),
        }
    }
}

/// Tries something until the database is back, for ten minutes: the calls go on without it meanwhile.
async fn patiently<T, F>(attempt: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    for _ in 0..TRIES {
        match in_time(attempt()).await.flatten() {
            Err(error) if error.is_passing() => tokio::time::sleep(BETWEEN_TRIES).await,
            done => return done,
        }
    }
    in_time(attempt()).await.flatten()
}

/// See [`patiently`].
const TRIES: u32 = 120;
/// See [`patiently`].
const BETWEEN_TRIES: Duration = Duration::from_secs(5);

/// The largest camera video that a meeting's features allow.
#[must_use]
pub fn video_max(features: &Value) -> VideoMax {
    match features
        .pointer("/Video/MaxResolution")
        .and_then(Value::as_str)
    {
        Some("None") => VideoMax::None,
        Some("FHD") => VideoMax::Fhd,
        _ => VideoMax::Hd,
    }
}

/// The bridge of a meeting: the first half of its UUID, of which 60 bits are random.
fn bridge(meeting_id: &str) -> BridgeId {
    let half: String = meeting_id
        .chars()
        .filter(char::is_ascii_hexdigit)
        .take(16)
        .collect();
    BridgeId(u64::from_str_radix(&half, 16).unwrap_or_default())
}

/// Digits of a meeting's PIN.
const PIN_DIGITS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_is_the_first_half_of_the_id() {
        assert_eq!(
            bridge("00112233-4455-4677-8899-aabbccddeeff"),
            BridgeId(0x0011_2233_4455_4677)
        );
    }
}
