//! `WEIR__SECTION__KEY=value` over the file.

use super::ConfigError;

/// What a variable that is meant for us begins with.
const PREFIX: &str = "WEIR__";

/// Sets what the environment names. Lists of tables (`[[source]]`) cannot be named.
///
/// # Errors
/// When a variable's path runs through something that is no section.
pub(super) fn apply(
    table: &mut toml::Table,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(), ConfigError> {
    let mut variables: Vec<(String, String)> =
        environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    variables.sort();
    for (name, value) in variables {
        let path: Vec<String> = name
            .trim_start_matches(PREFIX)
            .split("__")
            .map(|part| part.to_lowercase().replace('_', "-"))
            .collect();
        let Some((key, sections)) = path.split_last() else { continue };
        let mut target = &mut *table;
        for section in sections {
            target = target
                .entry(section.clone())
                .or_insert_with(|| toml::Value::Table(toml::Table::new()))
                .as_table_mut()
                .ok_or_else(|| ConfigError::Environment(format!("{name}: `{section}` is not a section")))?;
        }
        target.insert(key.clone(), typed(&value));
    }
    Ok(())
}

/// Numbers, booleans, lists and quoted strings as TOML reads them, anything else as a string.
fn typed(value: &str) -> toml::Value {
    format!("value = {value}")
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()))
}
