//! The desk's figures for Prometheus: how much is going on, and where every packet went.

use call::exchange::Counts;
use media::engine::Ledger;

/// Sets the gauges of what is going on.
pub(super) fn publish_counts(counts: &Counts) {
    metrics::gauge!("campanile_phones").set(counts.phones as f64);
    metrics::gauge!("campanile_sip_held").set(counts.sip_held as f64);
    metrics::gauge!("campanile_browsers").set(counts.browsers as f64);
    metrics::gauge!("campanile_meetings").set(counts.meetings as f64);
}

/// Sets the media counters: packets in = consumed by kind + dropped by reason.
pub(super) fn publish_ledger(ledger: &Ledger) {
    metrics::counter!("campanile_media_packets_in_total").absolute(ledger.packets_in());
    metrics::counter!("campanile_media_bytes_in_total").absolute(ledger.bytes_in());
    metrics::counter!("campanile_media_packets_out_total").absolute(ledger.packets_out());
    metrics::counter!("campanile_media_bytes_out_total").absolute(ledger.bytes_out());
    for (kind, count) in ledger.consumption() {
        metrics::counter!("campanile_media_packets_consumed_total", "kind" => kind).absolute(count);
    }
    for (reason, count) in ledger.drops() {
        metrics::counter!("campanile_media_packets_dropped_total", "reason" => reason)
            .absolute(count);
    }
    for (kind, count) in ledger.sending() {
        metrics::counter!("campanile_media_packets_sent_total", "kind" => kind).absolute(count);
    }
    if !ledger.balances() {
        tracing::error!(
            "the media ledger does not balance: a packet was counted twice or not at all"
        );
    }
}
