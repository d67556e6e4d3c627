//! Who may do what: one typed refusal per rule.
