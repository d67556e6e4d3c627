//! `campanile admin meeting`: made with PIN, dial string and link, listed, ended.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, path};
use super::table::text;
use super::{Output, Told};

#[derive(Subcommand, Debug)]
pub(super) enum MeetingVerb {
    /// Make a meeting; print how phones and browsers join it.
    Create {
        /// Your own name for it, 2 to 64 characters.
        #[arg(long, value_name = "NAME")]
        external_id: Option<String>,
    },
    /// List running meetings, newest first.
    List,
    /// Print how phones and browsers join a meeting.
    Show {
        /// Its `MeetingId`.
        id: String,
    },
    /// End a meeting for everybody in it.
    End {
        /// Its `MeetingId`.
        id: String,
    },
}

pub(super) fn meeting(verb: &MeetingVerb, client: &Client) -> Told {
    match verb {
        MeetingVerb::Create { external_id } => {
            let asked = json!({"ExternalMeetingId": external_id});
            let made = client.post("/campanile/meetings", asked)?;
            let told = invitation(&made);
            Ok(Output::new(made, told))
        }
        MeetingVerb::List => {
            let found = client.all("/campanile/meetings", "Meetings")?;
            let columns = ["MeetingId", "ExternalMeetingId", "CreatedTimestamp"];
            Ok(Output::table(found, "Meetings", &columns))
        }
        MeetingVerb::Show { id } => {
            let found = client.get(&path(&["campanile", "meetings", id]))?;
            let told = invitation(&found);
            Ok(Output::new(found, told))
        }
        MeetingVerb::End { id } => {
            client.delete(&path(&["meetings", id]))?;
            let told = format!("meeting {id} has ended");
            Ok(Output::new(json!({"MeetingId": id}), told))
        }
    }
}

fn invitation(made: &Value) -> String {
    [
        ("Meeting id for phones", "Pin"),
        ("Dial from a phone or room system", "DialString"),
        ("Join by browser", "JoinUrl"),
        ("MeetingId for the API", "MeetingId"),
    ]
    .map(|(label, field)| format!("{label:<34}{}", text(made, field)))
    .join("\n")
}
