//! Domains: claimed by an account, verified by a TXT record, removed with all who came by them.

use super::{Caller, Control, Refusal, now_ms};
use crate::node::names::NoAnswer;
use crate::store::{Account, Domain, Released};

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
        self.free_for(&account, &name).await?;
        self.store
            .claim_domain(&account.account_id, &name, MOST, now_ms())
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
        self.free_for(&account, &domain.name).await?;
        let record = domain.record_name();
        let found = self.names.text(&record).await;
        self.store
            .domain_checked(&account.account_id, &domain.name, now_ms())
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
            .verify_domain(&account.account_id, &domain.name, now_ms())
            .await?;
        if !verified {
            self.free_for(&account, &domain.name).await?;
        }
        self.domain_of(&account, &domain.name).await
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
    async fn free_for(&self, account: &Account, name: &str) -> Result<(), Refusal> {
        match self.store.domain_holder(name).await? {
            Some(holder) if holder != account.account_id => Err(Refusal::Conflict(format!(
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
