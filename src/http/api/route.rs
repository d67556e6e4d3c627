//! Which operation a request means: by method, path and `operation=`.

/// An operation of the API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Operation {
    CreateMeeting,
    CreateMeetingWithAttendees,
    GetMeeting {
        meeting: String,
    },
    DeleteMeeting {
        meeting: String,
    },
    CreateAttendee {
        meeting: String,
    },
    /// Ours: a meeting with PIN, dial string and link, from nothing but a name.
    OpenMeeting,
    /// Ours: the running meetings with PINs.
    ListMeetings,
    /// Ours: one meeting with its PIN.
    ShowMeeting {
        meeting: String,
    },
    /// One that the API has and this server does not.
    NotOffered(&'static str),
}

impl Operation {
    /// Its name in logs and metrics.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::CreateMeeting => "CreateMeeting",
            Self::CreateMeetingWithAttendees => "CreateMeetingWithAttendees",
            Self::GetMeeting { .. } => "GetMeeting",
            Self::DeleteMeeting { .. } => "DeleteMeeting",
            Self::CreateAttendee { .. } => "CreateAttendee",
            Self::OpenMeeting => "OpenMeeting",
            Self::ListMeetings => "ListMeetings",
            Self::ShowMeeting { .. } => "ShowMeeting",
            Self::NotOffered(name) => name,
        }
    }
}

impl Operation {
    /// The meeting that it is about, if that is there already.
    pub(super) fn meeting(&self) -> Option<&str> {
        match self {
            Self::GetMeeting { meeting }
            | Self::DeleteMeeting { meeting }
            | Self::CreateAttendee { meeting }
            | Self::ShowMeeting { meeting } => Some(meeting),
            _ => None,
        }
    }
}

/// The operation, `None` where the path means nothing to the API.
pub(super) fn route(method: &str, path: &str, query: &str) -> Option<Operation> {
    let decoded: Vec<String> = path
        .trim_matches('/')
        .split('/')
        .map(|segment| String::from_utf8_lossy(&super::sigv4::decode(segment)).into_owned())
        .collect();
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    let operation = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("operation="))
        .unwrap_or_default();
    let owned = |text: &str| text.to_owned();
    Some(match (method, segments.as_slice(), operation) {
        ("POST", ["meetings"], "") => Operation::CreateMeeting,
        ("POST", ["meetings"], "create-attendees") => Operation::CreateMeetingWithAttendees,
        ("GET", ["meetings", meeting], _) => Operation::GetMeeting {
            meeting: owned(meeting),
        },
        ("DELETE", ["meetings", meeting], _) => Operation::DeleteMeeting {
            meeting: owned(meeting),
        },
        ("POST", ["meetings", meeting, "attendees"], "") => Operation::CreateAttendee {
            meeting: owned(meeting),
        },
        ("POST", ["campanile", "meetings"], "") => Operation::OpenMeeting,
        ("GET", ["campanile", "meetings"], "") => Operation::ListMeetings,
        ("GET", ["campanile", "meetings", meeting], "") => Operation::ShowMeeting {
            meeting: owned(meeting),
        },
        ("POST", ["meetings", _, "attendees"], "batch-create") => {
            Operation::NotOffered("BatchCreateAttendee")
        }
        ("GET", ["meetings", _, "attendees"], _) => Operation::NotOffered("ListAttendees"),
        ("GET", ["meetings", _, "attendees", _], _) => Operation::NotOffered("GetAttendee"),
        ("DELETE", ["meetings", _, "attendees", _], _) => Operation::NotOffered("DeleteAttendee"),
        ("PUT", ["meetings", _, "attendees", "capabilities"], _) => {
            Operation::NotOffered("BatchUpdateAttendeeCapabilitiesExcept")
        }
        ("PUT", ["meetings", _, "attendees", _, "capabilities"], _) => {
            Operation::NotOffered("UpdateAttendeeCapabilities")
        }
        ("POST", ["meetings", _, "transcription"], "start") => {
            Operation::NotOffered("StartMeetingTranscription")
        }
        ("POST", ["meetings", _, "transcription"], "stop") => {
            Operation::NotOffered("StopMeetingTranscription")
        }
        ("GET", ["tags"], _) => Operation::NotOffered("ListTagsForResource"),
        ("POST", ["tags"], "tag-resource") => Operation::NotOffered("TagResource"),
        ("POST", ["tags"], "untag-resource") => Operation::NotOffered("UntagResource"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operation_parameter_tells_two_of_one_path_apart() {
        assert_eq!(
            route("POST", "/meetings", ""),
            Some(Operation::CreateMeeting)
        );
        assert_eq!(
            route("POST", "/meetings", "operation=create-attendees"),
            Some(Operation::CreateMeetingWithAttendees)
        );
        assert_eq!(route("POST", "/meetings", "operation=other"), None);
    }

    #[test]
    fn path_parameters_are_decoded() {
        assert_eq!(
            route("GET", "/meetings/a%2Fb", ""),
            Some(Operation::GetMeeting {
                meeting: "a/b".to_owned()
            })
        );
    }

    #[test]
    fn an_operation_that_is_not_offered_is_known_by_name() {
        let found = route("GET", "/meetings/x/attendees", "max-results=5").unwrap();
        assert_eq!(found.name(), "ListAttendees");
        assert_eq!(route("PATCH", "/meetings", ""), None);
        assert_eq!(route("GET", "/favicon.ico", ""), None);
    }
}
