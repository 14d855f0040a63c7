//! Overrides of `[load]`.

use std::time::Duration;

use super::super::diagnostic::Span;
use super::super::leaf::ConnectionSetting;
use super::super::load::{LoadModel, LoadShape};
use super::editor::{ScenarioEditor, replace, section};
use super::{OverrideValue, ScenarioOverrides};
use crate::units::{Rate, duration_literal};

impl ScenarioEditor {
    pub(super) fn change_load(&mut self, overrides: &ScenarioOverrides) {
        if let Some(rate) = &overrides.rate {
            self.change_rate(rate);
        }
        if let Some(duration) = &overrides.duration {
            self.change_duration(duration);
        }
        if let Some(connections) = &overrides.connections {
            self.change_connections(connections);
        }
        if let Some(max) = &overrides.max_connections {
            self.change_max_connections(max);
        }
    }

    fn change_rate(&mut self, OverrideValue { origin, value }: &OverrideValue<Rate>) {
        let (why, instead) = match self.model {
            LoadModel::Constant { rate, .. } => {
                if let Some((at, load)) = section(&mut self.file.load) {
                    replace(&mut load.arrival_rate, &at, *value);
                }
                return self.note(origin, "`arrival_rate`", &value.to_string(), &rate.to_string());
            }
            LoadModel::Once => ("it sends one arrival, at no rate", WRITE_A_RATE),
            LoadModel::Ramping { .. } => ("its `stages` set the rates", "change the stages"),
            LoadModel::Closed { .. } => {
                ("its load is closed, so that the target sets the rate", WRITE_A_RATE)
            }
        };
        self.refuse(origin, self.load_span(), why, instead);
    }

    fn change_duration(&mut self, OverrideValue { origin, value }: &OverrideValue<Duration>) {
        let before = match &self.model {
            LoadModel::Constant { duration, .. } => Some(*duration),
            LoadModel::Closed { duration, .. } => *duration,
            LoadModel::Once | LoadModel::Ramping { .. } => {
                let why = "this load has no duration to change";
                return self.refuse(origin, self.load_span(), why, "change the load in the file");
            }
        };
        if let Some((at, load)) = section(&mut self.file.load) {
            replace(&mut load.duration, &at, *value);
        }
        let before = before.map_or_else(|| "none".to_owned(), duration_literal);
        self.note(origin, "`duration`", &duration_literal(*value), &before);
    }

    fn change_connections(
        &mut self,
        OverrideValue { origin, value }: &OverrideValue<ConnectionSetting>,
    ) {
        if self.model == LoadModel::Once {
            let why = "it sends one arrival, over one connection";
            return self.refuse(origin, self.load_span(), why, WRITE_A_RATE);
        }
        let Some((at, load)) = section(&mut self.file.load) else { return };
        let before = match (load.connections.value(), value) {
            (Some(ConnectionSetting::Fresh), ConnectionSetting::Kept(_)) => {
                let at = load.connections.key_span();
                let why = "every arrival opens its own connection (`connections = \"fresh\"`)";
                return self.refuse(origin, at, why, "pass `--max-connections`");
            }
            (Some(&before), _) => setting_text(before),
            (None, _) => default_connections(),
        };
        let kept = load.connections.value().copied();
        if let (Some(ConnectionSetting::Kept(number)), ConnectionSetting::Fresh) = (kept, value)
            && load.max_connections.value().is_none()
        {
            // As many may be open at once as before.
            replace(&mut load.max_connections, &at, number);
        }
        replace(&mut load.connections, &at, *value);
        self.note(origin, "`connections`", &setting_text(*value), &before);
    }

    fn change_max_connections(&mut self, OverrideValue { origin, value }: &OverrideValue<u32>) {
        let why = match self.model {
            LoadModel::Once => "it sends one arrival, over one connection",
            LoadModel::Closed { .. } => "in a closed load, no arrival waits for a connection",
            LoadModel::Constant { .. } | LoadModel::Ramping { .. } => {
                let Some((at, load)) = section(&mut self.file.load) else { return };
                let before = replace(&mut load.max_connections, &at, *value);
                let before = before.map_or_else(|| "none".to_owned(), |max| max.to_string());
                return self.note(origin, "`max_connections`", &value.to_string(), &before);
            }
        };
        self.refuse(origin, self.load_span(), why, WRITE_A_RATE);
    }

    fn load_span(&self) -> Span {
        self.file.load.key_span()
    }
}

const WRITE_A_RATE: &str = "write `arrival_rate = \"20/s\"` and `duration = \"30s\"` in `[load]`";

/// A setting as a scenario file writes it.
fn setting_text(setting: ConnectionSetting) -> String {
    match setting {
        ConnectionSetting::Kept(number) => number.to_string(),
        ConnectionSetting::Fresh => "\"fresh\"".to_owned(),
    }
}

fn default_connections() -> String {
    format!("the default, {}", LoadShape::DEFAULT_CONNECTIONS)
}
