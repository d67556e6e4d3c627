//! All media shards as one: commands find theirs, and legs move between them.

use media::engine::Event;
use tokio::sync::oneshot;
use wire::plan::{MediaCommand, MediaEvent};

use super::placement::{Placement, Way};
use crate::node::shard::{Shard, ShardCommand, ShardFigures};

/// The shards of a node, at least one.
#[derive(Debug)]
pub(crate) struct Shards {
    shards: Vec<Shard>,
    placement: Placement,
}

impl Shards {
    pub(crate) fn new(shards: Vec<Shard>) -> Self {
        Self {
            placement: Placement::new(shards.len()),
            shards,
        }
    }

    /// Has a command carried out where its leg is, or is to be.
    pub(super) fn command(&mut self, command: MediaCommand) {
        let Way { shard, from } = self.placement.way(&command);
        let Some(target) = self.shards.get(shard) else {
            return;
        };
        if let Some(from) = from.and_then(|from| self.shards.get(from)) {
            tracing::debug!(leg = ?command.leg(), to = shard, "a leg moves to its meeting");
            target.command(ShardCommand::Expect(command.leg()));
            from.command(ShardCommand::HandOver(command.leg(), target.inlet()));
        }
        target.command(ShardCommand::Media(command));
    }

    /// Learns from what shards tell.
    pub(super) fn note(&mut self, event: &Event) {
        if let Event::Media(MediaEvent::Closed { leg } | MediaEvent::Refused { leg, .. }) = event {
            self.placement.closed(*leg);
        }
    }

    /// What each shard counts, once all have answered. `None` when one is stopping.
    pub(super) fn figures(&self) -> impl Future<Output = Option<Vec<ShardFigures>>> + use<> {
        let answers: Vec<_> = self
            .shards
            .iter()
            .map(|shard| {
                let (reply, answer) = oneshot::channel();
                shard.command(ShardCommand::Figures(reply));
                answer
            })
            .collect();
        async move {
            let mut figures = Vec::with_capacity(answers.len());
            for answer in answers {
                figures.push(answer.await.ok()?);
            }
            Some(figures)
        }
    }
}
