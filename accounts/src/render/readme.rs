//! The page that says what was rendered and in which order it is put to work.

use super::Format;
use super::output::Rendered;
use super::wanted::Wanted;

/// Adds the page, and sorts the files.
pub(super) fn write(wanted: &Wanted<'_>, format: Format, rendered: &mut Rendered) {
    let mut page = String::from(
        "# Onboarding without writes of Weir's own\n\nRendered by `weir accounts render` from the inventory and accounts.toml. Render again whenever one of them changes; what\nis no longer needed is taken away.\n\n",
    );
    let steps = match format {
        Format::Cloudformation => cloudformation_steps(rendered),
        Format::Terraform => terraform_steps(rendered),
    };
    let steps = steps.iter().enumerate().map(|(number, step)| format!("{}. {step}\n", number + 1));
    page.extend(steps);
    page.push_str("\n## Accounts\n\n");
    for member in &wanted.members {
        let buckets: Vec<String> =
            member.buckets.iter().map(|bucket| format!("`{}`", bucket.plan.bucket)).collect();
        page.extend([format!("- {} ({}): {}\n", member.id, member.name, buckets.join(", "))]);
    }
    if wanted.members.is_empty() {
        page.push_str("None.\n");
    }
    rendered.notes.sort();
    rendered.notes.dedup();
    if !rendered.notes.is_empty() {
        page.push_str("\n## To know\n\n");
        page.extend(rendered.notes.iter().map(|note| format!("- {}\n", note.replace('\n', " "))));
    }
    rendered.add("README.md", page);
    rendered.files.sort_by(|left, right| left.path.cmp(&right.path));
}

fn has(rendered: &Rendered, prefix: &str) -> bool {
    rendered.files.iter().any(|file| file.path.starts_with(prefix))
}

fn bundle_step(rendered: &Rendered) -> Option<String> {
    has(rendered, "bundle/").then(|| {
        "Run `bundle/ACCOUNT/run.sh` with credentials of each account, the log account's first. It refuses a document that\n   moved since this was rendered, and widens a rule only after the canary's replica was seen.".to_owned()
    })
}

const PROVE: &str = "Prove it: `weir accounts verify`. It needs the role of infra/cloudformation/member-role.yaml, with `Mode` = `verify`.";

fn cloudformation_steps(rendered: &Rendered) -> Vec<String> {
    let mut steps = Vec::new();
    for file in rendered.files.iter().filter(|file| file.path.starts_with("log-account-")) {
        let region = file.path.trim_start_matches("log-account-").trim_end_matches(".json");
        steps.push(format!(
            "In the log account: `aws cloudformation deploy --region {region} --stack-name weir-destination --template-file {}`",
            file.path
        ));
    }
    for file in rendered.files.iter().filter(|file| file.path.starts_with("members-")) {
        let name = file.path.trim_end_matches(".json");
        steps.push(format!(
            "In the management account: upload {} to a bucket, create a StackSet `weir-{name}` from it with service-managed\n   permissions and `CAPABILITY_NAMED_IAM`, and deploy it to the units, in one Region. An account finds its own roles by its id.",
            file.path
        ));
    }
    steps.extend(bundle_step(rendered));
    steps.push(PROVE.to_owned());
    steps
}

fn terraform_steps(rendered: &Rendered) -> Vec<String> {
    let mut steps = Vec::new();
    if has(rendered, "log-account/") {
        steps.push(
            "With credentials of the log account: `terraform -chdir=log-account init`, then `apply`."
                .to_owned(),
        );
    }
    if has(rendered, "members/") {
        steps.push(
            "With credentials of each member: `terraform -chdir=members/ACCOUNT init`, then `apply`. Where a bucket is versioned\n   for the first time, S3 asks to wait 15 minutes before anything is written to it. Keep the state between runs.".to_owned(),
        );
    }
    steps.extend(bundle_step(rendered));
    steps.push(PROVE.to_owned());
    steps
}
