//! Domains: claimed by an account, verified by a TXT record, removed with all who came by them.

use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::{Caller, Control, Refusal, now_ms};
use crate::node::names::NoAnswer;
use crate::store::{Account, Domain, Released, in_time};

/// When the records of pending domains are looked for without anybody asking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DomainChecks {
    /// From the claim to the first time.
    pub first: Duration,
    /// Between two times, at most.
    pub longest: Duration,
    /// From the claim on, after which it is left to people.
    pub give_up: Duration,
}

impl DomainChecks {
    /// So long after the claim for the first time, then ever more seldom: six hours apart at most, for two weeks.
    #[must_use]
    pub fn new(first: Duration) -> Self {
        Self {
            first,
            longest: Duration::from_secs(6 * 3600),
            give_up: Duration::from_secs(14 * 86_400),
        }
    }

    fn first_ms(self) -> i64 {
        milliseconds(self.first)
    }

    /// When to look again at a domain that was claimed then and is looked at now: when it is twice as old, since a
    /// record that is not there after a day will hardly come within the minute.
    fn after(self, created_ms: i64, now_ms: i64) -> Option<i64> {
        let age = now_ms.saturating_sub(created_ms);
        let wait = age.clamp(
            self.first_ms(),
            milliseconds(self.longest).max(self.first_ms()),
        );
        (age < milliseconds(self.give_up)).then(|| now_ms + wait)
    }
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 2)
}

/// How often it is seen to, at most.
const ROUND: Duration = Duration::from_secs(15);
/// Domains of one round, and of those at once: name servers that do not answer take seconds each.
const MOST_IN_A_ROUND: u32 = 64;
/// See [`MOST_IN_A_ROUND`].
const AT_ONCE: usize = 8;

/// What an account may claim at once.
const MOST: i64 = 100;

impl Domain {
    /// The name of the TXT record that proves it.
    #[must_use]
    pub fn record_name(&self) -> String {
        format!("_campanile.{}", self.name)
    }

    /// What that record must say.
    #[must_use]
    pub fn record_value(&self) -> String {
        format!("campanile-domain-verification={}", self.token)
    }

    /// Its state, in the words that people see.
    #[must_use]
    pub fn status(&self) -> &'static str {
        if self.verified_ms.is_some() {
            "Verified"
        } else {
            "Pending verification"
        }
    }
}

impl Control {
    /// Claims a domain for an account. Claiming it again tells the same record.
    ///
    /// # Errors
    /// No such account; no name of a domain; another account's domain; too many; the store.
    pub async fn claim_domain(
        &self,
        caller: &Caller,
        account_id: &str,
        name: &str,
    ) -> Result<Domain, Refusal> {
        let account = self.account(caller, account_id).await?;
        let name = domain_name(name)?;
        self.free_for(&account.account_id, &name).await?;
        self.store
            .claim_domain(
                &account.account_id,
                &name,
                MOST,
                now_ms(),
                now_ms() + self.domain_checks.first_ms(),
            )
            .await?
            .ok_or_else(|| {
                Refusal::LimitExceeded(format!("an account may claim {MOST} domains at most"))
            })
    }

    /// An account's claim on a domain.
    ///
    /// # Errors
    /// No such account or claim; the store.
    pub async fn domain(
        &self,
        caller: &Caller,
        account_id: &str,
        name: &str,
    ) -> Result<Domain, Refusal> {
        let account = self.account(caller, account_id).await?;
        self.domain_of(&account, &domain_name(name)?).await
    }

    async fn domain_of(&self, account: &Account, name: &str) -> Result<Domain, Refusal> {
        self.store
            .domain(&account.account_id, name)
            .await?
            .ok_or(Refusal::NotFound("the domain"))
    }

    /// An account's claims, by name.
    ///
    /// # Errors
    /// No such account; the store.
    pub async fn domains(&self, caller: &Caller, account_id: &str) -> Result<Vec<Domain>, Refusal> {
        let account = self.account(caller, account_id).await?;
        Ok(self.store.domains(&account.account_id).await?)
    }

