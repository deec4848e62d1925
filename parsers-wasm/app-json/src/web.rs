//! Requests of the web, as access logs in JSON and the middleware of web frameworks name them.

use crate::collect::Record;
use crate::content::Content;
use crate::fields::DEFAULT;
use weir_parser_sdk::ecs::{self, AnyField};
use weir_parser_sdk::ip_version;
use weir_parser_sdk::reader::JsonText;
use weir_parser_sdk::url::{Request, Url};

impl<'a> Record<'a> {
    /// `GET /path HTTP/1.1`; whether nothing of it is lost in ECS. Names that say a part alone come first.
    pub(crate) fn apply_request(&mut self, text: JsonText<'a>) -> bool {
        let line = text.unescape();
        let request = Request::split(&line);
        let (Some(method), Some(target), Some(version)) = (request.method, request.target, request.version())
        else {
            return false;
        };
        self.is_web = true;
        self.offer(ecs::HTTP_REQUEST_METHOD.into(), 3, made(method))
            & self.offer(ecs::URL_ORIGINAL.into(), 2, made(target))
            & self.offer(ecs::HTTP_VERSION.into(), 2, made(version))
    }

    pub(crate) fn apply_host(&mut self, text: JsonText<'a>) -> bool {
        let text = text.unescape();
        let Url { username: None, domain: Some(domain), port, .. } = Url::parse_authority(&text) else {
            return false;
        };
        let taken = self.offer(ecs::URL_DOMAIN.into(), 1, made(domain));
        match port {
            Some(port) => self.offer(ecs::URL_PORT.into(), 1, made(port)) && taken,
            None => taken,
        }
    }

    pub(crate) fn apply_protocol(&mut self, text: JsonText<'a>) -> bool {
        let raw = text.raw();
        // A slash may be escaped.
        let version = raw.strip_prefix("HTTP/").or_else(|| raw.strip_prefix("HTTP\\/"));
        let version = version.filter(|version| version.starts_with(|first: char| first.is_ascii_digit()));
        version.is_some_and(|version| {
            self.offer(ecs::HTTP_VERSION.into(), 1, Content::Text(JsonText::from_raw(version)))
        })
    }

    /// The first address of the list; the list stays unless that is all of it.
    pub(crate) fn apply_forwarded(&mut self, text: JsonText<'a>) -> bool {
        let (first, others) =
            text.raw().split_once(',').map_or((text.raw(), false), |(first, _)| (first, true));
        let address = first.trim();
        ip_version(address).is_some()
            && self.offer(ecs::NETWORK_FORWARDED_IP.into(), 1, Content::Text(text.part(address)))
            && !others
    }

    /// The parts of the URL that a conventional name told, unless the record names them itself. A record in ECS says
    /// what it wants to say.
    pub(crate) fn add_url_parts(&mut self) {
        let Some((1.., text)) = self.fields.text(ecs::URL_ORIGINAL.into()) else { return };
        let url = Url::parse(&text);
        if url.full.is_none() && !text.starts_with('/') {
            return;
        }
        let parts: [(AnyField, Option<&str>); 8] = [
            (ecs::URL_FULL.into(), url.full),
            (ecs::URL_SCHEME.into(), url.scheme),
            (ecs::URL_DOMAIN.into(), url.domain),
            (ecs::URL_PORT.into(), url.port),
            (ecs::URL_PATH.into(), url.path),
            (ecs::URL_EXTENSION.into(), url.extension()),
            (ecs::URL_QUERY.into(), url.query),
            (ecs::URL_FRAGMENT.into(), url.fragment),
        ];
        for (field, part) in parts {
            if let Some(part) = part {
                self.fields.offer(field, DEFAULT, None, made(part), &mut None);
            }
        }
    }
}

fn made<'a>(text: &str) -> Content<'a> {
    Content::Made(text.to_owned())
}
