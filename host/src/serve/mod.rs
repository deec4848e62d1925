//! The HTTP service of `weir run`: search, metrics, health.
//!
//! Loopback only, unless a token is configured; then every request but the health checks must carry it.

mod metrics;

pub use metrics::Metrics;

use crate::output::embedded::{EmbeddedIndex, IndexError, SearchRequest};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The most hits that one request returns.
const MOST_HITS: usize = 10_000;

/// What requests are answered from.
pub struct Service {
    /// The folder of the embedded index.
    pub index: Option<Arc<EmbeddedIndex>>,
    pub metrics: Arc<Metrics>,
    /// Whether the first look at the sources is over.
    pub ready: AtomicBool,
    /// What a request must carry as `Authorization: Bearer`.
    pub token: Option<String>,
}

/// The routes.
pub fn router(service: Arc<Service>) -> Router {
    let guarded = Router::new()
        .route("/api/search", get(search))
        .route("/metrics", get(metrics))
        .layer(middleware::from_fn_with_state(service.clone(), authorize));
    Router::new()
        .fallback(|| async {
            problem(StatusCode::NOT_FOUND, "there are /api/search, /metrics, /healthz and /readyz")
        })
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .merge(guarded)
        .with_state(service)
}

async fn ready(State(service): State<Arc<Service>>) -> Response {
    if service.ready.load(Ordering::Relaxed) {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: the sources are being read for the first time\n")
            .into_response()
    }
}

async fn authorize(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let Some(token) = &service.token else { return next.run(request).await };
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.split_once(' '));
    // RFC 9110: the scheme's case does not matter.
    let is_bearer = |scheme: &str| scheme.eq_ignore_ascii_case("bearer");
    let given = given.filter(|(scheme, _)| is_bearer(scheme)).map_or("", |(_, given)| given.trim());
    // Hashes are compared, so that the time says nothing about the token.
    if blake3::hash(given.as_bytes()) == blake3::hash(token.as_bytes()) {
        next.run(request).await
    } else {
        let refused = problem(StatusCode::UNAUTHORIZED, "send the token as `Authorization: Bearer TOKEN`");
        ([(header::WWW_AUTHENTICATE, "Bearer")], refused).into_response()
    }
}

fn problem(status: StatusCode, message: impl std::fmt::Display) -> Response {
    (status, Json(json!({ "error": message.to_string() }))).into_response()
}

/// `GET /api/search?q=…&from=…&to=…&limit=…&offset=…&top=FIELD&histogram=1`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    #[serde(default)]
    q: String,
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
    offset: Option<usize>,
    top: Option<String>,
    histogram: Option<String>,
}

async fn search(
    State(service): State<Arc<Service>>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    let parameters = match parameters {
        Ok(Query(parameters)) => parameters,
        Err(rejection) => return problem(StatusCode::BAD_REQUEST, reason(&rejection)),
    };
    let Some(index) = service.index.clone() else {
        return problem(StatusCode::NOT_FOUND, "the embedded index is switched off (`index.enabled`)");
    };
    // Searching reads files: not on the threads that answer health checks.
    match tokio::task::spawn_blocking(move || answer(&index, &parameters)).await {
        Ok(Ok(answer)) => Json(answer).into_response(),
        Ok(Err(error)) if error.is_the_callers() => problem(StatusCode::BAD_REQUEST, error),
        Ok(Err(error)) => {
            tracing::error!(%error, "a search failed");
            problem(StatusCode::INTERNAL_SERVER_ERROR, error)
        }
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, error),
    }
}

/// What is wrong with a query string. The extractor's own text says only that something is.
fn reason(rejection: &QueryRejection) -> String {
    let cause = rejection.source().map_or_else(|| rejection.to_string(), ToString::to_string);
    format!("{cause}; the parameters are q, from, to, limit, offset, top and histogram")
}

/// Why a search cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error(transparent)]
    Query(#[from] crate::query::QueryError),
    #[error(
        "`{name}` is {value:?}, and should be a time: RFC 3339, a date, or `now-1d` with s, m, h, d or w"
    )]
    Time { name: &'static str, value: String },
    #[error(
        "`limit` is at most {MOST_HITS}; narrow the query or the time range, or take one range after another"
    )]
    Limit,
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl SearchError {
    fn is_the_callers(&self) -> bool {
        match self {
            SearchError::Index(error) => matches!(
                error,
                IndexError::Field { .. } | IndexError::TooManyWords { .. } | IndexError::TooManyHits { .. }
            ),
            _ => true,
        }
    }
}

/// Builds a request from what a person typed; `now` is the clock of `now-1d`.
///
/// # Errors
/// When query or times cannot be read.
pub fn request(
    query: &str,
    from: Option<&str>,
    to: Option<&str>,
    limit: usize,
    offset: usize,
) -> Result<SearchRequest, SearchError> {
    let now = i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
    let time = |name: &'static str, text: Option<&str>| {
        text.map(|text| time_of(text, now).ok_or_else(|| SearchError::Time { name, value: text.to_owned() }))
            .transpose()
    };
    if limit > MOST_HITS {
        return Err(SearchError::Limit);
    }
    let query = crate::query::parse(if query.trim().is_empty() { "*" } else { query })?;
    let plan = crate::query::Plan::new(&query, Some(now))?;
    Ok(SearchRequest { plan, from: time("from", from)?, to: time("to", to)?, limit, offset })
}

fn time_of(text: &str, now: i64) -> Option<i64> {
    let Some(rest) = text.strip_prefix("now") else { return crate::query::instant_from_text(text) };
    if rest.is_empty() {
        return Some(now);
    }
    let unit = rest.chars().last()?;
    let count: i64 = rest.strip_prefix('-')?.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    now.checked_sub(count.checked_mul(seconds)?.checked_mul(1_000_000_000)?)
}

fn answer(index: &EmbeddedIndex, parameters: &Parameters) -> Result<Value, SearchError> {
    let request = request(
        &parameters.q,
        parameters.from.as_deref(),
        parameters.to.as_deref(),
        parameters.limit.unwrap_or(50),
        parameters.offset.unwrap_or(0),
    )?;
    let found = index.search(&request)?;
    let hits: Vec<Value> =
        found.hits.iter().map(|hit| serde_json::from_slice(&hit.json).unwrap_or(Value::Null)).collect();
    let mut answer = json!({ "total": found.total, "hits": hits });
    if let Some(field) = &parameters.top {
        let top = index.top(&request, field, 10)?;
        answer["top"] = json!(
            top.values
                .iter()
                .map(|value| json!({ "value": value.value, "count": value.documents }))
                .collect::<Vec<_>>()
        );
        answer["top_exact"] = json!(!top.approximate);
    }
    if parameters.histogram.is_some() {
        let histogram = index.histogram(&request, None)?;
        answer["interval_ms"] = json!(histogram.interval_ns / 1_000_000);
        answer["histogram"] = json!(
            histogram
                .buckets
                .iter()
                .map(|bar| json!({ "time": view_time(bar.start_ns), "count": bar.documents }))
                .collect::<Vec<_>>()
        );
    }
    Ok(answer)
}

/// RFC 3339 of nanoseconds since 1970.
pub fn view_time(nanoseconds: i64) -> String {
    jiff::Timestamp::from_nanosecond(nanoseconds.into())
        .map_or_else(|_| nanoseconds.to_string(), |time| time.to_string())
}

async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let text = service.metrics.encode();
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
        .into_response()
}
