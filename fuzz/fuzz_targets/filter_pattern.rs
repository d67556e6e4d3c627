//! libFuzzer's entry to `campanile_fuzz::filter_pattern`.
#![no_main]
#![allow(unsafe_code, unused_qualifications)] // the macro exports a symbol for libFuzzer

libfuzzer_sys::fuzz_target!(|data: &[u8]| campanile_fuzz::filter_pattern(data));
