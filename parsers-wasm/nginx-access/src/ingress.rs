//! What the Kubernetes ingress controller appends to `combined`:
//! `LENGTH TIME [UPSTREAM] [ALTERNATIVE] ADDRESS RESPONSE_LENGTH RESPONSE_TIME STATUS REQUEST_ID`.
//!
//! A request that was tried on several upstreams has lists in the four fields of the upstream: `0, 512 0.001, 0.020`.

use weir_parser_sdk::access::{Line, group};
use weir_parser_sdk::quoted::{Splitter, some};
use weir_parser_sdk::{ObjectWriter, json, time};

/// The fields behind the user agent.
#[derive(Debug)]
pub(crate) struct Ingress<'a> {
    request_time: &'a str,
    upstream_name: &'a str,
    alternative_upstream_name: &'a str,
    upstream: [&'a str; 4],
}

/// The names of the fields that are lists, as the ingress controller's documentation has them.
const UPSTREAM: [&str; 4] =
    ["upstream_addr", "upstream_response_length", "upstream_response_time", "upstream_status"];

/// Takes the fields from the line, if it has them.
pub(crate) fn take<'a>(line: &mut Line<'a>) -> Option<Ingress<'a>> {
    let mut fields = line.extra.clone();
    let length = fields.bare()?.raw();
    let request_time = fields.bare()?.raw();
    if !json::is_integer(length.as_bytes())
        || length.starts_with('-')
        || !json::is_number(request_time.as_bytes())
    {
        return None;
    }
    let upstream_name = fields.bracketed()?.raw();
    let alternative_upstream_name = fields.bracketed()?.raw();
    let mut rest = fields.rest();
    let mut upstream = [""; 4];
    for field in &mut upstream {
        (*field, rest) = group(rest);
    }
    let (id, rest) = group(rest);
    line.request_bytes = Some(length);
    line.request_id = some(id);
    // Seconds with a fraction, as an epoch has them.
    line.duration = time::parse_epoch_seconds(request_time).filter(|duration| *duration >= 0);
    line.extra = Splitter::new(rest);
    Some(Ingress { request_time, upstream_name, alternative_upstream_name, upstream })
}

impl Ingress<'_> {
    pub(crate) fn write(&self, vendor: &mut ObjectWriter<'_>) {
        vendor.raw("request_time", self.request_time);
        vendor.optional("proxy_upstream_name", some(self.upstream_name));
        vendor.optional("proxy_alternative_upstream_name", some(self.alternative_upstream_name));
        for (name, value) in UPSTREAM.into_iter().zip(self.upstream) {
            if let Some(list) = some(value) {
                vendor.strings(name, list.split(',').map(str::trim));
            }
        }
    }
}
