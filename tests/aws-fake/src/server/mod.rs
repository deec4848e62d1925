//! HTTP: reads a request, finds who calls what, and carries it out under the one lock.

mod control;
mod operation;
mod protocol;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::DATE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use tokio::net::TcpListener;

use crate::auth::{Scope, identify};
use crate::call::{Call, Service};
use crate::clock::http_date;
use crate::error::AwsError;
use crate::faults::{Fate, Faults, Point};
use crate::http::{HttpRequest, Reply};
use crate::state::State;
use crate::world::World;

/// The largest body that is read.
const LARGEST_BODY: usize = 64 << 20;
/// How long a held request waits before it looks again.
const HELD_MS: u64 = 5;

/// The fake: its state, shared by all connections.
#[derive(Debug, Clone)]
pub struct Fake(Arc<Mutex<State>>);

impl Fake {
    /// A fake of a world. Call [`World::complete`] before, or load it from JSON.
    pub fn new(world: World) -> Self {
        Self(Arc::new(Mutex::new(State::new(world))))
    }

    /// Stops the clock at a time (ms since 1970), so that only `POST /_fake/clock` moves it.
    pub fn stop_clock(&self, now_ms: i64) {
        let mut state = self.lock();
        state.clock.set(now_ms);
        state.clock.set_speed(0.0);
    }

    /// Sets faults, throttles and latencies.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// Serves until the task is dropped.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let router = Router::new().fallback(move |request: Request| self.clone().answer(request));
        axum::serve(tcp_nodelay(listener), router).await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of one request must not fail all later ones.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
            return respond(Reply::empty(413), 0);
        };
        let query = parts.uri.query().unwrap_or_default();
        let request = HttpRequest {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: parts.headers,
            body,
        };
        if request.path.starts_with("/_fake/") {
            return respond(control::handle(&self, &request), 0);
        }
        let scope = Scope::of(&request);
        let Some(service) = scope
            .as_ref()
            .map_or(Some(Service::S3), |scope| Service::of_scope(&scope.service, &request.path))
        else {
            let name = scope.map(|scope| scope.service).unwrap_or_default();
            let error = AwsError::not_implemented(&name, "any operation");
            return respond(protocol::error(Service::S3, &request.method, &error, "0"), 0);
        };
        let operation = operation::of(service, &request);
        let latency = {
            let mut state = self.lock();
            let region = scope.as_ref().map_or("", |scope| scope.region.as_str());
            let account = state.account_of(scope.as_ref());
            let state = &mut *state;
            let point =
                Point { service, operation: &operation, account: &account, region, path: &request.path };
            state.faults.latency_ms(point, &mut state.random)
        };
        // Half before and half after the deed: a client that dies meanwhile may or may not have written.
        pause(latency / 2).await;
        let (reply, number) = loop {
            match self.handle(service, &operation, scope.as_ref(), &request) {
                Some(answered) => break answered,
                None => pause(HELD_MS).await,
            }
        };
        pause(latency - latency / 2).await;
        while self.lock().is_held() {
            pause(HELD_MS).await;
        }
        let mut response = respond(reply, number);
        // A client that waits for AWS's minutes reads them here.
        let date = http_date(self.lock().clock.now_ms());
        if let Ok(date) = HeaderValue::try_from(date) {
            response.headers_mut().insert(DATE, date);
        }
        response
    }

    /// Carries out a request; `None` while the fake is held.
    fn handle(
        &self,
        service: Service,
        operation: &str,
        scope: Option<&Scope>,
        request: &HttpRequest,
    ) -> Option<(Reply, u64)> {
        let mut state = self.lock();
        if state.is_held() {
            return None;
        }
        let now_ms = state.clock.now_ms();
        state.settle(now_ms);
        let mut account = state.account_of(scope);
        let outcome = state.carry_out(service, operation, scope, request, now_ms, &mut account);
        let code = outcome.as_ref().err().map(|error| error.code.clone());
        state.count(&format!("{service}:{operation}"), &account, code.as_deref());
        let number = state.counts.total;
        drop(state);
        Some(match outcome {
            Ok(reply) => (reply, number),
            Err(error) => {
                (protocol::error(service, &request.method, &error, &protocol::request_id(number)), number)
            }
        })
    }
}

impl State {
    /// The account that a key belongs to, without checks; empty if unknown.
    fn account_of(&self, scope: Option<&Scope>) -> String {
        let Some(scope) = scope else { return String::new() };
        if let Some(session) = self.sessions.get(&scope.access_key) {
            return session.identity.account().to_owned();
        }
        let found = self
            .world
            .accounts
            .iter()
            .find(|(_, account)| account.access_keys.contains_key(&scope.access_key));
        found.map(|(id, _)| id.clone()).unwrap_or_default()
    }

    fn carry_out(
        &mut self,
        service: Service,
        operation: &str,
        scope: Option<&Scope>,
        request: &HttpRequest,
        now_ms: i64,
        account: &mut String,
    ) -> Result<Reply, AwsError> {
        let identity = identify(&self.world, &self.sessions, now_ms, service, scope, request)?;
        identity.account().clone_into(account);
        let region = scope.map_or("", |scope| scope.region.as_str());
        let point = Point { service, operation, account: identity.account(), region, path: &request.path };
        let fate = self.faults.judge(point, now_ms, &mut self.random);
        if let Fate::Fail(error) = fate {
            return Err(error);
        }
        let call = Call { service, operation, region, identity: &identity, now_ms, request };
        let outcome = match service {
            Service::Organizations => crate::organizations::handle(self, &call),
            Service::Sts => crate::sts::handle(self, &call),
            Service::Iam => crate::iam::handle(self, &call),
            Service::Kms => crate::kms::handle(self, &call),
            Service::Sqs => crate::sqs::handle(self, &call),
            Service::S3 => crate::s3::handle(self, &call),
            Service::S3Control => crate::s3control::handle(self, &call),
        };
        match (outcome, fate) {
            (Ok(_), Fate::FailAfter(error)) => Err(error),
            (outcome, _) => outcome,
        }
    }
}

/// A running fake within a test's own process. It stops when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    /// The fake, to set faults and the clock without HTTP.
    pub fake: Fake,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Server {
    /// Starts on a free port of 127.0.0.1.
    pub async fn start(world: World) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let fake = Fake::new(world);
        let task = tokio::spawn(fake.clone().serve(listener));
        Ok(Self { address, fake, task })
    }

    /// `http://127.0.0.1:PORT`, for every service.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }
}

fn tcp_nodelay(listener: TcpListener) -> axum::serve::TapIo<TcpListener, fn(&mut tokio::net::TcpStream)> {
    use axum::serve::ListenerExt as _;
    // Without it, small answers wait for acknowledgements; a socket that refuses only stays slow.
    listener.tap_io(|stream| drop(stream.set_nodelay(true)))
}

fn respond(reply: Reply, number: u64) -> Response {
    let id = protocol::request_id(number);
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let own = [("x-amzn-requestid", id.clone()), ("x-amz-request-id", id)];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
    for (name, value) in reply.headers.into_iter().chain(own) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
