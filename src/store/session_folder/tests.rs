use std::time::Duration;

use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;
use time::macros::datetime;
use uuid::Uuid;

use super::*;
use crate::record::HostFacts;
use crate::record::session::{
    Attempt, ColdState, CurveEnd, QuotaReading, SessionPlanFacts, SessionProvenance, StartKind,
};

/// A session without attempts; the `minute` it started in makes its name and id.
fn session(minute: u8) -> SessionRecord {
    SessionRecord {
        format: SESSION_FORMAT,
        id: Uuid::from_u128(0x01a2_0dcf_d5c5_7429_8ac9_0000_0000_0000 + u128::from(minute)),
        name: "staging warm-up".to_owned(),
        provenance: SessionProvenance {
            started: datetime!(2026-11-29 4:00 UTC) + time::Duration::minutes(minute.into()),
            tollgate: "0.1.0".to_owned(),
            host: HostFacts {
                name: "here".to_owned(),
                os: "linux".to_owned(),
                arch: "x86_64".to_owned(),
                cores: 2,
            },
            command: vec!["tollgate".to_owned(), "tune".to_owned()],
            git_commit: None,
            tags: std::collections::BTreeMap::new(),
            imported_from: None,
            import_notes: Vec::new(),
        },
        plan: SessionPlanFacts {
            app: Some("hotdash-staging".to_owned()),
            scenario: "tile-loader-mock.toml".to_owned(),
            base_url: "http://127.0.0.1:8080".to_owned(),
            cold: ColdState::Stop,
            rounds: 2,
            seed: 7,
            curve_rate: 2.0,
            curve_limit: Duration::from_mins(2),
            steady_load: "open, 20/s constant for 40s".to_owned(),
            budgets: Vec::new(),
            configurations: Vec::new(),
        },
        attempts: Vec::new(),
        added_machines: Vec::new(),
        ending: None,
        conclusion: None,
    }
}

fn attempt(number: u32) -> Attempt {
    Attempt {
        number,
        round: 1,
        configuration: 0,
        started: datetime!(2026-11-29 4:10 UTC),
        cold_from: None,
        first_due: Some(datetime!(2026-11-29 4:10:05 UTC)),
        took: Duration::from_secs(90),
        machines_before: Vec::new(),
        machines_after: Vec::new(),
        machine: None,
        start: StartKind::Booted,
        start_by_events: None,
        first: Vec::new(),
        curve: Vec::new(),
        curve_end: CurveEnd::Steady,
        steady: None,
        quota: QuotaReading::NotKnown("FLY_ORG is not set".to_owned()),
        problem: None,
    }
}

fn sessions_dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Writes a session and releases its lock.
fn written(root: &TempDir, record: &SessionRecord) -> PathBuf {
    SessionFolder::create(root.path(), record).unwrap().path().to_owned()
}

#[test]
fn a_session_is_on_disk_before_its_first_attempt_and_whole_after_each() {
    let root = sessions_dir();
    let mut record = session(1);
    let folder = SessionFolder::create(root.path(), &record).unwrap();
    assert_eq!(folder.path().file_name().unwrap(), "2026-11-29T04-01-00Z-00000001");
    assert_eq!(read_session(folder.path()).unwrap(), record);
    for number in 1..=2 {
        record.attempts.push(attempt(number));
        folder.write(&record).unwrap();
        assert_eq!(read_session(folder.path()).unwrap(), record);
    }
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(names.len(), 2, "no temporary file is left: {names:?}");
}

#[test]
fn a_second_process_cannot_write_a_session_until_the_first_one_has_ended() {
    let root = sessions_dir();
    let mut record = session(1);
    let first = SessionFolder::create(root.path(), &record).unwrap();
    let path = first.path().to_owned();
    let refused = SessionFolder::open(&path).unwrap_err();
    assert!(matches!(refused, SessionError::InUse { .. }), "{refused}");
    assert!(is_session_open(&path) && refused.to_string().contains("Ctrl-C"));
    record.attempts.push(attempt(1));
    first.write(&record).unwrap();
    drop(first);
    assert!(!is_session_open(&path));
    let (_second, read) = SessionFolder::open(&path).unwrap();
    assert_eq!(read, record);
}

