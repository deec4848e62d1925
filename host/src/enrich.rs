//! GeoIP and ASN from databases in MaxMind's format (MaxMind DB File Format Specification 2.0), when configured.

use crate::config::{Config, ConfigError};
use maxminddb::{Reader, geoip2};
use serde_json::{Map, Value, json};
use std::net::IpAddr;
use std::path::Path;

/// The endpoints that have an address to look up.
const ENDPOINTS: [&str; 4] = ["source", "destination", "client", "server"];

/// The databases in use; none unless configured.
#[derive(Debug, Default)]
pub struct Enricher {
    geo: Option<Reader<Vec<u8>>>,
    asn: Option<Reader<Vec<u8>>>,
}

impl Enricher {
    /// Opens the configured databases.
    ///
    /// # Errors
    /// Names the file that cannot be read.
    pub fn open(config: &Config) -> Result<Self, ConfigError> {
        let open = |setting: &str, path: &Option<std::path::PathBuf>| {
            path.as_deref().map(|path| read(setting, &config.resolve(path))).transpose()
        };
        Ok(Enricher {
            geo: open("enrich.geoip", &config.enrich.geoip)?,
            asn: open("enrich.asn", &config.enrich.asn)?,
        })
    }

    /// Whether there is nothing to look up in.
    pub fn is_idle(&self) -> bool {
        self.geo.is_none() && self.asn.is_none()
    }

    /// Adds `geo.*` and `as.*` beside each endpoint's `ip`. What the record itself says stays.
    pub fn enrich(&self, event: &mut Map<String, Value>) {
        for endpoint in ENDPOINTS {
            let Some(Value::Object(fields)) = event.get_mut(endpoint) else { continue };
            let Some(address) =
                fields.get("ip").and_then(Value::as_str).and_then(|ip| ip.parse::<IpAddr>().ok())
            else {
                continue;
            };
            if let Some(geo) = self.geo(address) {
                merge(fields, "geo", geo);
            }
            if let Some(system) = self.autonomous_system(address) {
                merge(fields, "as", system);
            }
        }
    }

    fn geo(&self, address: IpAddr) -> Option<Value> {
        let city: geoip2::City<'_> = self.geo.as_ref()?.lookup(address).ok()?.decode().ok()??;
        let region = city.subdivisions.first();
        let location = city.location.latitude.zip(city.location.longitude);
        let fields = [
            ("continent_code", city.continent.code.map(Value::from)),
            ("continent_name", city.continent.names.english.map(Value::from)),
            ("country_iso_code", city.country.iso_code.map(Value::from)),
            ("country_name", city.country.names.english.map(Value::from)),
            ("region_iso_code", region.and_then(|region| region.iso_code).map(Value::from)),
            ("region_name", region.and_then(|region| region.names.english).map(Value::from)),
            ("city_name", city.city.names.english.map(Value::from)),
            ("postal_code", city.postal.code.map(Value::from)),
            ("timezone", city.location.time_zone.map(Value::from)),
            ("location", location.map(|(latitude, longitude)| json!({ "lat": latitude, "lon": longitude }))),
        ];
        Some(
            fields
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect::<Map<_, _>>()
                .into(),
        )
    }

    fn autonomous_system(&self, address: IpAddr) -> Option<Value> {
        let asn: geoip2::Asn<'_> = self.asn.as_ref()?.lookup(address).ok()?.decode().ok()??;
        let mut fields = Map::new();
        if let Some(number) = asn.autonomous_system_number {
            fields.insert("number".to_owned(), number.into());
        }
        if let Some(name) = asn.autonomous_system_organization {
            fields.insert("organization".to_owned(), json!({ "name": name }));
        }
        (!fields.is_empty()).then(|| fields.into())
    }
}

fn read(setting: &str, path: &Path) -> Result<Reader<Vec<u8>>, ConfigError> {
    Reader::open_readfile(path).map_err(|error| ConfigError::Value {
        setting: setting.to_owned(),
        problem: format!(
            "cannot read the database {} ({error}); give a file in MaxMind DB format",
            path.display()
        ),
    })
}

fn merge(fields: &mut Map<String, Value>, name: &str, found: Value) {
    match (fields.get_mut(name), found) {
        (Some(Value::Object(existing)), Value::Object(found)) => {
            for (key, value) in found {
                existing.entry(key).or_insert(value);
            }
        }
        (Some(_), _) => {}
        (None, found) => {
            if found.as_object().is_none_or(|fields| !fields.is_empty()) {
                fields.insert(name.to_owned(), found);
            }
        }
    }
}
