//! `/live`, `/ready` and `/metrics` over plain HTTP, for those who watch the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Mutex;

use crate::control::audit::Trail;
use crate::control::now_ms;
use crate::store::Store;

/// Whether the server can do what it is there for: new calls are taken, and the database and the audit trail can be
/// written, without which the API answers errors only.
#[derive(Debug)]
pub struct Readiness {
    accepting: Arc<AtomicBool>,
    store: Store,
    trail: Trail,
    /// What was found last, and when. Held while it is looked at, so that many who ask at once make one look.
    looked: Mutex<Option<(Instant, Found)>>,
}

/// What stands in the way; nothing where all is well.
type Found = Result<(), &'static str>;

impl Readiness {
    /// `accepting` says whether new calls are taken.
    #[must_use]
    pub fn new(accepting: Arc<AtomicBool>, store: Store, trail: Trail) -> Self {
        Self {
            accepting,
            store,
            trail,
            looked: Mutex::new(None),
        }
    }

    async fn now(&self) -> Found {
        if !self.accepting.load(Ordering::Relaxed) {
            return Err("not taking calls");
        }
        let mut looked = self.looked.lock().await;
        let before = *looked;
        if let Some((when, found)) = before
            && when.elapsed() < FRESH
        {
            return found;
        }
        let found = match (self.look().await, before) {
            (Some(found), _) => found,
            // Others may be writing; whoever asks again is told for a while what was found before.
            (None, Some((when, Ok(())))) if when.elapsed() < LATE => return Ok(()),
            (None, _) => Err("the database does not answer"),
        };
        if found.is_ok() && before.is_some_and(|(_, found)| found.is_err()) {
            tracing::info!("ready again");
        }
        *looked = Some((Instant::now(), found));
        found
    }

    /// What is found; nothing where the database takes too long to tell.
    async fn look(&self) -> Option<Found> {
        let (store, trail) = tokio::join!(
            tokio::time::timeout(PATIENCE, self.store.try_write(now_ms())),
            tokio::time::timeout(PATIENCE, self.trail.try_write()),
        );
        let said = |what: &'static str, why: &dyn ToString| {
            tracing::error!(why = why.to_string(), "not ready: {what}");
            Some(Err(what))
        };
        let trail_fails = "the audit trail cannot be written";
        match (store, trail) {
            (Ok(Err(why)), _) => said("the database cannot be written", &why),
            (_, Ok(Err(why))) => said(trail_fails, &why),
            (_, Err(late)) => said(trail_fails, &late),
            (Err(_), _) => None,
            (Ok(Ok(_)), Ok(Ok(()))) => Some(Ok(())),
        }
    }
}

/// The three paths.
pub fn router(metrics: PrometheusHandle, readiness: Readiness) -> Router {
    let readiness = Arc::new(readiness);
    let ready = move || async move {
        match readiness.now().await {
            Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        }
    };
    let exposition = move || async move {
        let text = [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )];
        (text, metrics.render())
    };
    Router::new()
        .route("/live", get(|| async { "alive\n" }))
        .route("/ready", get(ready))
        .route("/metrics", get(exposition))
}

/// How long an answer holds: those who ask every second are no load.
const FRESH: Duration = Duration::from_secs(3);

/// How long a write may take. Whoever asks gives up soon after.
const PATIENCE: Duration = Duration::from_secs(5);

/// How old an answer may be that is given while the database lets others write: they have ten seconds each.
const LATE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tower::ServiceExt;

    use super::*;
    use crate::control::audit::testing::trail;

    /// What `/ready` answers on a server of that data folder, asked for the first time.
    async fn asked(store: &Store, trail: &Trail, accepting: bool) -> (StatusCode, String) {
        let accepting = Arc::new(AtomicBool::new(accepting));
        let readiness = Readiness::new(accepting, store.clone(), trail.clone());
        let metrics = PrometheusBuilder::new().build_recorder().handle();
        let request = Request::get("/ready").body(Body::empty()).unwrap();
        let response = router(metrics, readiness).oneshot(request).await.unwrap();
        let status = response.status();
        let said = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&said).into_owned())
    }

    #[tokio::test]
    async fn whoever_cannot_write_is_not_ready() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let trail = trail(&store, data.path());
        let no = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(
            asked(&store, &trail, true).await,
            (StatusCode::OK, "ready\n".to_owned())
        );
        let draining = asked(&store, &trail, false).await;
        assert_eq!(draining, (no, "not taking calls\n".to_owned()));
        let spool = data.path().join("spool/audit");
        assert_eq!(
            std::fs::read_dir(&spool).unwrap().count(),
            0,
            "nothing is left behind"
        );
        std::fs::rename(&spool, data.path().join("away")).unwrap();
        let (status, said) = asked(&store, &trail, true).await;
        assert_eq!((status, said.contains("audit trail")), (no, true), "{said}");
        std::fs::rename(data.path().join("away"), &spool).unwrap();
        assert_eq!(asked(&store, &trail, true).await.0, StatusCode::OK);
        store.close().await;
        let (status, said) = asked(&store, &trail, true).await;
        assert_eq!((status, said.contains("database")), (no, true), "{said}");
    }

    #[tokio::test]
    async fn an_answer_holds_for_a_while() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path()).await.unwrap();
        let trail = trail(&store, data.path());
        let accepting = Arc::new(AtomicBool::new(true));
        let readiness = Readiness::new(accepting, store.clone(), trail);
        assert_eq!(readiness.now().await, Ok(()));
        store.close().await;
        *readiness.looked.lock().await = Some((Instant::now(), Ok(())));
        assert_eq!(readiness.now().await, Ok(()), "nobody has looked since");
        let long_ago = Instant::now().checked_sub(FRESH).unwrap();
        *readiness.looked.lock().await = Some((long_ago, Ok(())));
        assert_eq!(readiness.now().await, Err("the database cannot be written"));
    }
}
