// Why a meeting is over for this browser, in words: one table.
// Straight from its file: this table is tested without a browser, which the rest of the SDK wants.
import MeetingSessionStatusCode from "amazon-chime-sdk-js/build/meetingsession/MeetingSessionStatusCode";

/** An end as the page shows it. */
export interface Ending {
  /** A word for tests and logs, also in the page as `data-reason`. */
  reason: "left" | "ended" | "removed" | "elsewhere" | "full" | "refused" | "lost" | "failed";
  title: string;
  text: string;
  /** Whether trying again with the same meeting id makes sense. */
  again: boolean;
}

/** What to tell for the status with which the SDK stopped. */
export function endingOf(code: MeetingSessionStatusCode): Ending {
  switch (code) {
    case MeetingSessionStatusCode.OK:
    case MeetingSessionStatusCode.Left:
      return { reason: "left", title: "You left the meeting", text: "Your microphone and camera are off.", again: true };
    case MeetingSessionStatusCode.MeetingEnded:
    case MeetingSessionStatusCode.TURNCredentialsForbidden:
      return { reason: "ended", title: "The meeting has ended", text: "It was ended for everyone.", again: false };
    case MeetingSessionStatusCode.AudioAttendeeRemoved:
      return { reason: "removed", title: "You were removed", text: "Somebody took you out of this meeting.", again: false };
    case MeetingSessionStatusCode.AudioJoinedFromAnotherDevice:
      return { reason: "elsewhere", title: "You joined from another place", text: "This page made room for the other one.", again: true };
    case MeetingSessionStatusCode.AudioCallAtCapacity:
    case MeetingSessionStatusCode.VideoCallAtSourceCapacity:
      return { reason: "full", title: "The meeting is full", text: "Try again when somebody has left.", again: true };
    case MeetingSessionStatusCode.AudioAuthenticationRejected:
    case MeetingSessionStatusCode.SignalingBadRequest:
    case MeetingSessionStatusCode.SignalingRequestFailed:
      return { reason: "refused", title: "The server refused", text: "Your place in this meeting is no longer valid. Join again to get a new one.", again: true };
    case MeetingSessionStatusCode.SignalingInternalServerError:
    case MeetingSessionStatusCode.SignalingChannelClosedUnexpectedly:
    case MeetingSessionStatusCode.ConnectionHealthReconnect:
    case MeetingSessionStatusCode.TaskFailed:
    case MeetingSessionStatusCode.AudioServiceUnavailable:
    case MeetingSessionStatusCode.AudioInternalServerError:
    case MeetingSessionStatusCode.ICEGatheringTimeoutWorkaround:
    case MeetingSessionStatusCode.NoAttendeePresent:
      return { reason: "lost", title: "The connection was lost", text: "It could not be brought back. Check your network, then join again.", again: true };
    default:
      return { reason: "failed", title: "The meeting stopped", text: `Something went wrong (${MeetingSessionStatusCode[code] ?? code}).`, again: true };
  }
}
