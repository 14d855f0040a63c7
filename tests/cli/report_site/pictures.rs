//! The plots of a site look as they did: each is compared with a small reference picture.
//!
//! A picture may differ a little, because processors round differently. With
//! `TOLLGATE_TESTS_RENEW_PICTURES=1` the references are written again; look at them before they are
//! committed.

use std::path::{Path, PathBuf};

use super::{SHORT, files, is_kind, learn_limit, report};
use crate::bench::text;
use crate::history_year;

/// How many pixels of a plot, in each direction, become one of its reference.
const SCALE: usize = 4;

/// The least ratio of signal to noise, in decibels. Rounding alone leaves more than 45; a line that
/// is missing or elsewhere leaves less than 38.
const LEAST: f64 = 40.0;

/// Red, green and blue of each pixel.
struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Picture {
    fn read(bytes: &[u8]) -> Self {
        let mut decoder = png::Decoder::new(bytes);
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut data = vec![0; reader.output_buffer_size()];
        let info = reader.next_frame(&mut data).unwrap();
        assert_eq!(info.bit_depth, png::BitDepth::Eight);
        let channels = info.color_type.samples();
        assert!(channels >= 3, "{:?}", info.color_type);
        let rgb = data[..info.buffer_size()].chunks(channels).flat_map(|pixel| &pixel[..3]);
        let [width, height] = [info.width, info.height].map(|size| size as usize);
        Self { width, height, rgb: rgb.copied().collect() }
    }

    /// Each square of pixels as its mean.
    fn reduced(&self) -> Self {
        let (width, height) = (self.width / SCALE, self.height / SCALE);
        let mean = |x: usize, y: usize, channel: usize| {
            let squares = (0..SCALE * SCALE).map(|at| {
                let (column, row) = (x * SCALE + at % SCALE, y * SCALE + at / SCALE);
                usize::from(self.rgb[(row * self.width + column) * 3 + channel])
            });
            u8::try_from(squares.sum::<usize>() / (SCALE * SCALE)).unwrap()
        };
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let rgb = places.flat_map(|(x, y)| [0, 1, 2].map(|channel| mean(x, y, channel)));
        Self { width, height, rgb: rgb.collect() }
    }

    fn write(&self, path: &Path) {
        let [width, height] = [self.width, self.height].map(|size| u32::try_from(size).unwrap());
        let file = std::fs::File::create(path).unwrap();
        let mut encoder = png::Encoder::new(file, width, height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::Best);
        encoder.write_header().unwrap().write_image_data(&self.rgb).unwrap();
    }

    /// The peak signal-to-noise ratio of two pictures of one size, in decibels.
    fn likeness(&self, other: &Self) -> f64 {
        if (self.width, self.height) != (other.width, other.height) {
            return 0.0;
        }
        let pairs = self.rgb.iter().zip(&other.rgb);
        let squares: f64 = pairs.map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
        10.0 * (255.0_f64.powi(2) / (squares / self.rgb.len() as f64).max(1e-9)).log10()
    }
}

fn reference(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/report_site/pictures");
    folder.join(format!("{name}.png"))
}

/// The plots of a site by their kind.
fn plots(runs: &Path) -> Vec<(String, Picture)> {
    let out = tempfile::tempdir().unwrap();
    let built = report(runs, out.path(), &["--since", "49d", "--format", "png"]);
    assert_eq!(built.status.code(), Some(0), "{}", text(&built.stderr));
    let all = files(out.path()).into_iter().filter(|(name, _)| is_kind(name, "png"));
    let kind = |name: &str| {
        let stem = name.trim_end_matches("-tile-page.png");
        ["by-hour", "by-week", "parts", "cold", "history"]
            .into_iter()
            .find(|kind| stem.ends_with(kind))
            .unwrap_or_else(|| panic!("no reference for {name}"))
            .to_owned()
    };
    all.map(|(name, bytes)| (kind(&name), Picture::read(&bytes).reduced())).collect()
}

/// Seven weeks with a gap, failures, and a limit that moves.
fn write_runs(runs: &Path, has_limit: bool) {
    for (at, mut record) in (0..).zip(history_year::records(SHORT)) {
        if (30..38).contains(&at) {
            continue;
        }
        if has_limit {
            learn_limit(&mut record, at);
        }
        history_year::write_run(runs, &record);
    }
}

#[test]
fn the_plots_of_a_site_look_like_their_references() {
    let runs = tempfile::tempdir().unwrap();
    write_runs(runs.path(), true);
    let plots = plots(runs.path());
    assert_eq!(plots.len(), 5);
    let renews = std::env::var_os("TOLLGATE_TESTS_RENEW_PICTURES").is_some_and(|it| !it.is_empty());
    let mut unlike = Vec::new();
    for (kind, plot) in &plots {
        let path = reference(kind);
        if renews {
            plot.write(&path);
        }
        let known = std::fs::read(&path).map(|bytes| Picture::read(&bytes));
        let likeness = known.map_or(0.0, |known| plot.likeness(&known));
        if likeness < LEAST {
            let seen = std::env::temp_dir().join(format!("tollgate-seen-{kind}.png"));
            plot.write(&seen);
            unlike.push(format!("{kind}: {likeness:.1} dB, see {}", seen.display()));
        }
    }
    assert!(unlike.is_empty(), "TOLLGATE_TESTS_RENEW_PICTURES=1 renews them: {unlike:#?}");
}

#[test]
fn the_comparison_of_pictures_notices_a_line_that_is_elsewhere() {
    let runs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    write_runs(runs[0].path(), true);
    write_runs(runs[1].path(), false);
    let [moving, fixed] = runs.each_ref().map(|runs| {
        let plots = plots(runs.path());
        plots.into_iter().find(|(kind, _)| kind == "history").unwrap().1
    });
    let likeness = moving.likeness(&fixed);
    assert!(likeness < LEAST, "{likeness}");
}
