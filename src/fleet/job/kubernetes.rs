//! The manifest of an Indexed Job of Kubernetes, of the Job that merges, and of their files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::layout::{self, FileLayout, PlacedFile};
use super::{FleetJob, JobError, JobName, STORE_VARIABLE, VariableOrigin};
use crate::fleet::shell;
use crate::fleet::yaml::{self, Yaml, YamlReader, inline, map, texts};

/// The user of the image.
const USER: u32 = 65_532;

/// The maximum size of the content of a `ConfigMap`.
const LARGEST_CONFIG_MAP: usize = 1 << 20;

/// The key of the database's certificate authorities, which no file has, and where pods see it.
const STORE_CA: &str = "database.ca";
const STORE_FOLDER: &str = "/database";

/// How long finished Jobs and their logs are kept, in seconds.
const KEPT: u32 = 7 * 24 * 3_600;

/// The containers of the two Jobs.
const SHARD: &str = "shard";
const MERGE: &str = "merge";

/// What all objects of a job need.
struct Manifest<'a> {
    job: &'a FleetJob,
    image: &'a str,
    secret: &'a str,
    layout: FileLayout<'a>,
    store_ca: Option<&'a str>,
}

/// The manifest.
pub(super) fn write(
    job: &FleetJob,
    image: &str,
    secret: &JobName,
    store_ca: Option<&str>,
) -> Result<String, JobError> {
    if !job.has_store() {
        return Err(JobError::new(
            "shards on Kubernetes share no folder",
            "leave out --without-store",
        ));
    }
    let secret = secret.as_str();
    let manifest = Manifest { job, image, secret, layout: FileLayout::of(job)?, store_ca };
    manifest.check_size()?;
    let mut documents = Vec::new();
    documents.extend(manifest.config_map());
    documents.extend([manifest.shards(), manifest.merge()]);
    yaml::write(&manifest.heading(), &documents, YamlReader::Any)
}

