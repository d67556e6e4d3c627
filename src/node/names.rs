//! DNS, as `call::route` wants it: NAPTR, SRV, A and AAAA records as values.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use call::route::{Answer, Naptr, Question, Srv};
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};

/// Who is asked for names.
#[derive(Clone)]
pub(crate) struct Names {
    /// `None` where the machine has no DNS: then nothing has records.
    resolver: Option<TokioResolver>,
    /// Whether addresses are the operating system's to find: its hosts file counts, too.
    system: bool,
}

impl Names {
    /// Asks whom the machine asks.
    pub(crate) fn system() -> Self {
        let resolver = TokioResolver::builder_tokio()
            .and_then(|builder| patient(builder).build())
            .inspect_err(|error| tracing::warn!(%error, "this machine has no DNS"))
            .ok();
        Self {
            resolver,
            system: true,
        }
    }

    /// Asks this name server and nobody else.
    pub(crate) fn of(server: SocketAddr) -> Self {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()]
            .into_iter()
            .map(|mut connection| {
                connection.port = server.port();
                connection
            })
            .collect();
        let server = NameServerConfig::new(server.ip(), true, connections);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let provider = TokioRuntimeProvider::default();
        let builder = TokioResolver::builder_with_config(config, provider);
        Self {
            resolver: patient(builder).build().ok(),
            system: false,
        }
    }

    /// The answer to a question. A name that does not exist, or of which nothing can be learned, has no records:
    /// what is tried next is the same.
    pub(crate) async fn ask(&self, question: &Question) -> Answer {
        match question {
            Question::Naptr(name) => Answer::Naptr(
                self.records(name, RecordType::NAPTR)
                    .await
                    .into_iter()
                    .filter_map(|data| match data {
                        RData::NAPTR(naptr) => Some(Naptr {
                            order: naptr.order,
                            preference: naptr.preference,
                            flags: String::from_utf8_lossy(&naptr.flags).into_owned(),
                            services: String::from_utf8_lossy(&naptr.services).into_owned(),
                            replacement: naptr.replacement.to_ascii(),
                        }),
                        _ => None,
                    })
                    .collect(),
            ),
            Question::Srv(name) => Answer::Srv(
                self.records(name, RecordType::SRV)
                    .await
                    .into_iter()
                    .filter_map(|data| match data {
                        RData::SRV(srv) => Some(Srv {
                            priority: srv.priority,
                            weight: srv.weight,
                            port: srv.port,
                            target: srv.target.to_ascii(),
                        }),
                        _ => None,
                    })
                    .collect(),
            ),
            Question::Addresses(name) => Answer::Addresses(self.addresses(name).await),
        }
    }

    /// What the TXT records of a name say, each in one piece (RFC 7208 section 3.3 joins them likewise). Nothing
    /// that was learned before is believed: whoever asks may just have added the record.
    pub(crate) async fn text(&self, name: &str) -> Result<Vec<String>, NoAnswer> {
        let Some(resolver) = &self.resolver else {
            return Err(NoAnswer::Failed("this machine has no DNS".to_owned()));
        };
        resolver.clear_cache();
        match resolver.lookup(format!("{name}."), RecordType::TXT).await {
            Ok(lookup) => Ok(lookup
                .answers()
                .iter()
                .filter_map(|record| match &record.data {
                    RData::TXT(text) => {
                        let whole: Vec<u8> = text.txt_data.iter().flatten().copied().collect();
                        Some(String::from_utf8_lossy(&whole).into_owned())
                    }
                    _ => None,
                })
                .collect()),
            Err(error) if error.is_no_records_found() || error.is_nx_domain() => {
                Err(NoAnswer::NoRecord)
            }
            Err(error) => Err(NoAnswer::Failed(error.to_string())),
        }
    }

    async fn records(&self, name: &str, kind: RecordType) -> Vec<RData> {
        let Some(resolver) = &self.resolver else {
            return Vec::new();
        };
        // A host of the local network has no records, and asking for them may take long.
        let labels = name.split('.').filter(|label| !label.starts_with('_'));
        if labels.count() < 2 || name.ends_with(".localhost") {
            return Vec::new();
        }
        // With its final dot a name is not looked for in the machine's own domain.
        match resolver.lookup(format!("{name}."), kind).await {
            Ok(lookup) => lookup.answers().iter().map(|r| r.data.clone()).collect(),
            Err(error) => {
                tracing::debug!(name, %kind, %error, "no DNS records");
                Vec::new()
            }
        }
    }

    async fn addresses(&self, name: &str) -> Vec<IpAddr> {
        let found = match &self.resolver {
            Some(resolver) if !self.system => resolver
                .lookup_ip(format!("{name}."))
                .await
                .map(|found| found.iter().collect())
                .map_err(|error| error.to_string()),
            _ => tokio::net::lookup_host((name, 0))
                .await
                .map(|found| found.map(|address| address.ip()).collect())
                .map_err(|error| error.to_string()),
        };
        found.unwrap_or_else(|error| {
            tracing::debug!(name, %error, "no address");
            Vec::new()
        })
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

/// Why a name says nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum NoAnswer {
    /// It has no such record, or is none.
    NoRecord,
    /// Nobody who should know it answers.
    Failed(String),
}

fn patient(
    mut builder: ResolverBuilder<TokioRuntimeProvider>,
) -> ResolverBuilder<TokioRuntimeProvider> {
    let options = builder.options_mut();
    // A caller waits for the answer; the next server is asked after this.
    options.timeout = PATIENCE;
    options.attempts = 2;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    builder
}

/// How long one name server may take.
const PATIENCE: Duration = Duration::from_secs(2);