    /// Looks for a domain's record. Where it is found the domain is the account's, and a team is an enterprise from
    /// now on.
    ///
    /// # Errors
    /// No such account or claim; the record is not there, or nobody can be asked; another account's domain; the store.
    pub async fn verify_domain(
        &self,
        caller: &Caller,
        account_id: &str,
        name: &str,
    ) -> Result<Domain, Refusal> {
        let account = self.account(caller, account_id).await?;
        let domain = self.domain_of(&account, &domain_name(name)?).await?;
        if domain.verified_ms.is_some() {
            return Ok(domain);
        }
        self.look_for_record(&domain).await?;
        self.domain_of(&account, &domain.name).await
    }

    /// Looks for the record of a domain that is pending.
    async fn look_for_record(&self, domain: &Domain) -> Result<(), Refusal> {
        self.free_for(&domain.account_id, &domain.name).await?;
        let record = domain.record_name();
        let found = self.names.text(&record).await;
        self.store
            .domain_checked(&domain.account_id, &domain.name, now_ms())
            .await?;
        let said = match found {
            Ok(said) => said,
            Err(NoAnswer::NoRecord) => Vec::new(),
            Err(NoAnswer::Failed(why)) => {
                tracing::warn!(record, why, "a domain's record cannot be asked for");
                return Err(Refusal::Unavailable(format!(
                    "the name servers of {} do not answer; try again later",
                    domain.name
                )));
            }
        };
        if !said.contains(&domain.record_value()) {
            return Err(Refusal::Unprocessable(format!(
                "there is no TXT record {record} with the value {}; it may take a while until a new one is seen",
                domain.record_value()
            )));
        }
        let verified = self
            .store
            .verify_domain(&domain.account_id, &domain.name, now_ms())
            .await?;
        if !verified {
            self.free_for(&domain.account_id, &domain.name).await?;
        }
        Ok(())
    }

    /// Looks for the records of pending domains, again and again and ever more seldom, until it is stopped.
    pub(crate) async fn watch_domains(self, stop: CancellationToken) {
        let mut round = tokio::time::interval(self.domain_checks.first.min(ROUND));
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = round.tick() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.check_domains() => {}
            }
        }
    }

    /// One round: those that are due, a few at a time.
    async fn check_domains(&self) {
        let now = now_ms();
        let next = |domain: &Domain| self.domain_checks.after(domain.created_ms, now);
        let due = self.store.domains_to_check(now, MOST_IN_A_ROUND, next);
        let due = match in_time(due).await.flatten() {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "pending domains cannot be looked up");
                return;
            }
        };
        for some in due.chunks(AT_ONCE) {
            join_all(some.iter().map(|domain| self.check_domain(domain))).await;
        }
    }

    async fn check_domain(&self, domain: &Domain) {
        let (name, account_id) = (&domain.name, &domain.account_id);
        let looked = in_time(self.look_for_record(domain)).await;
        match looked.map_err(Refusal::from).flatten() {
            Ok(()) => tracing::info!(name, account_id, "a domain is verified"),
            Err(why) => tracing::debug!(name, account_id, %why, "a domain stays pending"),
        }
    }

    /// Gives up a domain: its users are signed out; those who were registered are released, suspended ones stay so.
    ///
    /// # Errors
    /// No such account or claim; the store.
    pub async fn remove_domain(
        &self,
        caller: &Caller,
        account_id: &str,
        name: &str,
    ) -> Result<Released, Refusal> {
        let account = self.account(caller, account_id).await?;
        self.store
            .remove_domain(&account.account_id, &domain_name(name)?, now_ms())
            .await?
            .ok_or(Refusal::NotFound("the domain"))
    }

    /// A domain is one account's.
    async fn free_for(&self, account_id: &str, name: &str) -> Result<(), Refusal> {
        match self.store.domain_holder(name).await? {
            Some(holder) if holder != account_id => Err(Refusal::Conflict(format!(
                "{name} is verified for another account"
            ))),
            _ => Ok(()),
        }
    }
}

