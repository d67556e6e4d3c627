//! Attendees: capabilities and their rules, admission by token.

use call::admit::SignalRefusal;
use call::exchange::{Admission, Admitted, Allowed, Strangers};
use serde_json::Value;

use call::meeting::{AttendeeInfo, Capabilities, Capability};

use super::{Caller, Control, Refusal};
use crate::store::{Attendee, Listed, Meeting, NewAttendee, NoNewAttendee, Page, in_time};

/// An attendee as a request asks for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The asker's own name for the person.
    pub external_user_id: String,
    /// Audio, video and content, each one of the API's words; without a word all that the meeting has.
    pub capabilities: Option<[String; 3]>,
}

impl Wanted {
    /// Settles the capabilities against each other and the meeting's features.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn settle(&self, features: &Value) -> Result<NewAttendee, Refusal> {
        let [audio, video, content] = settle(self.capabilities.as_ref(), features)?;
        Ok(NewAttendee {
            external_user_id: self.external_user_id.clone(),
            audio,
            video,
            content,
        })
    }
}

impl Control {
    /// Makes an attendee of a running meeting; the same external user twice is one attendee.
    ///
    /// # Errors
    /// No such meeting; it has as many as there may be; capabilities that contradict each other or the meeting's
    /// features; the store.
    pub async fn create_attendee(
        &self,
        caller: &Caller,
        meeting_id: &str,
        wanted: &Wanted,
    ) -> Result<Attendee, Refusal> {
        let meeting = self.get_meeting(caller, meeting_id).await?;
        let asked = wanted.settle(&meeting.asked.features)?;
        let made = self
            .store
            .create_attendee(&meeting.meeting_id, &asked, super::now_ms());
        Ok(made.await??)
    }

    /// An attendee of a running meeting.
    ///
    /// # Errors
    /// No such meeting or attendee; the store.
    pub async fn attendee(
        &self,
        caller: &Caller,
        meeting_id: &str,
        attendee_id: &str,
    ) -> Result<Attendee, Refusal> {
        let meeting = self.get_meeting(caller, meeting_id).await?;
        self.store
            .attendee(&meeting.meeting_id, attendee_id)
            .await?
            .ok_or(Refusal::NotFound("the attendee"))
    }

    /// The attendees of a running meeting.
    ///
    /// # Errors
    /// No such meeting; the store.
    pub async fn attendees(
        &self,
        caller: &Caller,
        meeting_id: &str,
        page: &Page,
    ) -> Result<Listed<Attendee>, Refusal> {
        let meeting = self.get_meeting(caller, meeting_id).await?;
        Ok(self.store.attendees(&meeting.meeting_id, page).await?)
    }

    /// Takes an attendee out of a running meeting, and its admission away.
    ///
    /// # Errors
    /// No such meeting or attendee; the store; the node is going down.
    pub async fn remove_attendee(
        &self,
        caller: &Caller,
        meeting_id: &str,
        attendee_id: &str,
    ) -> Result<(), Refusal> {
        let attendee = self.attendee(caller, meeting_id, attendee_id).await?;
        let (store, desk) = (self.store.clone(), self.desk.clone());
        // A task of its own, as with the end of a meeting: a client that hangs up must not leave somebody in a
        // meeting who is none of its attendees any more.
        let removing = tokio::spawn(async move {
            in_time(store.remove_attendee(&attendee.attendee_id, super::now_ms())).await??;
            desk.remove_attendee(attendee.meeting_id, attendee.attendee_id)
                .await
                .map_err(|gone| Refusal::Failed(gone.to_string()))
        });
        match removing.await {
            Ok(removed) => removed,
            Err(error) => Err(Refusal::Failed(error.to_string())),
        }
    }

    /// Sets what an attendee may do, at once where it is in the meeting.
    ///
    /// # Errors
    /// No such meeting or attendee; capabilities that contradict each other or the meeting's features; the store; the
    /// node is going down.
    pub async fn update_attendee(
        &self,
        caller: &Caller,
        meeting_id: &str,
        attendee_id: &str,
        capabilities: &[String; 3],
    ) -> Result<Attendee, Refusal> {
        let meeting = self.get_meeting(caller, meeting_id).await?;
        let settled = settle(Some(capabilities), &meeting.asked.features)?;
        let updated = self
            .store
            .update_attendee(&meeting.meeting_id, attendee_id, &settled)
            .await?
            .ok_or(Refusal::NotFound("the attendee"))?;
        let allowed = allowed(updated.attendee_id.clone(), updated.version, &settled);
        self.desk
            .allow(meeting.meeting_id, vec![allowed], None)
            .await
            .map_err(|gone| Refusal::Failed(gone.to_string()))?;
        Ok(updated)
    }

