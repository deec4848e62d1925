//! From bucket and key to log type, parser and origin.
//!
//! Routing comes first, since framing depends on the log type. The configuration's routes are asked in their order,
//! then the manifests' suggestions by priority; a stream inside a wrapper may be routed again by its log group or
//! container. `explain` gives the same answer with its reasons, so that `weir route explain` cannot disagree with what
//! ingest does.

mod key;
mod zone;

pub use key::{Location, locate};
pub use zone::Zone;

use crate::config::{Config, RouteOverride, SourceSettings};
use crate::ingest::stream::{RouteDecision, StreamKey, StreamRouter};
use crate::parser::{Parser, Registry};
use encoding_rs::Encoding;
use regex::Regex;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// What a stream is routed to.
#[derive(Debug, Clone)]
pub struct Route {
    pub log_type: String,
    pub parser: Arc<Parser>,
    pub team: Option<String>,
    pub zone: Arc<Zone>,
    pub header: Option<Arc<str>>,
    pub charset: Option<&'static Encoding>,
    /// Why, in words.
    pub reason: String,
}

/// A compiled `[[route]]`.
#[derive(Debug)]
struct Override {
    settings: RouteOverride,
    key: Option<Regex>,
    log_group: Option<Regex>,
    container: Option<Regex>,
    number: usize,
}

/// Routes by the configuration and the parsers in force when it was made.
#[derive(Debug)]
pub struct Router {
    overrides: Vec<Override>,
    sources: Vec<SourceSettings>,
    parsers: Arc<BTreeMap<String, Arc<Parser>>>,
}

/// What is asked about: an object, or a stream inside one.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    bucket: &'a str,
    key: &'a str,
    account: Option<&'a str>,
    stream: &'a StreamKey,
    header: Header<'a>,
}

/// What is known of how a text begins, or of a table's columns.
#[derive(Debug, Clone, Copy)]
enum Header<'a> {
    Unknown,
    Line(&'a str),
    /// Whatever a suggestion wants: to list what an object could turn out to be.
    Any,
}

impl Router {
    /// A router for the parsers in force now.
    pub fn new(config: &Config, registry: &Registry) -> Self {
        // Checked when the configuration was read.
        let compile =
            |pattern: &Option<String>| pattern.as_deref().and_then(|pattern| Regex::new(pattern).ok());
        let overrides = config.routes.iter().enumerate().map(|(index, settings)| Override {
            key: compile(&settings.key),
            log_group: compile(&settings.log_group),
            container: compile(&settings.container),
            settings: settings.clone(),
            number: index + 1,
        });
        Router {
            overrides: overrides.collect(),
            sources: config.sources.clone(),
            parsers: registry.parsers(),
        }
    }

    /// The parsers this router knows, by log type.
    pub fn parsers(&self) -> &BTreeMap<String, Arc<Parser>> {
        &self.parsers
    }

    /// What an object, or a stream inside it, is routed to; `None` when no parser wants it. `header` is how its text
    /// begins, where that is known.
    pub fn route(
        &self,
        bucket: &str,
        key: &str,
        stream: &StreamKey,
        header: Option<&str>,
        forced: Option<&str>,
    ) -> Option<Route> {
        let located = locate(key);
        let account = stream.account.as_deref().or(located.account.as_deref());
        let header = header.map_or(Header::Unknown, Header::Line);
        let asked = Asked { bucket, key, account, stream, header };
        let fitting: Vec<&Override> = self.overrides.iter().filter(|route| fits(route, asked)).collect();
        let (log_type, reason) = match forced {
            Some(log_type) => (log_type.to_owned(), "asked for by --log-type".to_owned()),
            None => self.choose(asked, &fitting)?,
        };
        let parser = self.parsers.get(&log_type)?.clone();
        let source = self.sources.iter().find(|source| source.name == bucket);
        let first = |pick: fn(&RouteOverride) -> Option<&String>, from_source: Option<&String>| {
            fitting.iter().find_map(|route| pick(&route.settings)).or(from_source).cloned()
        };
        let zone = first(|r| r.time_zone.as_ref(), source.and_then(|s| s.time_zone.as_ref()))
            .or_else(|| parser.manifest().time_zone.clone());
        let charset = first(|r| r.charset.as_ref(), source.and_then(|s| s.charset.as_ref()));
        Some(Route {
            team: first(|r| r.team.as_ref(), None),
            zone: Arc::new(zone.and_then(|zone| Zone::named(&zone)).unwrap_or_else(Zone::utc)),
            header: first(|r| r.header.as_ref(), source.and_then(|s| s.header.as_ref())).map(Arc::from),
            charset: charset.and_then(|label| Encoding::for_label(label.as_bytes())),
            log_type,
            parser,
            reason,
        })
    }

    fn choose(&self, asked: Asked<'_>, fitting: &[&Override]) -> Option<(String, String)> {
        if let Some(route) = fitting.iter().find(|route| route.settings.log_type.is_some()) {
            let log_type = route.settings.log_type.clone()?;
            let reason = format!("[[route]] number {} of the configuration", route.number);
            return (log_type != "none").then_some((log_type, reason));
        }
        let wrapped = asked.stream.log_group.is_some() || asked.stream.container.is_some();
        let all = self.candidates(asked);
        // What the wrapper says is closer to the log than the key of the object around it.
        let best = all.iter().find(|candidate| wrapped && candidate.by_stream).or_else(|| all.first())?;
        Some((best.log_type.clone(), best.reason.clone()))
    }

