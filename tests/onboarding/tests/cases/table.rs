//! `docs/failure-cases.md` names tests for each case of the failure list; this holds it to that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use weir_accounts::codes::{FailureCode, Reach};

/// A row: the case, its codes, how far it reaches, and its tests as `FILE` and name.
struct Row {
    case: u8,
    codes: BTreeSet<String>,
    reach: String,
    tests: Vec<(String, String)>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What stands between backquotes.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(root().join("docs/failure-cases.md")).unwrap();
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    text.lines()
        .map(cells)
        .filter_map(|cells| {
            let case = cells.first()?.parse().ok()?;
            let [_, codes, reach, tests] = cells.as_slice() else {
                panic!("case {case} has {} cells", cells.len())
            };
            let test = |name: String| {
                let (file, test) =
                    name.split_once(' ').unwrap_or_else(|| panic!("`{name}` is not FILE and test"));
                (file.to_owned(), test.to_owned())
            };
            let tests = quoted(tests).into_iter().map(test).collect();
            Some(Row { case, codes: quoted(codes).into_iter().collect(), reach: reach.clone(), tests })
        })
        .collect()
}

#[test]
fn every_case_of_the_failure_list_names_tests_that_are_there() {
    let rows = rows();
    assert_eq!(rows.iter().map(|row| row.case).collect::<Vec<_>>(), (1..=44).collect::<Vec<_>>());
    let mut sources: BTreeMap<&str, String> = BTreeMap::new();
    for row in &rows {
        let codes: Vec<FailureCode> =
            FailureCode::ALL.iter().copied().filter(|code| code.case() == Some(row.case)).collect();
        let named = codes.iter().map(|code| code.as_str().to_owned()).collect();
        assert_eq!(row.codes, named, "case {}", row.case);
        for code in codes {
            let reach = match code.reach() {
                Reach::Run => "the run stops",
                Reach::Account => "the others go on",
                Reach::Nothing => "all go on",
            };
            assert!(row.reach.contains(reach), "case {} ({code}): {} is not `{reach}`", row.case, row.reach);
        }
        let mut end_to_end = 0;
        for (file, test) in &row.tests {
            let source = sources.entry(file).or_insert_with(|| {
                std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
            });
            let body = body_of(source, test).unwrap_or_else(|| panic!("{file} has no test {test}"));
            let is_of_case = test.starts_with("case") && test.contains(&format!("_{:02}_", row.case));
            assert!(is_of_case, "{test} is not named after case {}", row.case);
            let ends = file.starts_with("tests/onboarding/");
            // End to end a test has the code as text, however it is asserted.
            end_to_end += usize::from(ends && row.codes.iter().any(|code| body.contains(code.as_str())));
        }
        assert!(end_to_end > 0, "case {} has no test end to end that asserts its code", row.case);
    }
}

/// The tests named after a case are all in the table: one that is forgotten there would not be found.
#[test]
fn every_test_named_after_a_case_is_in_the_table() {
    let named: BTreeSet<String> =
        rows().into_iter().flat_map(|row| row.tests).map(|(_, test)| test).collect();
    let folder = root().join("tests/onboarding/tests");
    let files = [folder.clone(), folder.join("cases")]
        .into_iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap());
    for file in files.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let source = std::fs::read_to_string(&file).unwrap();
        for line in source.lines().filter_map(|line| line.strip_prefix("fn case_")) {
            let name = format!("case_{}", line.split('(').next().unwrap());
            assert!(named.contains(&name), "{name} of {} is not in docs/failure-cases.md", file.display());
        }
    }
}

/// The function that is marked as a test, down to its last brace.
fn body_of<'a>(source: &'a str, test: &str) -> Option<&'a str> {
    let at = source.find(&format!("\nfn {test}() {{"))?;
    let marks = source[..at].rsplit("\n\n").next()?;
    let rest = &source[at..];
    marks.contains("#[test]").then(|| &rest[..rest.find("\n}").unwrap_or(rest.len())])
}