    /// The same for all attendees of a meeting but some, phones included that dialled its id alone.
    ///
    /// # Errors
    /// As with one.
    pub async fn update_attendees_except(
        &self,
        caller: &Caller,
        meeting_id: &str,
        excluded: Vec<String>,
        capabilities: &[String; 3],
    ) -> Result<(), Refusal> {
        let meeting = self.get_meeting(caller, meeting_id).await?;
        let settled = settle(Some(capabilities), &meeting.asked.features)?;
        let changed = self
            .store
            .update_attendees_except(&meeting.meeting_id, &excluded, &settled)
            .await?;
        let attendees = changed
            .into_iter()
            .map(|(attendee_id, version)| allowed(attendee_id, version, &settled))
            .collect();
        let strangers = Strangers {
            capabilities: words(&settled),
            except: excluded,
        };
        self.desk
            .allow(meeting.meeting_id, attendees, Some(strangers))
            .await
            .map_err(|gone| Refusal::Failed(gone.to_string()))
    }

    /// Takes a visitor of the page into a running meeting, found by PIN or id.
    ///
    /// # Errors
    /// A name that cannot be one; no such meeting, it has ended, or has as many attendees as there may be; the store.
    pub async fn visit(&self, meeting: &str, name: &str) -> Result<(Meeting, Attendee), Refusal> {
        let name = name.trim();
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(Refusal::Invalid {
                field: "Name".to_owned(),
                rule: "must not be empty, nor hold control characters".to_owned(),
            });
        }
        let found = match meeting.len() {
            10 => self.store.meeting_by_pin(meeting).await?,
            36 => self.store.meeting(meeting).await?,
            _ => None,
        };
        let meeting = found.ok_or(Refusal::NotFound("the meeting"))?;
        if meeting.ended_ms.is_some() {
            return Err(Refusal::Ended);
        }
        // A number before the name makes two visitors of one name two attendees. 64 characters are the API's bound.
        let short: String = name.chars().take(MAX_NAME).collect();
        let external_user_id = format!("{}#{short}", self.store.visitor_number()?);
        let wanted = Wanted {
            external_user_id,
            capabilities: None,
        };
        let asked = wanted.settle(&meeting.asked.features)?;
        let made = self
            .store
            .create_attendee(&meeting.meeting_id, &asked, super::now_ms());
        let attendee = made.await?.map_err(|why| match why {
            NoNewAttendee::Ended => Refusal::Ended,
            NoNewAttendee::Full => why.into(),
        })?;
        Ok((meeting, attendee))
    }

    /// Who opens a signaling connection to a meeting with that token, or why they may not come in.
    pub async fn admit(&self, meeting_id: &str, token: &str) -> Admission {
        let (token, content) = match token.strip_suffix(CONTENT) {
            Some(base) => (base, true),
            None => (token, false),
        };
        let internal = |refusal: Refusal| {
            tracing::debug!(%refusal, "admission");
            SignalRefusal::Internal
        };
        let attendee = self
            .store
            .attendee_by_token(token)
            .await
            .map_err(|error| internal(error.into()))?
            .filter(|attendee| {
                attendee.meeting_id.eq_ignore_ascii_case(meeting_id)
                    && attendee.join_token.matches(token)
            })
            .ok_or(SignalRefusal::BadToken)?;
        let meeting = self
            .store
            .meeting(&attendee.meeting_id)
            .await
            .map_err(|error| internal(error.into()))?
            .ok_or(SignalRefusal::UnknownMeeting)?;
        if meeting.ended_ms.is_some() {
            return Err(SignalRefusal::MeetingEnded);
        }
        let attendee = info(&attendee);
        if content
            && !matches!(
                attendee.capabilities.content,
                Capability::SendReceive | Capability::Send
            )
        {
            return Err(SignalRefusal::Forbidden);
        }
        Ok(Box::new(Admitted {
            meeting: self.directory().meeting_info(&meeting),
            attendee,
            content,
        }))
    }
}

