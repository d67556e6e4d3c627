//! From a URI to the addresses to try (RFC 3263 §4).

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use rand::SeedableRng;
use rand::rngs::StdRng;
use wire::sip::{Host, Scheme, Uri};

use super::records::{Answer, Naptr, Srv, in_order};
use crate::transaction::Transport;

/// The way to a URI, one step at a time.
#[derive(Debug)]
pub struct Locate {
    /// What we speak, the most wanted first.
    speaks: Vec<Transport>,
    /// The URI's domain, whose name a certificate must have (RFC 5922 §7.1), wherever records lead.
    domain: Host,
    steps: VecDeque<Step>,
    asked: Option<Step>,
    hops: VecDeque<Hop>,
    /// Those that were named, so that none is tried twice.
    named: BTreeSet<(Transport, SocketAddr)>,
    /// Whether any SRV record was found: then the name's own addresses do not count.
    served: bool,
    random: StdRng,
}

/// What to do next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// Ask DNS, then give the answer to [`Locate::answer`].
    Ask(Question),
    /// Try to send there.
    Try(Hop),
    /// Nothing is left to try.
    Exhausted,
}

/// A question to DNS, about an absolute name without its final dot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    /// Its NAPTR records.
    Naptr(String),
    /// Its SRV records.
    Srv(String),
    /// Its A and AAAA records.
    Addresses(String),
}

/// Where a request may be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hop {
    /// What to send it on.
    pub transport: Transport,
    /// Where to.
    pub address: SocketAddr,
    /// Whom the certificate must name, on TLS.
    pub domain: Host,
}

/// Why a URI leads nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LocateError {
    /// Neither `sip:` nor `sips:`.
    #[error("only sip and sips URIs can be reached")]
    Scheme,
    /// `sips:` over datagrams.
    #[error("a sips URI is reached over TLS only")]
    Insecure,
    /// A `transport` parameter that we do not speak.
    #[error("the URI asks for a transport that is not spoken here")]
    Transport,
    /// `maddr` is no host.
    #[error("the URI's maddr is no host")]
    Maddr,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    /// Ask which transports a domain wants.
    Naptr(String),
    /// Ask where a transport is served.
    Srv { name: String, transport: Transport },
    /// Ask for a host's addresses.
    Host {
        name: String,
        port: u16,
        transport: Transport,
    },
    /// The same, unless SRV records were found.
    Unserved { name: String, transport: Transport },
}

impl Locate {
    /// For a request to `uri`, which is the first Route's where there is one. `speaks` are the transports that we
    /// have, the most wanted first; `seed` decides among SRV records of one priority.
    ///
    /// # Errors
    /// [`LocateError`].
    pub fn new(uri: &Uri, speaks: &[Transport], seed: [u8; 32]) -> Result<Self, LocateError> {
        let secure = match uri.scheme {
            Scheme::Sip => false,
            Scheme::Sips => true,
            _ => return Err(LocateError::Scheme),
        };
        let mut locate = Self {
            speaks: speaks
                .iter()
                .copied()
                .filter(|transport| !secure || *transport == Transport::Tls)
                .collect(),
            domain: uri.host.clone(),
            steps: VecDeque::new(),
            asked: None,
            hops: VecDeque::new(),
            named: BTreeSet::new(),
            served: false,
            random: StdRng::from_seed(seed),
        };
        let target = match uri.params.get("maddr") {
            Some(maddr) => Host::read(maddr).ok_or(LocateError::Maddr)?,
            None => uri.host.clone(),
        };
        let stated = transport_of(uri, secure)?;
        if let Some(transport) = stated
            && !locate.speaks.contains(&transport)
        {
            return Err(LocateError::Transport);
        }
        locate.begin(target, uri.port, stated, secure)?;
        Ok(locate)
    }

