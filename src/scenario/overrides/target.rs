//! Overrides of `[target]`.

use super::super::leaf::{HttpVersion, IpFamily};
use super::editor::{ScenarioEditor, replace, section};
use super::{OverrideValue, ScenarioOverrides};
use crate::units::duration_literal;

impl ScenarioEditor {
    pub(super) fn change_target(&mut self, overrides: &ScenarioOverrides) {
        if let Some(OverrideValue { origin, value }) = &overrides.timeout
            && let Some((at, target)) = section(&mut self.file.target)
        {
            let before = duration_literal(target.whole_timeout());
            replace(&mut target.timeout, &at, *value);
            self.note(origin, "`timeout`", &duration_literal(*value), &before);
        }
        if let Some(OverrideValue { origin, value }) = &overrides.http
            && let Some((at, target)) = section(&mut self.file.target)
        {
            let before = replace(&mut target.http, &at, *value);
            self.note(origin, "`http`", http_word(*value), before.map_or("none", http_word));
        }
        if let Some(OverrideValue { origin, value }) = &overrides.ip
            && let Some((at, target)) = section(&mut self.file.target)
        {
            let before = replace(&mut target.ip, &at, *value);
            self.note(origin, "`ip`", ip_word(*value), before.map_or("none", ip_word));
        }
        self.change_base_url(overrides);
    }

    /// Another base URL is what a duet is about, so it is not noted as a deviation from the file.
    fn change_base_url(&mut self, overrides: &ScenarioOverrides) {
        let Some(OverrideValue { origin, value }) = &overrides.base_url else { return };
        let is_written =
            self.file.target.value().is_some_and(|target| target.base_url.is_written());
        if !is_written {
            let at = self.file.target.key_span();
            let why = "it has no `base_url`, so both sides would probe the same URLs";
            return self.refuse(origin, at, why, "write `base_url` in `[target]`");
        }
        if let Some((at, target)) = section(&mut self.file.target) {
            replace(&mut target.base_url, &at, value.clone());
        }
    }
}

fn http_word(version: HttpVersion) -> &'static str {
    match version {
        HttpVersion::Auto => "auto",
        HttpVersion::One => "1.1",
        HttpVersion::Two => "2",
    }
}

fn ip_word(family: IpFamily) -> &'static str {
    match family {
        IpFamily::V4 => "4",
        IpFamily::V6 => "6",
    }
}