impl Manifest<'_> {
    fn heading(&self) -> Vec<String> {
        let (name, secret) = (self.name(), self.secret);
        let mut lines = self.job.heading("Kubernetes");
        let variables = self.job.required_elsewhere().join(", ");
        lines.extend([
            String::new(),
            format!(
                "Once, make the Secret {secret} from a file with lines NAME=VALUE for {variables}:"
            ),
            format!("  kubectl create secret generic {secret} --from-env-file=FILE"),
        ]);
        let files = self.secret_files().map(|file| {
            let from = format!("--from-file={}={}", file.key, file.origin);
            shell::quote(&from)
        });
        let files: Vec<_> = files.collect();
        if !files.is_empty() {
            let files = files.join(" ");
            lines.push("and the Secret with the files that not everyone may read:".to_owned());
            lines.push(format!("  kubectl create secret generic {secret}-files {files}"));
        }
        lines.extend([
            "For this run:".to_owned(),
            "  kubectl create --filename=THIS-FILE".to_owned(),
            format!("  kubectl logs --follow --pod-running-timeout=10m job/{name}-merge   # the verdict"),
            format!("  kubectl wait --for=condition=Complete --timeout=1m job/{name}-merge   # fails unless it is a pass"),
            "This file is for one run: created again, it sends nothing, and shows the same verdict."
                .to_owned(),
            "Write another one for the next run.".to_owned(),
        ]);
        lines
    }

    /// The name of all objects, and the one under which the shards meet. What another file left
    /// behind never has it.
    fn name(&self) -> String {
        format!("{}-{}", self.job.name.as_str(), self.job.run_suffix)
    }

    fn secret_files(&self) -> impl Iterator<Item = &PlacedFile<'_>> {
        self.layout.files.iter().filter(|file| file.content.is_none())
    }

    /// The files that everyone may read.
    fn public_files(&self) -> impl Iterator<Item = (&PlacedFile<'_>, &[u8])> {
        self.layout.files.iter().filter_map(|file| Some((file, file.content?)))
    }

    fn check_size(&self) -> Result<(), JobError> {
        // Bytes that are not text are stored in Base64.
        let size = self
            .public_files()
            .map(|(_, content)| match std::str::from_utf8(content) {
                Ok(text) => text.len(),
                Err(_) => content.len().div_ceil(3) * 4,
            })
            .sum::<usize>()
            + self.store_ca.map_or(0, str::len);
        if size <= LARGEST_CONFIG_MAP {
            return Ok(());
        }
        Err(JobError::new(
            format!(
                "the files of this job have {size} bytes, and a ConfigMap has at most {LARGEST_CONFIG_MAP}"
            ),
            "use a smaller data file",
        ))
    }

    fn labels(&self, component: &str) -> Yaml {
        map([
            ("app.kubernetes.io/name", Yaml::from("tollgate")),
            ("app.kubernetes.io/instance", self.name().into()),
            ("app.kubernetes.io/component", component.into()),
        ])
    }

    /// The files; `None` if there are none.
    fn config_map(&self) -> Option<Yaml> {
        let (mut data, mut binary) = (Vec::new(), Vec::new());
        for (file, content) in self.public_files() {
            match std::str::from_utf8(content) {
                Ok(text) => data.push((file.key.clone(), Yaml::from(text))),
                Err(_) => binary.push((file.key.clone(), STANDARD.encode(content).into())),
            }
        }
        data.extend(self.store_ca.map(|pem| (STORE_CA.to_owned(), pem.into())));
        if data.is_empty() && binary.is_empty() {
            return None;
        }
        let mut entries = vec![
            ("apiVersion", Yaml::from("v1")),
            ("kind", "ConfigMap".into()),
            ("metadata", map([("name", self.name().into()), ("labels", self.labels("scenarios"))])),
            ("immutable", true.into()),
        ];
        let parts = [("data", data), ("binaryData", binary)];
        entries.extend(
            parts
                .into_iter()
                .filter(|(_, part)| !part.is_empty())
                .map(|(key, part)| (key, map(part))),
        );
        Some(map(entries))
    }

    fn shards(&self) -> Yaml {
        let mut arguments = self.job.run_words(|file| self.layout.path_of(file));
        arguments.extend(["--rendezvous".to_owned(), self.name()]);
        arguments.extend(["--shard".to_owned(), format!("auto/{}", self.job.shards)]);
        let mut spec = vec![
            ("completionMode", Yaml::from("Indexed")),
            ("completions", self.job.shards.into()),
            ("parallelism", self.job.shards.into()),
        ];
        let note = "a second pod would send its load again";
        spec.extend(limits(note, self.job.shard_minutes()));
        let mut pod = pod(self.container(SHARD, &arguments, self.variables()));
        pod.push(("volumes", self.volumes(SHARD)));
        pod.push(("topologySpreadConstraints", self.spread()));
        self.job_object((SHARD, ""), spec, pod)
    }

    fn merge(&self) -> Yaml {
        // Its pod may start long before those of the shards, which wait for nodes and images.
        let wait = format!("{}m", self.job.shard_minutes());
        let rendezvous = self.name();
        let arguments = ["merge", "--rendezvous", &rendezvous, "--rendezvous-wait", &wait];
        let mut arguments = arguments.map(str::to_owned).to_vec();
        arguments.extend(self.job.merge_flags.iter().cloned());
        let mut variables = vec![self.reference(STORE_VARIABLE, true)];
        let optional = self.job.merge_variables().iter();
        variables.extend(optional.map(|name| self.reference(name, false)));
        let mut pod = pod(self.container(MERGE, &arguments, variables));
        pod.push(("volumes", self.volumes(MERGE)));
        let spec = limits("a failed pod has the verdict", self.job.merge_minutes());
        self.job_object((MERGE, "-merge"), spec, pod)
    }

    fn job_object(
        &self,
        (component, end): (&str, &str),
        mut spec: Vec<(&'static str, Yaml)>,
        pod: Vec<(&'static str, Yaml)>,
    ) -> Yaml {
        let name = format!("{}{end}", self.name());
        let labels = || self.labels(component);
        let template = [("metadata", map([("labels", labels())])), ("spec", map(pod))];
        spec.push(("template", map(template)));
        map([
            ("apiVersion", Yaml::from("batch/v1")),
            ("kind", "Job".into()),
            ("metadata", map([("name", name.into()), ("labels", labels())])),
            ("spec", map(spec)),
        ])
    }

    fn container(&self, name: &str, arguments: &[String], variables: Vec<Yaml>) -> Yaml {
        let quiet = variable("TOLLGATE_REPORT", "none");
        let is_shard = name == SHARD;
        let mut mounts = vec![mount("work", "/work", false)];
        let mut variables = [vec![quiet], variables].concat();
        if self.store_ca.is_some() {
            mounts.push(mount("database", STORE_FOLDER, true));
            variables.push(variable("PGSSLROOTCERT", &format!("{STORE_FOLDER}/{STORE_CA}")));
        }
        if is_shard && !self.layout.files.is_empty() {
            mounts.push(mount("scenarios", layout::FOLDER, true));
        }
        let processor = if is_shard { "1" } else { "250m" };
        map([
            ("name", Yaml::from(name)),
            ("image", self.image.into()),
            ("args", texts(arguments.iter().map(|argument| expanded_to(argument)))),
            ("workingDir", "/work".into()),
            ("env", Yaml::List(variables)),
            (
                "resources",
                // A limit of the processor would stop the sender for parts of each period.
                map([
                    (
                        "requests",
                        inline([("cpu", processor.into()), ("memory", Yaml::from("256Mi"))]),
                    ),
                    ("limits", inline([("memory", Yaml::from("1Gi"))])),
                ]),
            ),
            (
                "securityContext",
                map([
                    ("allowPrivilegeEscalation", Yaml::from(false)),
                    ("readOnlyRootFilesystem", true.into()),
                    ("capabilities", map([("drop", Yaml::Row(vec!["ALL".into()]))])),
                ]),
            ),
            ("volumeMounts", Yaml::List(mounts)),
        ])
    }

    fn variables(&self) -> Vec<Yaml> {
        let of = |origin: &VariableOrigin, name: &str| match origin {
            VariableOrigin::Public(value) => variable(name, &expanded_to(value)),
            VariableOrigin::PublicElsewhere => self.reference(name, true),
            VariableOrigin::Secret { is_required } => self.reference(name, *is_required),
        };
        let own = self.job.variables.iter();
        let own = own.map(|variable| of(&variable.origin, &variable.name));
        std::iter::once(self.reference(STORE_VARIABLE, true)).chain(own).collect()
    }

    /// A variable whose value is in the Secret.
    fn reference(&self, name: &str, is_required: bool) -> Yaml {
        let mut key = vec![("name", Yaml::from(self.secret)), ("key", name.into())];
        if !is_required {
            key.push(("optional", true.into()));
        }
        map([("name", Yaml::from(name)), ("valueFrom", map([("secretKeyRef", inline(key))]))])
    }

    /// The folder for the run, and for a shard the scenarios.
    fn volumes(&self, component: &str) -> Yaml {
        let mut volumes =
            vec![map([("name", Yaml::from("work")), ("emptyDir", inline::<&str>([]))])];
        if self.store_ca.is_some() {
            let item = inline([("key", STORE_CA.into()), ("path", Yaml::from(STORE_CA))]);
            let name = ("name", self.name().into());
            let source = map([name, ("items", Yaml::List(vec![item]))]);
            volumes.push(map([("name", "database".into()), ("configMap", source)]));
        }
        if component == MERGE {
            return Yaml::List(volumes);
        }
        let item = |file: &PlacedFile<'_>| {
            inline([("key", file.key.as_str().into()), ("path", Yaml::from(file.path))])
        };
        let source = |kind: &str, name: String, items: Vec<Yaml>| {
            let is_used = !items.is_empty();
            is_used.then(|| {
                map([(kind, map([("name", Yaml::from(name)), ("items", Yaml::List(items))]))])
            })
        };
        let public = self.public_files().map(|(file, _)| item(file)).collect();
        let secret = self.secret_files().map(item).collect();
        let sources = [
            source("configMap", self.name(), public),
            source("secret", format!("{}-files", self.secret), secret),
        ];
        let sources: Vec<_> = sources.into_iter().flatten().collect();
        if !sources.is_empty() {
            let projected = map([("sources", Yaml::List(sources))]);
            volumes.push(map([("name", Yaml::from("scenarios")), ("projected", projected)]));
        }
        Yaml::List(volumes)
    }

    /// Prefers a node of its own for each shard.
    fn spread(&self) -> Yaml {
        Yaml::List(vec![map([
            ("maxSkew", Yaml::from(1_u32)),
            ("topologyKey", "kubernetes.io/hostname".into()),
            ("whenUnsatisfiable", "ScheduleAnyway".into()),
            ("labelSelector", map([("matchLabels", self.labels(SHARD))])),
        ])])
    }
}