    fn begin(
        &mut self,
        target: Host,
        port: Option<u16>,
        stated: Option<Transport>,
        secure: bool,
    ) -> Result<(), LocateError> {
        let usual = if secure {
            Transport::Tls
        } else {
            Transport::Udp
        };
        // Without UDP the first that we do speak stands in for it.
        let usual = Some(usual)
            .filter(|usual| self.speaks.contains(usual))
            .or(self.speaks.first().copied())
            .ok_or(LocateError::Transport)?;
        match (target, port) {
            (Host::Ip(ip), port) => {
                let transport = stated.unwrap_or(usual);
                let port = port.unwrap_or(default_port(transport));
                self.hop(transport, SocketAddr::new(ip, port));
            }
            (Host::Name(name), Some(port)) => self.steps.push_back(Step::Host {
                name: absolute(&name),
                port,
                transport: stated.unwrap_or(usual),
            }),
            (Host::Name(name), None) => {
                let name = absolute(&name);
                match stated {
                    Some(transport) => {
                        self.steps.push_back(service(&name, transport));
                        self.steps.push_back(Step::Unserved { name, transport });
                    }
                    None => {
                        self.steps.push_back(Step::Naptr(name.clone()));
                        self.steps.push_back(Step::Unserved {
                            name,
                            transport: usual,
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// What to do next. A question is repeated until it is answered; a hop is named once.
    #[allow(clippy::should_implement_trait)] // it ends for good only when it is answered
    pub fn next(&mut self) -> Next {
        loop {
            if let Some(step) = &self.asked {
                return Next::Ask(step.question());
            }
            if let Some(hop) = self.hops.pop_front() {
                return Next::Try(hop);
            }
            match self.steps.pop_front() {
                None => return Next::Exhausted,
                Some(Step::Unserved { .. }) if self.served => {}
                Some(step) => self.asked = Some(step),
            }
        }
    }

    /// Takes the answer to the question that was asked. One to another question counts as empty.
    pub fn answer(&mut self, answer: Answer) {
        match (self.asked.take(), answer) {
            (None, _) => {}
            (Some(Step::Naptr(name)), Answer::Naptr(records)) => self.naptr(&name, records),
            (Some(Step::Naptr(name)), _) => self.naptr(&name, Vec::new()),
            (Some(Step::Srv { transport, .. }), Answer::Srv(records)) => {
                self.srv(transport, records);
            }
            (
                Some(Step::Host {
                    port, transport, ..
                }),
                Answer::Addresses(addresses),
            ) => self.addresses(transport, port, addresses),
            (Some(Step::Unserved { transport, .. }), Answer::Addresses(addresses)) => {
                self.addresses(transport, default_port(transport), addresses);
            }
            (Some(_), _) => {}
        }
    }

    /// The services that the domain wants, its own order first; where it says nothing, every one that we speak.
    fn naptr(&mut self, name: &str, mut records: Vec<Naptr>) {
        records.sort_by_key(|record| (record.order, record.preference));
        let mut steps: Vec<Step> = records
            .into_iter()
            .filter_map(|record| {
                let transport = record.transport()?;
                self.speaks.contains(&transport).then(|| Step::Srv {
                    name: absolute(&record.replacement),
                    transport,
                })
            })
            .collect();
        if steps.is_empty() {
            steps = self.speaks.iter().map(|t| service(name, *t)).collect();
        }
        for step in steps.into_iter().rev() {
            self.steps.push_front(step);
        }
    }

    fn srv(&mut self, transport: Transport, records: Vec<Srv>) {
        self.served |= !records.is_empty();
        let ordered = in_order(records, &mut self.random);
        for record in ordered.into_iter().rev() {
            let name = absolute(&record.target);
            if !name.is_empty() {
                self.steps.push_front(Step::Host {
                    name,
                    port: record.port,
                    transport,
                });
            }
        }
    }

    fn addresses(&mut self, transport: Transport, port: u16, addresses: Vec<IpAddr>) {
        for ip in addresses {
            self.hop(transport, SocketAddr::new(ip, port));
        }
    }

    fn hop(&mut self, transport: Transport, address: SocketAddr) {
        if self.named.insert((transport, address)) {
            self.hops.push_back(Hop {
                transport,
                address,
                domain: self.domain.clone(),
            });
        }
    }
}

impl Step {
    fn question(&self) -> Question {
        match self {
            Self::Naptr(name) => Question::Naptr(name.clone()),
            Self::Srv { name, .. } => Question::Srv(name.clone()),
            Self::Host { name, .. } | Self::Unserved { name, .. } => {
                Question::Addresses(name.clone())
            }
        }
    }
}

/// What the URI itself asks for. `sips:` is TLS, also with the `transport=tcp` of RFC 3261's days.
fn transport_of(uri: &Uri, secure: bool) -> Result<Option<Transport>, LocateError> {
    match (uri.transport().as_deref(), secure) {
        (None, _) => Ok(None),
        (Some("udp"), false) => Ok(Some(Transport::Udp)),
        (Some("tcp"), false) => Ok(Some(Transport::Tcp)),
        (Some("tls"), _) | (Some("tcp"), true) => Ok(Some(Transport::Tls)),
        (Some("udp"), true) => Err(LocateError::Insecure),
        (Some(_), _) => Err(LocateError::Transport),
    }
}

/// Where a transport is served at a domain (RFC 3263 §4.1).
fn service(name: &str, transport: Transport) -> Step {
    let label = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
    };
    Step::Srv {
        name: format!("{label}.{name}"),
        transport,
    }
}

fn absolute(name: &str) -> String {
    name.trim_end_matches('.').to_owned()
}

fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Udp | Transport::Tcp => 5060,
        Transport::Tls => 5061,
    }
}
