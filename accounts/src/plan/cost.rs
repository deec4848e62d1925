//! What the plan will cost in a month, with what that assumes.

use serde::{Deserialize, Serialize};

/// An estimate, in US dollars a month.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostEstimate {
    /// The dearest first; items of no cost are left out.
    pub items: Vec<CostItem>,
    /// The sum of the items.
    pub dollars_per_month: f64,
    /// What was assumed, one sentence each.
    pub assumptions: Vec<String>,
}

/// One line of the estimate: quantity × price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostItem {
    pub name: String,
    /// Per month.
    pub quantity: f64,
    /// What the quantity counts, such as `GB`.
    pub unit: String,
    /// US dollars for one unit.
    pub price: f64,
    pub dollars_per_month: f64,
}
