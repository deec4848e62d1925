//! What `plan` says before it asks anything of the organization: the file, then the credentials, then the values.

use crate::support::{Scene, run};
use serde_json::json;

#[test]
fn without_the_file_it_says_how_to_write_one() {
    let scene = Scene::small();
    std::fs::remove_file(scene.path("accounts.toml")).unwrap();
    let outcome = scene.run(&["plan"]).expect(4);
    outcome.says("there is no accounts.toml");
    outcome.says("weir accounts init");
    assert_eq!(scene.get("requests")["total"], 0, "AWS was asked before the file was read");
    // What init writes loads, and is then refused for its values, not for its form.
    scene.run(&["init"]).expect(0).says("wrote accounts.toml");
    scene.run(&["init"]).expect(4).says("--force");
    let outcome = scene.run(&["plan"]);
    assert!(!outcome.stderr.contains("line "), "{outcome:?}");
}

#[test]
fn a_wrong_key_is_named_with_the_nearest_known_one() {
    let scene = Scene::small();
    scene.write_desired(&crate::support::desired().replace("external-id", "externalid"));
    let outcome = scene.run(&["plan"]).expect(4);
    outcome.says("accounts.toml");
    outcome.says("did you mean `external-id`?");
}

#[test]
fn without_credentials_it_says_where_they_come_from() {
    let scene = Scene::small();
    let mut command = scene.command(&["plan"]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let outcome = run(command).expect(4);
    outcome.says("there are no AWS credentials");
    outcome.says("AWS_PROFILE");
}

#[test]
fn expired_credentials_are_to_be_renewed() {
    let mut scene = Scene::small();
    scene.patch(&json!({ "accounts": { "100000000000": { "access_keys": {
        "ASIAEXPIRED000000001": { "principal": "user/administrator", "session_token": "token", "expires_ms": 1 } } } } }));
    scene.caller("ASIAEXPIRED000000001");
    let mut command = scene.command(&["plan"]);
    command.env("AWS_SESSION_TOKEN", "token");
    let outcome = run(command).expect(4);
    outcome.says("have expired");
    outcome.says("renew");
}

#[test]
fn unknown_credentials_are_to_be_checked() {
    let mut scene = Scene::small();
    scene.caller("AKIANOBODY0000000001");
    scene.run(&["plan"]).expect(4).says("does not accept the credentials");
}

#[test]
fn case_01_from_the_wrong_account_it_says_which_would_be_right() {
    let mut scene = Scene::small();
    scene.patch(&json!({ "accounts": { "300000000001": {
        "access_keys": { "AKIAMEMBER0000000001": { "principal": "user/administrator" } },
        "users": { "administrator": { "managed_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"] } } } } }));
    scene.caller("AKIAMEMBER0000000001");
    let outcome = scene.run(&["plan"]).expect(4);
    outcome.says("CALLER_NOT_ALLOWED");
    outcome.says("300000000001");
    outcome.says("organizations:List*");
    outcome.says("use credentials of the management account");
    assert_eq!(scene.writes(), 0);
}

#[test]
fn a_unit_that_is_not_there_stops_and_nobody_selected_is_told() {
    let scene = Scene::small();
    for field in ["units", "exclude-units"] {
        let select = format!("[members.select]\n{field} = [\"Unit 1\", \"Unti 2\"]");
        scene.write_desired(&crate::support::desired().replace("[members.select]", &select));
        let outcome = scene.run(&["apply", "--yes"]).expect(4);
        outcome.says("NOTHING_SELECTED");
        outcome.says(&format!("`members.select.{field}` names the unit `Unti 2`"));
        outcome.says("there are: Security, Unit 1, Unit 2, Unit 3");
    }
    assert_eq!(scene.writes(), 0);
    scene.write_desired(
        &crate::support::desired().replace("[members.select]", "[members.select]\nnames = [\"Nobody*\"]"),
    );
    let outcome = scene.run(&["plan"]);
    outcome.says("no account is onboarded");
    outcome.says("check `[members.select]`");
}

#[test]
fn a_wrong_command_line_is_not_drift() {
    let scene = Scene::small();
    scene.run(&["status", "--jsno"]).expect(4).says("--json");
    scene.run(&["offboard", "12"]).expect(4).says("write its 12 digits");
    scene.run(&["apply", "--help"]).expect(0).says("--full");
}