/// Settles what is said of audio, video and content: without a word, all that the meeting has.
fn settle(said: Option<&[String; 3]>, features: &Value) -> Result<[String; 3], Refusal> {
    let has = |kind: &str| {
        features
            .pointer(&format!("/{kind}/MaxResolution"))
            .and_then(Value::as_str)
            != Some("None")
    };
    let all = |there: bool| if there { "SendReceive" } else { "None" }.to_owned();
    let [audio, video, content] = match said {
        Some(said) => said.clone(),
        // Content cannot be received where video is not.
        None => [
            all(true),
            all(has("Video")),
            all(has("Content") && has("Video")),
        ],
    };
    let refuse = |field: &str, rule: &str| {
        Err(Refusal::Invalid {
            field: format!("Capabilities.{field}"),
            rule: rule.to_owned(),
        })
    };
    let receives = |capability: &str| matches!(capability, "SendReceive" | "Receive");
    if receives(&content) && !receives(&video) {
        return refuse("Content", "must not receive where Video does not receive");
    }
    if !has("Video") && video != "None" {
        return refuse(
            "Video",
            "must be None in a meeting whose MeetingFeatures.Video.MaxResolution is None",
        );
    }
    if !has("Content") && content != "None" {
        return refuse(
            "Content",
            "must be None in a meeting whose MeetingFeatures.Content.MaxResolution is None",
        );
    }
    Ok([audio, video, content])
}

pub(super) fn info(attendee: &Attendee) -> AttendeeInfo {
    AttendeeInfo {
        attendee_id: attendee.attendee_id.clone(),
        external_user_id: attendee.asked.external_user_id.clone(),
        capabilities: words(&[
            attendee.asked.audio.as_str(),
            attendee.asked.video.as_str(),
            attendee.asked.content.as_str(),
        ]),
        version: attendee.version.unsigned_abs(),
    }
}

fn allowed(attendee_id: String, version: i64, settled: &[String; 3]) -> Allowed {
    Allowed {
        attendee_id,
        capabilities: words(settled),
        version: version.unsigned_abs(),
    }
}

/// Audio, video and content.
fn words(said: &[impl AsRef<str>; 3]) -> Capabilities {
    let [audio, video, content] = said.each_ref().map(|word| capability(word.as_ref()));
    Capabilities {
        audio,
        video,
        content,
    }
}

fn capability(word: &str) -> Capability {
    match word {
        "SendReceive" => Capability::SendReceive,
        "Send" => Capability::Send,
        "Receive" => Capability::Receive,
        _ => Capability::None,
    }
}

/// What the SDK appends to the token of a content share's own session.
const CONTENT: &str = "#content";

/// Characters of a visitor's name that are kept.
const MAX_NAME: usize = 55;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted(capabilities: Option<[&str; 3]>) -> Wanted {
        Wanted {
            external_user_id: "ada".to_owned(),
            capabilities: capabilities.map(|words| words.map(str::to_owned)),
        }
    }

    fn refusal(capabilities: [&str; 3], features: &Value) -> String {
        wanted(Some(capabilities))
            .settle(features)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn without_a_word_an_attendee_may_do_all_that_the_meeting_has() {
        let all = wanted(None).settle(&json!({})).unwrap();
        assert_eq!([all.audio, all.video, all.content], ["SendReceive"; 3]);
        let features = json!({"Video": {"MaxResolution": "None"}});
        let voice = wanted(None).settle(&features).unwrap();
        assert_eq!(
            [voice.audio, voice.video, voice.content],
            ["SendReceive", "None", "None"]
        );
    }

    #[test]
    fn content_is_not_received_without_video() {
        assert!(
            refusal(["SendReceive", "Send", "Receive"], &json!({}))
                .starts_with("Capabilities.Content: ")
        );
        wanted(Some(["SendReceive", "Send", "Send"]))
            .settle(&json!({}))
            .unwrap();
    }

    #[test]
    fn what_the_meeting_has_not_an_attendee_may_not() {
        let features = json!({"Video": {"MaxResolution": "None"}});
        assert!(
            refusal(["None", "Receive", "None"], &features).starts_with("Capabilities.Video: ")
        );
        let features = json!({"Content": {"MaxResolution": "None"}});
        assert!(refusal(["None", "None", "Send"], &features).starts_with("Capabilities.Content: "));
    }
}
