//! The one machine that the node drives: phones, browsers, meetings and prompts joined.

mod io;
#[cfg(test)]
pub(crate) mod virtual_time;

pub use io::{Admission, Admitted, Config, Input, Output};

pub use crate::meeting::{AttendeeInfo, Capabilities, Capability, ConnId, MeetingInfo, VideoMax};
pub use crate::transaction::{Flow, FlowId, Transport};
