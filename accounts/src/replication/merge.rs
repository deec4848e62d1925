//! Our rules among those of others, in the stages of a change: the canary first, then the logs.

use super::element::{Element, XmlError};
use super::rule::{MAX_RULES, RULE_ID_PREFIX, WantedRules, does_the_same, is_ours};
use crate::ids::Arn;
use std::collections::{BTreeMap, BTreeSet};

const ROOT: &str = "ReplicationConfiguration";

/// The largest priority (a 32-bit integer).
const MAX_PRIORITY: u32 = i32::MAX as u32;

/// Why our rules cannot be put beside those of others.
#[derive(Debug, thiserror::Error)]
pub enum ReplicationError {
    #[error("the replication configuration cannot be read and written back unchanged")]
    Unreadable(#[from] XmlError),
    #[error("the replication configuration has an element <{0}> that is not known, and could be lost")]
    UnknownElement(String),
    #[error("rules of the first version ({}) cannot stand beside ours", .0.join(", "))]
    Version1(Vec<String>),
    #[error("the replication configuration would have {0} rules, and S3 takes {MAX_RULES}")]
    TooMany(usize),
    #[error("two rules have the ID {0}")]
    DuplicateId(String),
    #[error("two rules have the priority {0}")]
    DuplicatePriority(u32),
    #[error("the rule {rule} has the priority {priority}, which is no number that S3 takes")]
    Priority { rule: String, priority: String },
}

/// A configuration, as it is.
#[derive(Debug, Clone)]
pub struct ReplicationConfiguration {
    root: Element,
}

/// Whose role is on the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleOnConfiguration {
    /// No configuration, or no rules of others: the role is ours to set.
    Free,
    /// Rules of others run with it.
    Shared(String),
}

/// One document to put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// None when no rule is left: the configuration is to be deleted.
    pub text: Option<String>,
    /// The rules of others, by ID or place.
    pub carried: Vec<String>,
}

/// What to put, in order; nothing when all is as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stages {
    /// The canary's rule is new.
    pub canary: Option<Merged>,
    /// The canary has to be seen (again) before the logs' rules are put.
    pub needs_proof: bool,
    /// The logs' rules.
    pub wide: Option<Merged>,
    /// The rule that the canary is replicated by in the first stage.
    pub canary_rule: String,
    /// Rules of the first version that were converted, by ID or place.
    pub converted: Vec<String>,
    pub overlaps: Vec<Overlap>,
}

/// A rule of others and one of ours for the same destination cover the same keys: the higher priority decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    pub foreign: String,
    pub ours: String,
    /// The keys that both cover begin with it.
    pub prefix: String,
    pub ours_wins: bool,
}

impl ReplicationConfiguration {
    /// # Errors
    /// When it cannot be read, or holds what could not be written back.
    pub fn parse(text: &str) -> Result<Self, ReplicationError> {
        let root = Element::parse(text, ROOT)?;
        if let Some(unknown) = root.children().iter().find(|child| !matches!(child.name(), "Role" | "Rule")) {
            return Err(ReplicationError::UnknownElement(unknown.name().to_owned()));
        }
        Ok(ReplicationConfiguration { root })
    }

    /// All rules, in order.
    pub fn rules(&self) -> impl Iterator<Item = &Element> {
        self.root.children().iter().filter(|child| child.name() == "Rule")
    }

    /// The rules of others, in order, with their names.
    pub fn foreign(&self) -> Vec<(String, &Element)> {
        self.rules()
            .enumerate()
            .filter(|(_, rule)| !is_ours(rule))
            .map(|(place, rule)| (rule_name(place, rule), rule))
            .collect()
    }

    pub fn own(&self) -> Vec<&Element> {
        self.rules().filter(|rule| is_ours(rule)).collect()
    }

    /// The role, as written; older configurations may hold two, separated by a comma.
    pub fn role(&self) -> Option<&str> {
        self.root.text_at(&["Role"])
    }

