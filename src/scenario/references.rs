//! What a scenario file refers to: variables and other files.

use std::collections::BTreeSet;

use super::Scenario;
use super::field::{ScenarioField, TableEntries};
use super::file::ScenarioFile;
use super::leaf::{JsonTemplate, PlainText};
use super::template::{Template, TemplatePart};

/// A file that a scenario names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttachedFile {
    /// The path as it is written: absolute, or relative to the folder of the scenario.
    pub path: String,
    /// Whether it holds a private key, which must not be copied where others can read it.
    pub is_secret: bool,
}

impl Scenario {
    /// The names of the variables that the file uses.
    pub fn variables(&self) -> Vec<String> {
        variables(&self.file)
    }

    /// The names of the variables that the file uses without a default.
    pub fn required_variables(&self) -> BTreeSet<String> {
        let without_default = |part: &TemplatePart| match part.variable() {
            Some((name, None)) => Some(name.to_owned()),
            _ => None,
        };
        parts(&self.file).iter().filter_map(without_default).collect()
    }

    /// Variables that may be shown: those that the file lists as public or uses in its base URL.
    pub fn public_variables(&self) -> BTreeSet<String> {
        let listed = self.file.public.value().into_iter().flatten();
        let listed = listed.filter_map(ScenarioField::value).map(PlainText::as_str);
        let base_url = self.file.target.value().and_then(|target| target.base_url.value());
        let shown = base_url.into_iter().flat_map(Template::variables);
        listed.chain(shown).map(str::to_owned).collect()
    }

    /// The files that the file names, without repetitions, in the order of their paths.
    pub fn attached_files(&self) -> Vec<AttachedFile> {
        let public = |path: &PlainText| (path.as_str().to_owned(), false);
        let mut files = Vec::new();
        files.extend(self.file.data.value().and_then(|data| data.file.value()).map(public));
        files.extend(self.file.steps().filter_map(|step| step.body_file.value()).map(public));
        if let Some(target) = self.file.target.value() {
            files.extend(
                [&target.tls_ca, &target.tls_cert]
                    .into_iter()
                    .filter_map(|key| key.value())
                    .map(public),
            );
            files.extend(target.tls_key.value().map(|path| (path.as_str().to_owned(), true)));
        }
        // One file may hold a certificate and its key.
        let secret: BTreeSet<_> = files
            .iter()
            .filter(|(_, is_secret)| *is_secret)
            .map(|(path, _)| path.clone())
            .collect();
        let paths: BTreeSet<_> = files.into_iter().map(|(path, _)| path).collect();
        let file = |path: String| AttachedFile { is_secret: secret.contains(&path), path };
        paths.into_iter().map(file).collect()
    }
}

/// The names of the variables that a file uses.
pub(super) fn variables(file: &ScenarioFile) -> Vec<String> {
    parts(file).iter().filter_map(|part| Some(part.variable()?.0.to_owned())).collect()
}

/// The parts of all templates of a file.
fn parts(file: &ScenarioFile) -> Vec<TemplatePart> {
    let mut templates: Vec<&Template> = Vec::new();
    if let Some(target) = file.target.value() {
        templates.extend(target.base_url.value());
        templates.extend(target.proxy.value());
    }
    templates.extend(file.alert.value().and_then(|alert| alert.webhook.value()));
    templates.extend(texts(&file.headers));
    templates.extend(texts(&file.databases));
    let mut parts = Vec::new();
    for request in file.steps() {
        templates.extend(request.path.value());
        templates.extend(request.url.value());
        templates
            .extend(request.values.value().into_iter().flatten().filter_map(ScenarioField::value));
        templates.extend(request.body.value());
        parts.extend(request.body_json.value().into_iter().flat_map(JsonTemplate::parts));
        templates.extend(texts(&request.headers));
        if let Some(expect) = request.expect.value() {
            templates.extend(expect.templates());
            parts.extend(expect.values().flat_map(JsonTemplate::parts));
        }
    }
    parts.extend(templates.into_iter().flat_map(Template::parts).cloned());
    parts
}

/// The valid texts of a table.
pub(super) fn texts(
    entries: &ScenarioField<TableEntries<Template>>,
) -> impl Iterator<Item = &Template> {
    entries.value().into_iter().flatten().filter_map(|(_, field)| field.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_which_variables_and_files_it_needs() {
        let text = "name = \"s\"\nbudgets = [\"errors = 0\"]\npublic = [\"TENANT\"]\n\
             [target]\nbase_url = \"${BASE}\"\ntls_cert = \"pair.pem\"\ntls_key = \"pair.pem\"\n\
             [headers]\nX-Tenant = \"${TENANT:-one}\"\nAuthorization = \"Bearer ${TOKEN}\"\n\
             [data]\nfile = \"data/users.csv\"\n\
             [[request]]\nname = \"a\"\nmethod = \"POST\"\npath = \"/${{data.id}}\"\nbody_file = \"body.json\"\n\
             [load]\narrival_rate = \"1/s\"\nduration = \"9s\"\n";
        let scenario = Scenario::parse("s.toml", text).unwrap();
        let names = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>();
        assert_eq!(names(scenario.required_variables()), ["BASE", "TOKEN"]);
        assert_eq!(names(scenario.public_variables()), ["BASE", "TENANT"]);
        let files = scenario.attached_files();
        let files: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.is_secret)).collect();
        assert_eq!(files, [("body.json", false), ("data/users.csv", false), ("pair.pem", true)]);
    }
}
