//! The content of the app's pages, generated once at the start.

use bytes::Bytes;
use maud::{DOCTYPE, Markup, html};

use super::settings::TileState;

/// Length of the floor page, in bytes.
pub(super) const PLAIN_LENGTH: usize = 1024;

/// One tile of the loader: its marker, its title, and two lines of figures.
struct TileContent {
    marker: &'static str,
    title: &'static str,
    figures: [(&'static str, &'static str); 2],
}

const TILES: [TileContent; 6] = [
    TileContent {
        marker: "tile-ops-metrics",
        title: "Ops Pulse",
        figures: [("Activation rate, 7 days", "62 %"), ("Median time to first action", "14 min")],
    },
    TileContent {
        marker: "tile-sales-pulse",
        title: "Sales Pulse",
        figures: [("Revenue, 24 hours", "$8,425.50"), ("Orders", "58")],
    },
    TileContent {
        marker: "tile-fulfillment-health",
        title: "Fulfillment Health",
        figures: [("Orders awaiting shipment", "7"), ("Oldest", "#7012, 38 hours")],
    },
    TileContent {
        marker: "tile-inventory-heatmap",
        title: "Inventory Heatmap",
        figures: [("Variants low on stock", "3"), ("Days of cover, lowest", "2.5")],
    },
    TileContent {
        marker: "tile-cx-escalations",
        title: "CX Escalations",
        figures: [("Conversations past their reply time", "2"), ("Waiting longest", "1 h 12 min")],
    },
    TileContent {
        marker: "tile-seo-content",
        title: "SEO & Content Watch",
        figures: [("Landing pages losing traffic", "2"), ("Steepest, week over week", "−24 %")],
    },
];

const STYLE: &str = "\
body{font:14px/1.5 system-ui,sans-serif;margin:0;background:#f1f2f4;color:#202223}\
header{padding:16px 24px;background:#fff;border-bottom:1px solid #dfe3e8}\
h1{font-size:20px;margin:0}\
main{display:grid;grid-template-columns:repeat(auto-fit,minmax(280px,1fr));gap:16px;padding:24px}\
.tile{background:#fff;border:1px solid #dfe3e8;border-radius:8px;padding:16px}\
.tile h2{font-size:16px;margin:0 0 8px}\
.status{font-weight:600}.status-ok{color:#007f5f}.status-error{color:#d72c0d}.status-unconfigured{color:#8a6116}\
dl{display:grid;grid-template-columns:1fr auto;gap:4px 16px;margin:8px 0 0}dd{margin:0;font-variant-numeric:tabular-nums}\
.banner{margin:16px 24px 0;padding:8px 16px;background:#e0f0ff;border-radius:8px}\
form{max-width:320px;margin:64px auto;display:grid;gap:8px}";

/// The bodies of all pages.
#[derive(Debug)]
pub(super) struct PageBodies {
    pub(super) sample: Bytes,
    pub(super) live: Bytes,
    pub(super) login: Bytes,
    /// Every page behind the tile loader.
    pub(super) inner: Bytes,
    pub(super) plain: Bytes,
}

impl PageBodies {
    /// The pages of an app whose six tiles are all in `state`.
    pub(super) fn new(state: TileState) -> Self {
        Self {
            sample: bytes_of(dashboard(state, Some("Displaying sample data"))),
            live: bytes_of(dashboard(state, None)),
            login: bytes_of(login()),
            inner: bytes_of(inner()),
            plain: Bytes::from(vec![b'.'; PLAIN_LENGTH]),
        }
    }
}

fn bytes_of(markup: Markup) -> Bytes {
    Bytes::from(markup.into_string())
}

fn dashboard(state: TileState, banner: Option<&str>) -> Markup {
    page(
        "Operator Control Center",
        &html! {
            header { h1 { "Operator Control Center" } }
            @if let Some(banner) = banner { p.banner role="status" { (banner) } }
            main { @for tile in &TILES { (render_tile(tile, state)) } }
        },
    )
}

fn render_tile(tile: &TileContent, state: TileState) -> Markup {
    let (class, label) = match state {
        TileState::Ok => ("status status-ok", "Healthy"),
        TileState::Error => ("status status-error", "Attention needed"),
        TileState::Unconfigured => ("status status-unconfigured", "Configuration required"),
    };
    html! {
        section.tile data-testid=(tile.marker) {
            h2 { (tile.title) }
            p class=(class) { (label) }
            @if state == TileState::Ok {
                dl { @for (name, value) in &tile.figures { dt { (name) } dd { (value) } } }
            }
        }
    }
}

fn inner() -> Markup {
    page("Settings", &html! { header { h1 { "Settings" } } })
}

fn login() -> Markup {
    page(
        "Log in",
        &html! {
            form method="post" action="/auth/login" {
                h1 { "Log in" }
                label for="shop" { "Shop domain" }
                input #shop name="shop" type="text" placeholder="example.myshopify.com" required;
                button type="submit" { "Log in" }
            }
        },
    )
}

fn page(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (maud::PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(body: &Bytes, text: &str) -> usize {
        memchr::memmem::find_iter(body, text).count()
    }

    #[test]
    fn the_sample_page_has_six_healthy_tiles_and_says_that_it_is_one() {
        let pages = PageBodies::new(TileState::Ok);
        for tile in &TILES {
            assert_eq!(count(&pages.sample, &format!("data-testid=\"{}\"", tile.marker)), 1);
        }
        assert_eq!(count(&pages.sample, "Healthy"), 6);
        assert_eq!(count(&pages.sample, "Displaying sample data"), 1);
        assert!((2_000..8_000).contains(&pages.sample.len()), "{} bytes", pages.sample.len());
    }

    #[test]
    fn the_live_page_never_claims_to_be_sample_data() {
        let pages = PageBodies::new(TileState::Ok);
        assert_eq!(count(&pages.live, "data-testid=\"tile-"), 6);
        assert_eq!(count(&pages.live, "Displaying sample data"), 0);
    }

    #[test]
    fn tiles_show_the_state_they_are_in() {
        let error = PageBodies::new(TileState::Error);
        assert_eq!((count(&error.live, "Attention needed"), count(&error.live, "Healthy")), (6, 0));
        let unconfigured = PageBodies::new(TileState::Unconfigured);
        assert_eq!(count(&unconfigured.sample, "Configuration required"), 6);
    }

    #[test]
    fn the_login_page_has_a_form_and_no_tile() {
        let login = PageBodies::new(TileState::Ok).login;
        assert_eq!((count(&login, "<form"), count(&login, "data-testid=\"tile-")), (1, 0));
    }
}