    /// Whether the role is ours to set.
    pub fn role_on_configuration(&self) -> RoleOnConfiguration {
        match self.role() {
            Some(role) if self.rules().any(|rule| !is_ours(rule)) => {
                RoleOnConfiguration::Shared(role.to_owned())
            }
            _ => RoleOnConfiguration::Free,
        }
    }

    /// The buckets that rules replicate to, as ARNs.
    pub fn destinations(&self) -> BTreeSet<&str> {
        self.rules().filter_map(|rule| rule.text_at(&["Destination", "Bucket"])).collect()
    }

    /// The same with a role and rules: elements stay where they were, new ones follow.
    fn with(&self, role: &str, foreign: &[Element], own: &[Element]) -> Element {
        let mut root = self.root.clone();
        let mut children = vec![Element::with_text("Role", role)];
        children.extend(foreign.iter().cloned());
        children.extend(own.iter().cloned());
        *root.children_mut() = children;
        root
    }
}

fn rule_name(place: usize, rule: &Element) -> String {
    match rule.text_at(&["ID"]) {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ => format!("rule {}", place + 1),
    }
}

/// Rules of the first version have no filter.
fn is_version_1(rule: &Element) -> bool {
    rule.child("Filter").is_none()
}

fn priority_of(name: &str, rule: &Element) -> Result<Option<u32>, ReplicationError> {
    rule.text_at(&["Priority"])
        .map(|text| {
            text.trim().parse().ok().filter(|priority| *priority <= MAX_PRIORITY).ok_or_else(|| {
                ReplicationError::Priority { rule: name.to_owned(), priority: text.to_owned() }
            })
        })
        .transpose()
}

/// The stages from `current` to our rules with `role`.
///
/// `convert_version_1` turns rules of the first version into the second, with delete markers replicated as before: S3
/// takes only one version in a configuration.
///
/// # Errors
/// When the rules of others cannot be carried through, or a limit of S3 would be broken.
pub fn stages(
    current: Option<&str>,
    role: &Arn,
    wanted: &WantedRules,
    convert_version_1: bool,
) -> Result<Stages, ReplicationError> {
    let before = match current {
        Some(text) => ReplicationConfiguration::parse(text)?,
        None => ReplicationConfiguration { root: Element::s3_root(ROOT) },
    };
    let foreign_named = before.foreign();
    let carried: Vec<String> = foreign_named.iter().map(|(name, _)| name.clone()).collect();
    let mut priorities = Priorities::of(&before)?;
    let (foreign, converted) = with_version_2(&foreign_named, convert_version_1, &mut priorities)?;

    let settings = &wanted.settings;
    let wide: Vec<Element> = wanted
        .wide()
        .into_iter()
        .map(|(id, prefix)| settings.rule(&id, &prefix, priorities.keep_or_take(&id)))
        .collect();
    let overlaps = overlaps(&carried, &foreign, &wide, settings.destination_arn().as_str());
    let own = before.own();
    let canary_id = wanted.canary_id();
    // With our rules in place, the canary of a change has a rule of its own until the change is proven.
    let change_id = format!("{canary_id}-next");
    let canary_rule = |id: &str, priorities: &mut Priorities| {
        settings.rule(id, &wanted.canary_prefix, priorities.keep_or_take(id))
    };

    let final_form = before.with(role.as_str(), &foreign, &wide);
    check_limits(&final_form)?;
    if converted.is_empty() && is_in_force(&before, role, &wide) {
        return Ok(Stages { overlaps, canary_rule: canary_id, ..Stages::default() });
    }
    let fresh = canary_rule(&canary_id, &mut priorities);
    let is_fresh = own.is_empty() || (own.len() == 1 && own.iter().all(|rule| does_the_same(rule, &fresh)));
    // What only takes rules away, or gives the role another name for itself, has nothing to prove.
    let same_role = before.role() == Some(role.as_str());
    let only_fewer = same_role
        && !own.is_empty()
        && !is_fresh
        && wide.iter().all(|rule| own.iter().any(|known| does_the_same(known, rule)));
    let document = |element: &Element| Merged { text: Some(element.to_document()), carried: carried.clone() };
    if only_fewer {
        return Ok(Stages {
            canary: None,
            needs_proof: false,
            wide: Some(document(&final_form)),
            canary_rule: canary_id,
            converted,
            overlaps,
        });
    }
    let (canary_form, canary_rule) = if is_fresh {
        (before.with(role.as_str(), &foreign, std::slice::from_ref(&fresh)), canary_id)
    } else {
        let mut rules: Vec<Element> = own
            .iter()
            .filter(|rule| rule.text_at(&["ID"]) != Some(change_id.as_str()))
            .map(|rule| (*rule).clone())
            .collect();
        rules.push(canary_rule(&change_id, &mut priorities));
        (before.with(role.as_str(), &foreign, &rules), change_id)
    };
    check_limits(&canary_form)?;
    let own_in_canary: Vec<Element> = canary_form
        .children()
        .iter()
        .filter(|child| child.name() == "Rule" && is_ours(child))
        .cloned()
        .collect();
    let is_there = converted.is_empty() && is_in_force(&before, role, &own_in_canary);
    // A canary's rule that is the final form already only lacks its proof.
    let wide = (!canary_form.is_same(&final_form)).then(|| document(&final_form));
    Ok(Stages {
        canary: (!is_there).then(|| document(&canary_form)),
        needs_proof: true,
        wide,
        canary_rule,
        converted,
        overlaps,
    })
}

