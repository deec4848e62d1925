//! Which accounts of the organization are onboarded.

use crate::glob;
use crate::ids::{AccountId, OuId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `[members.select]`: an account is selected when it fits every condition that is set. What is not set fits all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Selection {
    /// Ids (`ou-…`) or paths of names (`Workloads/Production`); units below them count.
    pub units: Vec<String>,
    /// The same, left out.
    pub exclude_units: Vec<String>,
    /// Account names, with `*` and `?`.
    pub names: Vec<String>,
    /// Every tag must be there with this value; `*` and `?` may be used. Reading tags costs a call per account.
    pub tags: BTreeMap<String, String>,
    /// One such tag leaves the account out.
    pub exclude_tags: BTreeMap<String, String>,
    /// Selected whatever the conditions above say. Alone, only these.
    pub include: Vec<AccountId>,
    /// Left out, whatever else says so.
    pub exclude: Vec<AccountId>,
}

/// What the selection looks at.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    pub id: &'a AccountId,
    pub name: &'a str,
    /// From the root's child down, as (id, name).
    pub units: &'a [(&'a OuId, &'a str)],
    /// None when tags were not read: then no tag is there.
    pub tags: Option<&'a BTreeMap<String, String>>,
}

/// The verdict, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    Yes,
    /// Why not: the field of `[members.select]`.
    No(&'static str),
}

impl Selection {
    /// Whether tags have to be read: they cost one call per account.
    pub fn needs_tags(&self) -> bool {
        !self.tags.is_empty() || !self.exclude_tags.is_empty()
    }

    /// Whether the account is onboarded, and if not, which field says so.
    pub fn decide(&self, candidate: &Candidate<'_>) -> Selected {
        if self.exclude.contains(candidate.id) {
            return Selected::No("exclude");
        }
        if self.include.contains(candidate.id) {
            return Selected::Yes;
        }
        if self.exclude_units.iter().any(|unit| in_unit(candidate, unit)) {
            return Selected::No("exclude-units");
        }
        let has_tag = |(name, value): (&String, &String)| {
            candidate.tags.and_then(|tags| tags.get(name)).is_some_and(|found| glob::matches(value, found))
        };
        if self.exclude_tags.iter().any(has_tag) {
            return Selected::No("exclude-tags");
        }
        if !self.units.is_empty() && !self.units.iter().any(|unit| in_unit(candidate, unit)) {
            return Selected::No("units");
        }
        if !self.names.is_empty() && !self.names.iter().any(|name| glob::matches(name, candidate.name)) {
            return Selected::No("names");
        }
        if !self.tags.iter().all(has_tag) {
            return Selected::No("tags");
        }
        let only_included = !self.include.is_empty()
            && self.units.is_empty()
            && self.names.is_empty()
            && self.tags.is_empty();
        if only_included { Selected::No("include") } else { Selected::Yes }
    }

    pub(super) fn check(&self) -> Result<(), (String, String)> {
        for (field, units) in [("units", &self.units), ("exclude-units", &self.exclude_units)] {
            for unit in units {
                let malformed_id = unit.starts_with("ou-") && OuId::new(unit.as_str()).is_err();
                let malformed_path = unit.is_empty() || unit.split('/').any(str::is_empty);
                if malformed_id || malformed_path {
                    return Err((
                        field.into(),
                        format!(
                            "`{unit}` is no unit; write an id (`ou-a1b2-c3d4e5f6`) or a path (`Workloads/Production`)"
                        ),
                    ));
                }
            }
        }
        if let Some(both) = self.include.iter().find(|id| self.exclude.contains(id)) {
            return Err(("exclude".into(), format!("{both} is in `include` too; keep it in one of the two")));
        }
        Ok(())
    }
}

/// Whether the account is in the unit, at any depth.
fn in_unit(candidate: &Candidate<'_>, unit: &str) -> bool {
    if unit.starts_with("ou-") {
        return candidate.units.iter().any(|(id, _)| id.as_str() == unit);
    }
    let mut wanted = unit.split('/');
    let mut found = candidate.units.iter();
    wanted.all(|name| found.next().is_some_and(|(_, found)| *found == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(selection: &str, name: &str, tags: &[(&str, &str)]) -> Selected {
        let selection: Selection = toml::from_str(selection).unwrap();
        selection.check().unwrap();
        let (workloads, production) =
            (OuId::new("ou-a1b2-workload1").unwrap(), OuId::new("ou-a1b2-product1").unwrap());
        let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        selection.decide(&Candidate {
            id: &AccountId::new("111111111111").unwrap(),
            name,
            units: &[(&workloads, "Workloads"), (&production, "Production")],
            tags: Some(&tags),
        })
    }

    #[test]
    fn what_is_not_set_fits_all() {
        assert_eq!(decide("", "shop", &[]), Selected::Yes);
    }

    #[test]
    fn units_are_named_by_id_or_path_and_hold_what_is_below() {
        for unit in ["ou-a1b2-workload1", "ou-a1b2-product1", "Workloads", "Workloads/Production"] {
            assert_eq!(decide(&format!("units = [\"{unit}\"]"), "shop", &[]), Selected::Yes, "{unit}");
            assert_eq!(
                decide(&format!("exclude-units = [\"{unit}\"]"), "shop", &[]),
                Selected::No("exclude-units"),
                "{unit}"
            );
        }
        // A name in the middle of the path is no path, and neither is a part of a name.
        for unit in ["Production", "Work", "Workloads/Production/Shop", "ou-a1b2-workload2"] {
            assert_eq!(
                decide(&format!("units = [\"{unit}\"]"), "shop", &[]),
                Selected::No("units"),
                "{unit}"
            );
        }
    }

    #[test]
    fn tags_and_names_are_patterns_and_exclusion_wins() {
        let yes = decide("names = [\"shop-*\"]\ntags = { log = \"y*\" }", "shop-1", &[("log", "yes")]);
        assert_eq!(yes, Selected::Yes);
        assert_eq!(decide("tags = { log = \"yes\" }", "shop", &[]), Selected::No("tags"));
        assert_eq!(
            decide("exclude-tags = { log = \"*\" }", "shop", &[("log", "no")]),
            Selected::No("exclude-tags")
        );
        assert_eq!(decide("exclude = [\"111111111111\"]", "shop", &[]), Selected::No("exclude"));
    }

    #[test]
    fn include_alone_selects_only_those_and_beside_others_adds_them() {
        assert_eq!(decide("include = [\"222222222222\"]", "shop", &[]), Selected::No("include"));
        assert_eq!(decide("include = [\"222222222222\"]\nnames = [\"shop\"]", "shop", &[]), Selected::Yes);
        assert_eq!(decide("include = [\"111111111111\"]\nnames = [\"x\"]", "shop", &[]), Selected::Yes);
        assert_eq!(
            decide(
                "include = [\"111111111111\"]\nexclude-units = [\"Workloads\"]\nexclude-tags = { a = \"*\" }",
                "shop",
                &[("a", "b")]
            ),
            Selected::Yes
        );
    }
}
