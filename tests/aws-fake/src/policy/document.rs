//! The grammar of a policy, read strictly.

use serde_json::{Map, Value};

use super::Principals;

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    /// Whether its version knows policy variables: `2012-10-17`.
    pub(crate) has_variables: bool,
    pub(crate) statements: Vec<Statement>,
}

/// A statement of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) sid: Option<String>,
    pub(crate) allows: bool,
    pub(crate) principal: Option<Principals>,
    pub(crate) not_principal: Option<Principals>,
    pub(crate) action: Vec<String>,
    pub(crate) not_action: Vec<String>,
    pub(crate) resource: Vec<String>,
    pub(crate) not_resource: Vec<String>,
    /// Operator, key, values.
    pub(crate) conditions: Vec<(String, String, Vec<String>)>,
}

/// What is wrong with a policy. Each service words it in its own way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PolicyProblem {
    NotJson,
    Missing(&'static str),
    Syntax(String),
    DuplicateSid(String),
    Version,
}

impl Document {
    /// Reads a policy.
    pub(crate) fn parse(text: &str) -> Result<Self, PolicyProblem> {
        let value: Value = serde_json::from_str(text).map_err(|_| PolicyProblem::NotJson)?;
        let Value::Object(object) = value else { return Err(PolicyProblem::NotJson) };
        if let Some(unknown) =
            object.keys().find(|key| !["Version", "Id", "Statement"].contains(&key.as_str()))
        {
            return Err(PolicyProblem::Syntax(format!("unknown field {unknown}")));
        }
        let has_variables = match object.get("Version") {
            None => false,
            Some(Value::String(version)) if version == "2012-10-17" => true,
            Some(Value::String(version)) if version == "2008-10-17" => false,
            Some(_) => return Err(PolicyProblem::Version),
        };
        let statements = match object.get("Statement") {
            None => return Err(PolicyProblem::Missing("Statement")),
            Some(Value::Array(list)) => list.iter().map(Statement::read).collect::<Result<Vec<_>, _>>()?,
            Some(single) => vec![Statement::read(single)?],
        };
        if statements.is_empty() {
            return Err(PolicyProblem::Missing("Statement"));
        }
        for (index, statement) in statements.iter().enumerate() {
            let Some(sid) = statement.sid.as_deref().filter(|sid| !sid.is_empty()) else { continue };
            if statements.iter().take(index).any(|earlier| earlier.sid.as_deref() == Some(sid)) {
                return Err(PolicyProblem::DuplicateSid(sid.to_owned()));
            }
        }
        Ok(Self { has_variables, statements })
    }
}

impl Statement {
    fn read(value: &Value) -> Result<Self, PolicyProblem> {
        const KNOWN: [&str; 10] = [
            "Sid",
            "Effect",
            "Principal",
            "NotPrincipal",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
            "Comment",
        ];
        let Value::Object(object) = value else {
            return Err(PolicyProblem::Syntax("a statement is not an object".to_owned()));
        };
        if let Some(unknown) = object.keys().find(|key| !KNOWN[..9].contains(&key.as_str())) {
            return Err(PolicyProblem::Syntax(format!("unknown field {unknown}")));
        }
        let allows = match object.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            Some(other) => return Err(PolicyProblem::Syntax(format!("Effect {other}"))),
            None => return Err(PolicyProblem::Missing("Effect")),
        };
        let sid = match object.get("Sid") {
            None => None,
            Some(Value::String(sid)) => Some(sid.clone()),
            Some(_) => return Err(PolicyProblem::Syntax("Sid".to_owned())),
        };
        let statement = Self {
            sid,
            allows,
            principal: object.get("Principal").map(Principals::read).transpose()?,
            not_principal: object.get("NotPrincipal").map(Principals::read).transpose()?,
            action: strings(object, "Action")?,
            not_action: strings(object, "NotAction")?,
            resource: strings(object, "Resource")?,
            not_resource: strings(object, "NotResource")?,
            conditions: object.get("Condition").map(conditions).transpose()?.unwrap_or_default(),
        };
        if statement.principal.is_some() && statement.not_principal.is_some() {
            return Err(PolicyProblem::Syntax("both Principal and NotPrincipal".to_owned()));
        }
        if statement.action.is_empty() == statement.not_action.is_empty() {
            return Err(PolicyProblem::Missing("Action"));
        }
        if !statement.resource.is_empty() && !statement.not_resource.is_empty() {
            return Err(PolicyProblem::Syntax("both Resource and NotResource".to_owned()));
        }
        for action in statement.action.iter().chain(&statement.not_action) {
            if action != "*"
                && !action
                    .split_once(':')
                    .is_some_and(|(service, name)| !service.is_empty() && !name.is_empty())
            {
                return Err(PolicyProblem::Syntax(format!("Action {action}")));
            }
        }
        Ok(statement)
    }
}

