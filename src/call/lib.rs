//! The way of a call, in order. No sockets, no clock of its own.
//!
//! Bytes have become messages in `wire`; here they become [`transaction`]s and [`dialog`]s, offers are
//! answered ([`negotiate`]), callers admitted ([`admit`], [`authenticate`]) and asked for a meeting id ([`ivr`]);
//! [`keypad`] is theirs in it. A
//! [`meeting`] joins [`phone`] and [`browser`] parties. [`exchange`] holds it all; [`note`] tells what happened
//! and [`ending`] how it ended.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod admit;
pub mod authenticate;
pub mod browser;
pub mod dialog;
pub mod ending;
pub mod exchange;
pub mod ivr;
pub mod keypad;
pub mod meeting;
pub mod negotiate;
pub mod note;
pub mod phone;
pub mod route;
pub mod transaction;

pub use note::TransactionId;
