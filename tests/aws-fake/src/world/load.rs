//! Checks a world that was loaded and fills in what it left out.

use super::{Eventual, FULL_AWS_ACCESS, ResourcePolicy, World, derive_id};
use crate::policy::principals_in;
use crate::xml::Element;

/// Why a world cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    #[error("the world is not JSON of the form in the README: {0}; correct the file")]
    Json(#[from] serde_json::Error),
    #[error("{place}: {problem}; correct the world")]
    Invalid { place: String, problem: String },
}

fn invalid(place: impl Into<String>, problem: impl Into<String>) -> WorldError {
    WorldError::Invalid { place: place.into(), problem: problem.into() }
}

impl World {
    /// Reads a world from its JSON form.
    pub fn from_json(json: &[u8]) -> Result<Self, WorldError> {
        let mut world: Self = serde_json::from_slice(json)?;
        world.complete()?;
        Ok(world)
    }

    /// Derives absent ids, binds the principals of policies, and checks what refers to what.
    pub fn complete(&mut self) -> Result<(), WorldError> {
        self.check_organization()?;
        self.derive_ids();
        self.check_buckets()?;
        self.bind_principals();
        Ok(())
    }

    fn check_organization(&self) -> Result<(), WorldError> {
        for id in self.accounts.keys() {
            if id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(invalid(format!("account {id}"), "an account id has 12 digits"));
            }
        }
        let Some(organization) = &self.organization else { return Ok(()) };
        if !self.accounts.contains_key(&organization.management_account) {
            return Err(invalid("organization", "its management_account is not among the accounts"));
        }
        let place = |id: &str| id == organization.root || organization.units.contains_key(id);
        for (id, unit) in &organization.units {
            if !place(&unit.parent) {
                return Err(invalid(
                    format!("unit {id}"),
                    format!("parent {:?} does not exist", unit.parent),
                ));
            }
        }
        for (id, account) in &self.accounts {
            if let Some(parent) = account.parent.as_deref().filter(|parent| !place(parent)) {
                return Err(invalid(format!("account {id}"), format!("parent {parent:?} does not exist")));
            }
        }
        let attached = organization
            .units
            .values()
            .flat_map(|unit| &unit.policies)
            .chain(&organization.root_policies)
            .chain(self.accounts.values().flat_map(|account| &account.policies));
        for id in attached {
            if id != FULL_AWS_ACCESS && !organization.policies.contains_key(id) {
                return Err(invalid(format!("policy {id}"), "is attached, but does not exist"));
            }
        }
        Ok(())
    }

    fn derive_ids(&mut self) {
        let seed = self.settings.seed;
        for (id, account) in &mut self.accounts {
            for (name, role) in &mut account.roles {
                if role.unique_id.is_empty() {
                    role.unique_id = derive_id("AROA", 17, seed, &["role", id, name, "0"]);
                }
                account.role_generations.insert(name.clone(), 1);
            }
            for (name, user) in &mut account.users {
                if user.unique_id.is_empty() {
                    user.unique_id = derive_id("AIDA", 17, seed, &["user", id, name]);
                }
            }
        }
    }

    fn check_buckets(&mut self) -> Result<(), WorldError> {
        for (name, bucket) in &mut self.buckets {
            if !self.accounts.contains_key(&bucket.owner) {
                return Err(invalid(
                    format!("bucket {name}"),
                    format!("owner {} does not exist", bucket.owner),
                ));
            }
            if !super::is_region(&bucket.region) {
                return Err(invalid(
                    format!("bucket {name}"),
                    format!("region {} does not exist", bucket.region),
                ));
            }
            let documents = [
                ("replication", &bucket.replication),
                ("encryption", &bucket.encryption),
                ("object_lock", &bucket.object_lock),
                ("lifecycle", &bucket.lifecycle),
                ("notification", &bucket.notification),
                ("logging", &bucket.logging),
            ];
            for (field, document) in documents {
                if let Some(Err(error)) = document.as_deref().map(Element::parse) {
                    return Err(invalid(format!("bucket {name}, {field}"), error.to_string()));
                }
            }
            let mut written = 0;
            for version in bucket.objects.values_mut().flatten() {
                written += 1;
                if version.owner.is_empty() {
                    version.owner.clone_from(&bucket.owner);
                }
                if version.version_id.is_empty() {
                    "null".clone_into(&mut version.version_id);
                }
                if version.encryption.is_empty() {
                    "AES256".clone_into(&mut version.encryption);
                }
                if version.storage_class.is_empty() {
                    "STANDARD".clone_into(&mut version.storage_class);
                }
                if version.etag.is_empty() {
                    version.etag = crate::s3::etag(&version.body.bytes());
                }
            }
            bucket.written = written;
        }
        Ok(())
    }

    fn bind_principals(&mut self) {
        let mut accounts = std::mem::take(&mut self.accounts);
        let mut buckets = std::mem::take(&mut self.buckets);
        // Roles name each other, so every unique id is known before the first policy is bound.
        let ids: std::collections::HashMap<String, String> = accounts
            .iter()
            .flat_map(|(id, account)| {
                let roles =
                    account.roles.iter().map(|(name, role)| (role.arn(id, name), role.unique_id.clone()));
                let users = account
                    .users
                    .iter()
                    .map(|(name, user)| (format!("arn:aws:iam::{id}:user/{name}"), user.unique_id.clone()));
                roles.chain(users).collect::<Vec<_>>()
            })
            .collect();
        let bind = |policy: &mut ResourcePolicy| {
            if policy.principals.is_empty() {
                policy.principals = principals_in(&policy.text)
                    .into_iter()
                    .filter_map(|arn| ids.get(&arn).map(|id| (arn.clone(), id.clone())))
                    .collect();
            }
        };
        for account in accounts.values_mut() {
            account.roles.values_mut().for_each(|role| Eventual::correct(&mut role.trust, bind));
            account.keys.values_mut().for_each(|key| bind(&mut key.policy));
            account.queues.values_mut().filter_map(|queue| queue.policy.as_mut()).for_each(bind);
        }
        buckets.values_mut().filter_map(|bucket| bucket.policy.as_mut()).for_each(bind);
        self.accounts = accounts;
        self.buckets = buckets;
    }
}

impl World {
    /// Takes over the counters of a world that this one continues, so that ids do not come again.
    pub(crate) fn keep_counters_of(&mut self, before: &Self) {
        for (id, account) in &mut self.accounts {
            let Some(before) = before.accounts.get(id) else { continue };
            for (name, generation) in &before.role_generations {
                let now = account.role_generations.entry(name.clone()).or_default();
                *now = (*now).max(*generation);
            }
            for (name, queue) in &mut account.queues {
                queue.sent = before.queues.get(name).map_or(0, |queue| queue.sent);
            }
        }
        for (name, bucket) in &mut self.buckets {
            bucket.written = bucket.written.max(before.buckets.get(name).map_or(0, |bucket| bucket.written));
        }
    }
}
