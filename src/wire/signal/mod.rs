//! Browser signaling frames: one type octet and a protobuf message.