#[test]
fn fields_of_a_later_version_are_ignored_and_an_unknown_conclusion_is_left_out() {
    let root = sessions_dir();
    let folder = written(&root, &session(1));
    let mut value = serde_json::to_value(session(1)).unwrap();
    value["weather"] = "sunny".into();
    value["plan"]["moon"] = 3.into();
    value["conclusion"] = serde_json::json!({ "headline": 7, "new": [] });
    fs::write(folder.join(SESSION), value.to_string()).unwrap();
    assert_eq!(read_session(&folder).unwrap(), session(1));
}

#[test]
fn damage_is_an_error_with_its_place_and_a_remedy() {
    let root = sessions_dir();
    let folder = written(&root, &session(1));
    let path = folder.join(SESSION);
    let whole = fs::read_to_string(&path).unwrap();
    let format = format!("\"format\":{SESSION_FORMAT}");
    for (text, what) in [
        (&whole[..whole.len() / 2], "it breaks off at line 1"),
        ("", "it breaks off at line 1, column 0"),
        ("[1]", "line 1"),
        (&whole.replace("\"name\"", "\"nome\""), "it lacks `name`"),
        (&whole.replace(&format, "\"format\":99"), "format 99, and this tollgate reads up to"),
    ] {
        fs::write(&path, text).unwrap();
        let error = read_session(&folder).unwrap_err();
        let said = error.to_string();
        assert!(said.contains(what) && said.contains(path.to_str().unwrap()), "{said}");
        assert!(said.contains("remove its folder") || said.contains("newer tollgate"), "{said}");
        assert!(error.is_usage());
    }
}

#[test]
fn a_pipe_in_place_of_a_file_is_refused_without_waiting() {
    let root = sessions_dir();
    let folder = written(&root, &session(1));
    for name in [SESSION, LOCK] {
        let path = folder.join(name);
        let kept = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        let said = SessionFolder::open(&folder).unwrap_err().to_string();
        assert!(said.contains("it is a pipe, not a regular file"), "{said}");
        fs::remove_file(&path).unwrap();
        fs::write(&path, kept).unwrap();
    }
    let _usable = SessionFolder::open(&folder).unwrap();
}

#[test]
fn sessions_are_listed_newest_first_and_damaged_ones_last() {
    let root = sessions_dir();
    assert!(list_sessions(&root.path().join("none")).unwrap().is_empty());
    for minute in [2, 3, 1] {
        written(&root, &session(minute));
    }
    fs::write(root.path().join(session(3).folder_name()).join(SESSION), "{").unwrap();
    fs::create_dir(root.path().join(".hidden")).unwrap();
    let listed = list_sessions(root.path()).unwrap();
    let names: Vec<_> = listed
        .iter()
        .map(|(_, record)| record.as_ref().ok().map(SessionRecord::folder_name))
        .collect();
    assert_eq!(names, [Some(session(2).folder_name()), Some(session(1).folder_name()), None]);
}

#[test]
fn a_session_is_found_by_its_path_its_name_its_beginning_its_id_its_plan_and_as_latest() {
    let root = sessions_dir();
    written(&root, &session(1));
    let other = SessionRecord { name: "other".to_owned(), ..session(2) };
    let folder = written(&root, &other);
    let (name, id) = (other.folder_name(), other.id.to_string());
    let path = folder.join(SESSION);
    let words = [
        folder.to_str().unwrap(),
        path.to_str().unwrap(),
        &name,
        &name[..19],
        &id,
        "00000002",
        "other",
        "latest",
    ];
    for word in words {
        assert_eq!(find_session(Path::new(word), root.path()).unwrap(), folder, "{word}");
    }
    let said = |word: &str| find_session(Path::new(word), root.path()).unwrap_err().to_string();
    for word in ["2027", "", "../x", "tune.toml"] {
        assert!(said(word).contains("`tollgate tune list` lists the sessions"), "{}", said(word));
    }
    let both = said("2026-11-29");
    assert!(both.contains("several sessions go by") && both.contains(&name), "{both}");
}
