//! Names, as `call::route` wants them: addresses as the operating system finds them.

use std::net::IpAddr;

use call::route::{Answer, Question};

/// Who is asked for names.
#[derive(Clone)]
pub(crate) struct Names;

impl Names {
    /// Asks whom the machine asks.
    pub(crate) fn system() -> Self {
        Self
    }

    /// The answer to a question. A name that does not exist, or of which nothing can be learned, has no records:
    /// what is tried next is the same.
    pub(crate) async fn ask(&self, question: &Question) -> Answer {
        match question {
            Question::Naptr(_) => Answer::Naptr(Vec::new()),
            Question::Srv(_) => Answer::Srv(Vec::new()),
            Question::Addresses(name) => Answer::Addresses(addresses(name).await),
        }
    }
}

async fn addresses(name: &str) -> Vec<IpAddr> {
    match tokio::net::lookup_host((name, 0)).await {
        Ok(found) => found.map(|address| address.ip()).collect(),
        Err(error) => {
            tracing::debug!(name, %error, "no address");
            Vec::new()
        }
    }
}