/// Whether the configuration has the role, and of our rules these and no others.
fn is_in_force(configuration: &ReplicationConfiguration, role: &Arn, wanted: &[Element]) -> bool {
    let own = configuration.own();
    configuration.role() == Some(role.as_str())
        && own.len() == wanted.len()
        && wanted.iter().all(|rule| own.iter().any(|known| does_the_same(known, rule)))
}

/// Takes our rules out. None when there are none.
///
/// # Errors
/// When the configuration cannot be read.
pub fn remove(current: &str) -> Result<Option<Merged>, ReplicationError> {
    let before = ReplicationConfiguration::parse(current)?;
    if before.own().is_empty() {
        return Ok(None);
    }
    let carried: Vec<String> = before.foreign().into_iter().map(|(name, _)| name).collect();
    let text = (!carried.is_empty()).then(|| {
        let mut root = before.root.clone();
        root.children_mut().retain(|child| child.name() != "Rule" || !is_ours(child));
        root.to_document()
    });
    Ok(Some(Merged { text, carried }))
}

/// Priorities in use, and those that our rules have had.
struct Priorities {
    used: BTreeSet<u32>,
    own: BTreeMap<String, u32>,
}

impl Priorities {
    fn of(configuration: &ReplicationConfiguration) -> Result<Self, ReplicationError> {
        let mut used = BTreeSet::new();
        let mut own = BTreeMap::new();
        for (place, rule) in configuration.rules().enumerate() {
            let name = rule_name(place, rule);
            if let Some(priority) = priority_of(&name, rule)? {
                if !used.insert(priority) {
                    return Err(ReplicationError::DuplicatePriority(priority));
                }
                if is_ours(rule) {
                    own.insert(name, priority);
                }
            }
        }
        Ok(Priorities { used, own })
    }

    /// The priority that the rule has, or the next free one above all others, so that ours decide where rules overlap.
    fn keep_or_take(&mut self, id: &str) -> u32 {
        if let Some(known) = self.own.get(id) {
            return *known;
        }
        let above = self.used.last().map_or(1, |highest| highest.saturating_add(1));
        let free = if above <= MAX_PRIORITY {
            above
        } else {
            (1..=MAX_PRIORITY).rev().find(|priority| !self.used.contains(priority)).unwrap_or(1)
        };
        self.used.insert(free);
        self.own.insert(id.to_owned(), free);
        free
    }
}

