//! What page an answer holds; pure.

use memchr::memmem;

/// The tiles of the page, in its order.
const TILES: [&str; 6] = [
    "tile-ops-metrics",
    "tile-sales-pulse",
    "tile-fulfillment-health",
    "tile-inventory-heatmap",
    "tile-cx-escalations",
    "tile-seo-content",
];

/// What the page with sample data says.
const SAMPLE: &str = "Displaying sample data";

/// Where those without a session are led.
const LOGIN: &str = "/auth/login";

/// A page as its text shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// Whether it is the login page: asked for there, or with a form that leads there.
    pub(super) is_login: bool,
    /// The tiles that it lacks.
    pub(super) missing: Vec<&'static str>,
    /// Whether it shows sample data.
    pub(super) has_sample_data: bool,
}

impl Page {
    /// Reads a page that was had at a path.
    pub(super) fn read(path: &str, body: &[u8]) -> Self {
        let holds = |text: &str| memmem::find(body, text.as_bytes()).is_some();
        let missing: Vec<_> =
            TILES.into_iter().filter(|tile| !holds(&format!("data-testid=\"{tile}\""))).collect();
        let has_form = holds("<form") && holds(LOGIN);
        let is_login =
            path.trim_end_matches('/') == LOGIN || missing.len() == TILES.len() && has_form;
        Self { is_login, missing, has_sample_data: holds(SAMPLE) }
    }

    /// What is not as it should be on the tile page, with sample data or without; one sentence each.
    pub(super) fn faults(&self, mock: bool) -> Vec<String> {
        if self.is_login {
            return vec![
                "this is the login page, not the tile page: the app knows no session of the check's"
                    .to_owned(),
            ];
        }
        let missing = (!self.missing.is_empty()).then(|| {
            let names: Vec<_> =
                self.missing.iter().map(|tile| format!("data-testid=\"{tile}\"")).collect();
            format!("not in the page: {}", names.join(", "))
        });
        let sample = match (mock, self.has_sample_data) {
            (true, false) => Some(format!("not in the page: `{SAMPLE}`, which mock=1 shows")),
            (false, true) => Some(format!("the page says `{SAMPLE}`: it is not the live one")),
            _ => None,
        };
        missing.into_iter().chain(sample).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiles() -> String {
        TILES.map(|tile| format!("<section data-testid=\"{tile}\">")).concat()
    }

    #[test]
    fn a_whole_page_has_no_faults_and_each_marker_that_is_off_is_one() {
        let faults = |body: &str, mock| Page::read("/app", body.as_bytes()).faults(mock);
        let sample = tiles() + SAMPLE;
        assert!(faults(&tiles(), false).is_empty() && faults(&sample, true).is_empty());
        assert!(faults(&tiles(), true)[0].contains("mock=1 shows"));
        assert!(faults(&sample, false)[0].contains("not the live one"));
        let torn = tiles().replace("tile-seo-content", "");
        assert_eq!(faults(&torn, false), ["not in the page: data-testid=\"tile-seo-content\""]);
        assert!(faults("", false)[0].contains("tile-ops-metrics"));
    }

    #[test]
    fn the_login_page_is_known_by_its_path_or_by_its_form() {
        let form = r#"<form method="post" action="/auth/login">"#;
        let is_login = |path, body: &str| Page::read(path, body.as_bytes()).is_login;
        assert!(
            is_login("/auth/login", "") && is_login("/auth/login/", "") && is_login("/app", form)
        );
        assert!(!is_login("/app", "<form>") && !is_login("/app", &(tiles() + form)));
        assert_eq!(Page::read("/app", form.as_bytes()).faults(true).len(), 1);
    }
}
