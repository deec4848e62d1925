//! `WEIR__SECTION__KEY=value` over the file.

use super::{Config, ConfigError};

/// What a variable that is meant for us begins with.
const PREFIX: &str = "WEIR__";

/// Sets what the environment names. Lists of tables (`[[source]]`) cannot be named.
///
/// # Errors
/// Names the variable that is no setting, or whose value does not suit it.
pub(super) fn apply(
    table: &mut toml::Table,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(), ConfigError> {
    let mut variables: Vec<(String, String)> =
        environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    variables.sort();
    for (name, value) in variables {
        // One by one, so that an error can name the variable.
        let typed = with(table, &name, typed(&value))?;
        let fits = |table: &toml::Table| table.clone().try_into::<Config>();
        *table = match fits(&typed) {
            Ok(_) => typed,
            Err(error) => {
                // A token of digits alone is a text nevertheless.
                let text = with(table, &name, toml::Value::String(value))?;
                if fits(&text).is_err() {
                    return Err(ConfigError::in_environment(&name, &error));
                }
                text
            }
        };
    }
    Ok(())
}

/// The table with one value set.
fn with(table: &toml::Table, name: &str, value: toml::Value) -> Result<toml::Table, ConfigError> {
    let path: Vec<String> = name
        .trim_start_matches(PREFIX)
        .split("__")
        .map(|part| part.to_lowercase().replace('_', "-"))
        .collect();
    let mut table = table.clone();
    if let Some((key, sections)) = path.split_last() {
        let mut target = &mut table;
        for section in sections {
            target = target
                .entry(section.clone())
                .or_insert_with(|| toml::Value::Table(toml::Table::new()))
                .as_table_mut()
                .ok_or_else(|| ConfigError::Environment {
                    name: name.to_owned(),
                    problem: format!("`{section}` is not a section"),
                })?;
        }
        target.insert(key.clone(), value);
    }
    Ok(table)
}

/// Numbers, booleans, lists and quoted strings as TOML reads them, anything else as a string.
fn typed(value: &str) -> toml::Value {
    format!("value = {value}")
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()))
}