/// The rules of others in the second version, and the names of those that were not.
fn with_version_2(
    foreign: &[(String, &Element)],
    convert: bool,
    priorities: &mut Priorities,
) -> Result<(Vec<Element>, Vec<String>), ReplicationError> {
    let old: Vec<String> =
        foreign.iter().filter(|(_, rule)| is_version_1(rule)).map(|(name, _)| name.clone()).collect();
    if !old.is_empty() && !convert {
        return Err(ReplicationError::Version1(old));
    }
    let rules = foreign
        .iter()
        .map(
            |(name, rule)| {
                if is_version_1(rule) { converted(name, rule, priorities) } else { (*rule).clone() }
            },
        )
        .collect();
    Ok((rules, old))
}

/// A rule of the first version as one of the second: the prefix in a filter, a priority, and delete markers replicated
/// as the first version does (S3 User Guide, "Replication configuration": backward compatibility).
fn converted(name: &str, rule: &Element, priorities: &mut Priorities) -> Element {
    let mut children: Vec<Element> = Vec::new();
    for child in rule.children() {
        if child.name() == "Prefix" {
            children.push(Element::with_text("Priority", priorities.keep_or_take(name).to_string()));
            children.push(Element::with_children("Filter", vec![Element::with_text("Prefix", child.text())]));
        } else if child.name() == "Destination" && rule.child("DeleteMarkerReplication").is_none() {
            children.push(Element::with_children(
                "DeleteMarkerReplication",
                vec![Element::with_text("Status", "Enabled")],
            ));
            children.push(child.clone());
        } else {
            children.push(child.clone());
        }
    }
    if rule.child("Prefix").is_none() {
        children.push(Element::with_text("Priority", priorities.keep_or_take(name).to_string()));
        children.push(Element::with_children("Filter", vec![Element::with_text("Prefix", "")]));
    }
    let mut converted = rule.clone();
    *converted.children_mut() = children;
    converted
}

/// What S3 would refuse.
fn check_limits(configuration: &Element) -> Result<(), ReplicationError> {
    let rules: Vec<&Element> =
        configuration.children().iter().filter(|child| child.name() == "Rule").collect();
    if rules.len() > MAX_RULES {
        return Err(ReplicationError::TooMany(rules.len()));
    }
    let mut ids = BTreeSet::new();
    let mut priorities = BTreeSet::new();
    for (place, rule) in rules.into_iter().enumerate() {
        let name = rule_name(place, rule);
        if let Some(priority) = priority_of(&name, rule)?
            && !priorities.insert(priority)
        {
            return Err(ReplicationError::DuplicatePriority(priority));
        }
        if !ids.insert(name.clone()) {
            return Err(ReplicationError::DuplicateId(name));
        }
    }
    Ok(())
}

/// Enabled rules of others for our destination whose keys are also ours.
fn overlaps(names: &[String], foreign: &[Element], own: &[Element], destination: &str) -> Vec<Overlap> {
    let mut found = Vec::new();
    for (name, rule) in names.iter().zip(foreign) {
        let is_meant = rule.text_at(&["Status"]) == Some("Enabled")
            && rule.text_at(&["Destination", "Bucket"]) == Some(destination);
        if !is_meant {
            continue;
        }
        let theirs = filter_prefix(rule);
        for ours in own {
            let prefix = filter_prefix(ours);
            let common = if theirs.starts_with(prefix) {
                theirs
            } else if prefix.starts_with(theirs) {
                prefix
            } else {
                continue;
            };
            let priority = |rule: &Element| {
                rule.text_at(&["Priority"]).and_then(|text| text.trim().parse::<u32>().ok()).unwrap_or(0)
            };
            found.push(Overlap {
                foreign: name.clone(),
                ours: ours.text_at(&["ID"]).unwrap_or(RULE_ID_PREFIX).to_owned(),
                prefix: common.to_owned(),
                ours_wins: priority(ours) > priority(rule),
            });
        }
    }
    found
}

/// The prefix of a rule's filter; tags only narrow it further.
fn filter_prefix(rule: &Element) -> &str {
    rule.text_at(&["Filter", "Prefix"])
        .or_else(|| rule.text_at(&["Filter", "And", "Prefix"]))
        .or_else(|| rule.text_at(&["Prefix"]))
        .unwrap_or_default()
}