/// The name of a domain as it is kept: in lower case and ASCII (UTS 46), without a final dot.
///
/// # Errors
/// What cannot be one organisation's: addresses, top-level domains, names of the local network, and what is known to
/// be handed out to everybody (`co.uk`).
pub fn domain_name(said: &str) -> Result<String, Refusal> {
    let invalid = |rule| Err(Refusal::invalid("Name", rule));
    let said = said.trim();
    let name = match url::Host::parse(said.strip_suffix('.').unwrap_or(said)) {
        Ok(url::Host::Domain(name)) => name,
        Ok(_) => return invalid("must be a domain, not an address"),
        Err(_) => return invalid("must be a domain such as example.org"),
    };
    let labels: Vec<&str> = name.split('.').collect();
    let good = |label: &&str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if name.len() > MOST_OCTETS || !labels.iter().all(good) {
        return invalid("must be a domain such as example.org");
    }
    match labels.as_slice() {
        [] | [_] => invalid("must have a dot: nobody owns a top-level domain here"),
        [.., last] if LOCAL.contains(last) => invalid("must be a domain of the public DNS"),
        [second, country] if country.len() == 2 && SHARED.contains(second) => {
            invalid("must be a domain of your own below this one")
        }
        _ => Ok(name),
    }
}

/// 253, less `_campanile.` before it.
const MOST_OCTETS: usize = 242;

/// Top-level domains without public name servers (RFC 6761, 6762, 7686, 9476 and ICANN's `internal`).
const LOCAL: &[&str] = &[
    "localhost",
    "local",
    "invalid",
    "onion",
    "alt",
    "internal",
    "arpa",
];

/// Second levels under which countries hand out domains.
const SHARED: &[&str] = &[
    "ac", "co", "com", "edu", "gob", "gov", "gv", "mil", "ne", "net", "or", "org", "sch",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_looked_for_when_the_claim_is_twice_as_old_and_not_for_ever() {
        let (minute, hour, day) = (60_000, 3_600_000, 86_400_000);
        let checks = DomainChecks::new(Duration::from_secs(60));
        let claimed = 1_000_000_000_000;
        let mut now = claimed + checks.first_ms();
        let mut times = Vec::new();
        loop {
            times.push(now - claimed);
            match checks.after(claimed, now) {
                Some(next) => now = next,
                None => break,
            }
        }
        let first: Vec<i64> = (0..9).map(|doubled| minute << doubled).collect();
        assert_eq!(times[..9], first);
        assert!(times.windows(2).all(|two| two[1] - two[0] <= 6 * hour));
        assert!((60..80).contains(&times.len()), "{}", times.len());
        assert!((14 * day..15 * day).contains(times.last().unwrap()));
        // A clock that was set back does no harm.
        assert_eq!(
            checks.after(claimed, claimed - hour),
            Some(claimed - hour + minute)
        );
    }

    #[test]
    fn one_domain_has_one_name() {
        for (said, kept) in [
            ("example.org", "example.org"),
            ("EXAMPLE.Org.", "example.org"),
            (" sub.example.co.uk ", "sub.example.co.uk"),
            ("exämple.org", "xn--exmple-cua.org"),
            ("XN--EXMPLE-CUA.org", "xn--exmple-cua.org"),
            ("例え.jp", "xn--r8jz45g.jp"),
            ("example。org", "example.org"),
        ] {
            assert_eq!(domain_name(said).unwrap(), kept, "{said}");
        }
    }

    #[test]
    fn what_nobody_can_own_is_refused() {
        let long = format!("{}.org", "a.".repeat(125));
        for said in [
            "",
            ".",
            "..",
            "org",
            "com.",
            "co.uk",
            "com.au",
            "192.0.2.1",
            "[2001:db8::1]",
            "a b.org",
            "example..org",
            ".example.org",
            "example.org..",
            "-a.org",
            "a-.org",
            "a_b.org",
            "*.example.org",
            "x@example.org",
            "https://example.org",
            "example.org/x",
            "printer.local",
            "a.localhost",
            "1.in-addr.arpa",
            "%65xample_.org",
            &long,
        ] {
            let refused = domain_name(said);
            assert!(
                matches!(&refused, Err(Refusal::Invalid { field, .. }) if field == "Name"),
                "{said}: {refused:?}"
            );
        }
    }
}