    /// The manifests' suggestions that fit, best first.
    fn candidates(&self, asked: Asked<'_>) -> Vec<Candidate> {
        let mut candidates: Vec<Candidate> = Vec::new();
        for (log_type, parser) in self.parsers.iter() {
            for route in parser.manifest().routes.iter().filter(|route| &route.log_type == log_type) {
                let tests = [
                    ("key", route.key.as_ref(), Some(asked.key)),
                    ("bucket", route.bucket.as_ref(), Some(asked.bucket)),
                    ("log group", route.log_group.as_ref(), asked.stream.log_group.as_deref()),
                    ("container", route.container.as_ref(), asked.stream.container.as_deref()),
                    ("header", route.header.as_ref(), asked.header.line()),
                ];
                let given =
                    || tests.iter().filter_map(|(name, pattern, text)| pattern.map(|p| (*name, p, *text)));
                let holds = given().all(|(name, pattern, text)| match (name, asked.header) {
                    ("header", Header::Any) => true,
                    _ => text.is_some_and(|text| pattern.is_match(text)),
                });
                if holds && given().next().is_some() {
                    let mut reason = format!("parser {} takes", parser.manifest().name);
                    for (index, (name, pattern, _)) in given().enumerate() {
                        let _ =
                            write!(reason, "{} a {name} like {pattern}", if index > 0 { " and" } else { "" });
                    }
                    candidates.push(Candidate {
                        priority: route.priority,
                        log_type: log_type.clone(),
                        reason,
                        by_stream: route.log_group.is_some() || route.container.is_some(),
                    });
                }
            }
        }
        candidates.sort_by(|a, b| (a.priority, &a.log_type).cmp(&(b.priority, &b.log_type)));
        candidates
    }

    /// The answer of [`Router::route`] in words, with what else would have fitted.
    pub fn explain(&self, bucket: &str, key: &str, stream: &StreamKey, header: Option<&str>) -> Explanation {
        let located = locate(key);
        let account = stream.account.as_deref().or(located.account.as_deref());
        let asked = Asked { bucket, key, account, stream, header: header.map_or(Header::Any, Header::Line) };
        let route = self.route(bucket, key, stream, header, None);
        let considered = self
            .candidates(asked)
            .into_iter()
            .map(|candidate| (candidate.log_type, candidate.priority, candidate.reason))
            .collect();
        let refused = self.overrides.iter().filter(|o| fits(o, asked)).find_map(|route| {
            (route.settings.log_type.as_deref() == Some("none"))
                .then(|| format!("[[route]] number {} keeps it from every parser", route.number))
        });
        Explanation { located, route, considered, refused }
    }
}

impl<'a> Header<'a> {
    fn line(self) -> Option<&'a str> {
        match self {
            Header::Line(line) => Some(line),
            Header::Unknown | Header::Any => None,
        }
    }
}

#[derive(Debug)]
struct Candidate {
    priority: u32,
    log_type: String,
    reason: String,
    by_stream: bool,
}

/// Why an object goes where it goes.
#[derive(Debug)]
pub struct Explanation {
    /// What the key says.
    pub located: Location,
    /// Where it goes.
    pub route: Option<Route>,
    /// Every suggestion that fits: log type, priority, reason; best first. Where the header was not said, those
    /// that depend on it are among them.
    pub considered: Vec<(String, u32, String)>,
    /// The configuration's word that no parser gets it.
    pub refused: Option<String>,
}

fn fits(route: &Override, asked: Asked<'_>) -> bool {
    let settings = &route.settings;
    let equal =
        |wanted: &Option<String>, found: Option<&str>| wanted.as_deref().is_none_or(|w| Some(w) == found);
    let found = |pattern: &Option<Regex>, text: Option<&str>| {
        pattern.as_ref().is_none_or(|pattern| text.is_some_and(|text| pattern.is_match(text)))
    };
    equal(&settings.bucket, Some(asked.bucket))
        && settings.prefix.as_deref().is_none_or(|prefix| asked.key.starts_with(prefix))
        && equal(&settings.account, asked.account)
        && found(&route.key, Some(asked.key))
        && found(&route.log_group, asked.stream.log_group.as_deref())
        && found(&route.container, asked.stream.container.as_deref())
}

/// The router of one object: remembers what its streams were routed to.
#[derive(Debug)]
pub struct ObjectRouter<'a> {
    router: &'a Router,
    bucket: &'a str,
    key: &'a str,
    forced: Option<&'a str>,
    /// By the index that the reader hands through.
    routes: Mutex<Vec<Arc<Route>>>,
}

impl<'a> ObjectRouter<'a> {
    /// For the object at `key` of `bucket`; `forced` is a log type that overrules everything.
    pub fn new(router: &'a Router, bucket: &'a str, key: &'a str, forced: Option<&'a str>) -> Self {
        ObjectRouter { router, bucket, key, forced, routes: Mutex::default() }
    }

    /// A route by its index.
    pub fn get(&self, index: usize) -> Option<Arc<Route>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner).get(index).cloned()
    }
}

impl StreamRouter for ObjectRouter<'_> {
    fn route(&self, stream: &StreamKey, header: Option<&str>) -> RouteDecision {
        let Some(route) = self.router.route(self.bucket, self.key, stream, header, self.forced) else {
            return RouteDecision::unrouted();
        };
        let manifest = route.parser.manifest();
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let decision = RouteDecision {
            route: Some(routes.len()),
            framing: Arc::new(manifest.framing.clone()),
            header: route.header.clone(),
            unwrap_firelens: manifest.unwrap_firelens,
        };
        routes.push(Arc::new(route));
        decision
    }
}