/// What ends a Job: the first pod that fails, or the time.
fn limits(note: &str, minutes: u64) -> Vec<(&'static str, Yaml)> {
    vec![
        ("backoffLimit", Yaml::from(0_u32).noted(note)),
        ("activeDeadlineSeconds", (minutes * 60).into()),
        ("ttlSecondsAfterFinished", KEPT.into()),
    ]
}

fn pod(container: Yaml) -> Vec<(&'static str, Yaml)> {
    vec![
        ("restartPolicy", Yaml::from("Never")),
        ("automountServiceAccountToken", false.into()),
        // A Service named tollgate would set variables that look like those of flags.
        ("enableServiceLinks", false.into()),
        (
            "securityContext",
            map([
                ("runAsNonRoot", Yaml::from(true)),
                ("runAsUser", USER.into()),
                ("runAsGroup", USER.into()),
                ("fsGroup", USER.into()),
                ("seccompProfile", inline([("type", Yaml::from("RuntimeDefault"))])),
            ]),
        ),
        ("containers", Yaml::List(vec![container])),
    ]
}

fn variable(name: &str, value: &str) -> Yaml {
    map([("name", Yaml::from(name)), ("value", value.into())])
}

fn mount(name: &str, path: &str, is_read_only: bool) -> Yaml {
    let mut entries = vec![("name", Yaml::from(name)), ("mountPath", path.into())];
    if is_read_only {
        entries.push(("readOnly", true.into()));
    }
    map(entries)
}

/// A text that Kubernetes expands to exactly this one: it replaces `$(NAME)`, and `$$` by `$`.
fn expanded_to(text: &str) -> String {
    let mut written = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_doubled = character == '$' && matches!(characters.peek(), Some('(' | '$'));
        written.push_str(if is_doubled { "$$" } else { "" });
        if !is_doubled {
            written.push(character);
        }
    }
    written
}