/// A string, or a list of strings.
pub(super) fn string_or_list(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(list) => list.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn strings(object: &Map<String, Value>, field: &str) -> Result<Vec<String>, PolicyProblem> {
    match object.get(field) {
        None => Ok(Vec::new()),
        Some(value) => string_or_list(value)
            .filter(|list| !list.is_empty())
            .ok_or_else(|| PolicyProblem::Syntax(field.to_owned())),
    }
}

fn conditions(value: &Value) -> Result<Vec<(String, String, Vec<String>)>, PolicyProblem> {
    let wrong = |what: &str| PolicyProblem::Syntax(format!("Condition {what}"));
    let operators = value.as_object().ok_or_else(|| wrong("is not an object"))?;
    let mut found = Vec::new();
    for (operator, keys) in operators {
        if !super::condition::is_operator(operator) {
            return Err(wrong(operator));
        }
        for (key, values) in keys.as_object().ok_or_else(|| wrong(operator))? {
            let list = match values {
                Value::Array(list) => list.as_slice(),
                single => std::slice::from_ref(single),
            };
            let texts = list
                .iter()
                .map(|value| match value {
                    Value::String(text) => Some(text.clone()),
                    Value::Bool(value) => Some(value.to_string()),
                    Value::Number(value) => Some(value.to_string()),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| wrong(key))?;
            found.push((operator.clone(), key.clone(), texts));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_single_and_listed_forms_alike() {
        let single = Document::parse(
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}}"#,
        );
        let listed = Document::parse(
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:Get*"],"Resource":["*"]}]}"#,
        );
        assert_eq!(single, listed);
        assert!(single.unwrap().has_variables);
    }

    #[test]
    fn refuses_what_the_grammar_does_not_have() {
        let cases = [
            ("not json", PolicyProblem::NotJson),
            ("[]", PolicyProblem::NotJson),
            ("{}", PolicyProblem::Missing("Statement")),
            (r#"{"Version":"2020-01-01","Statement":[]}"#, PolicyProblem::Version),
            (r#"{"Statement":[{"Action":"s3:*","Resource":"*"}]}"#, PolicyProblem::Missing("Effect")),
            (r#"{"Statement":[{"Effect":"Allow","Resource":"*"}]}"#, PolicyProblem::Missing("Action")),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"read","Resource":"*"}]}"#,
                PolicyProblem::Syntax("Action read".to_owned()),
            ),
            (
                r#"{"Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"Like":{"a":"b"}}}]}"#,
                PolicyProblem::Syntax("Condition Like".to_owned()),
            ),
            (
                r#"{"Statement":[{"Sid":"A","Effect":"Allow","Action":"a:b","Resource":"*"},{"Sid":"A","Effect":"Deny","Action":"a:b","Resource":"*"}]}"#,
                PolicyProblem::DuplicateSid("A".to_owned()),
            ),
        ];
        for (text, problem) in cases {
            assert_eq!(Document::parse(text), Err(problem), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = Document::parse(&text);
            let _ = Document::parse(&format!(r#"{{"Statement":[{text}]}}"#));
        }
    }
}
