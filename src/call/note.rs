//! What happened, told to the record, the metrics and the events.
