//! The desk's figures for Prometheus: how much is going on, and where every packet went.

use call::exchange::Counts;
use media::engine::Ledger;

use crate::node::shard::{Quantiles, ShardFigures};

/// Sets the gauges of what is going on.
pub(super) fn publish_counts(counts: &Counts) {
    metrics::gauge!("campanile_phones").set(counts.phones as f64);
    metrics::gauge!("campanile_sip_held").set(counts.sip_held as f64);
    metrics::gauge!("campanile_browsers").set(counts.browsers as f64);
    metrics::gauge!("campanile_meetings").set(counts.meetings as f64);
}

/// Sets what the shards count: packets together, delays each for itself.
pub(super) fn publish_figures(shards: &[ShardFigures]) {
    let mut ledger = Ledger::new();
    let mut refused = 0;
    for (number, figures) in shards.iter().enumerate() {
        ledger.add(&figures.ledger);
        refused += figures.refused;
        publish_delay(number, "passed", &figures.passed);
        publish_delay(number, "ticked", &figures.ticked);
    }
    publish_ledger(&ledger);
    metrics::counter!("campanile_media_packets_refused_total").absolute(refused);
}

/// Time inside the server: `passed` is from a packet's arrival in the kernel until what it caused was sent (forwarded
/// video, answers), `ticked` how long after its time a mixer tick's packets were sent.
fn publish_delay(shard: usize, stage: &'static str, delay: &Quantiles) {
    let shard = shard.to_string();
    metrics::counter!("campanile_media_delay_count", "shard" => shard.clone(), "stage" => stage)
        .absolute(delay.count);
    for (quantile, duration) in delay.of.into_iter().chain([(1.0, delay.longest)]) {
        metrics::gauge!("campanile_media_delay_seconds", "shard" => shard.clone(), "stage" => stage, "quantile" => quantile.to_string())
            .set(if delay.count == 0 { f64::NAN } else { duration.as_secs_f64() });
    }
}

/// Sets the media counters: packets in = consumed by kind + dropped by reason.
fn publish_ledger(ledger: &Ledger) {
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
