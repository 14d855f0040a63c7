//! Indexed colours, which halve the size of a plot's PNG.

use std::collections::HashMap;

use super::style::RgbColour;

/// A picture of at most 256 colours.
pub(super) struct ColourPalette {
    /// The colours, the most frequent first.
    pub(super) colours: Vec<RgbColour>,
    /// Index of each pixel's colour.
    pub(super) pixels: Vec<u8>,
}

impl ColourPalette {
    /// Indexes the colours of an opaque RGBA picture. Beyond 256 colours, the rarest ones, found at
    /// the edges of letters, are replaced by the nearest of the others.
    pub(super) fn of(picture: &[u8]) -> Self {
        let runs = runs(picture);
        let mut counts: HashMap<RgbColour, usize> = HashMap::new();
        for (colour, length) in &runs {
            *counts.entry(*colour).or_default() += length;
        }
        let mut ranked: Vec<(RgbColour, usize)> = counts.into_iter().collect();
        ranked.sort_unstable_by_key(|(colour, count)| (std::cmp::Reverse(*count), *colour));
        let kept: Vec<RgbColour> = ranked.iter().take(256).map(|(colour, _)| *colour).collect();
        let places: HashMap<RgbColour, u8> =
            ranked.iter().map(|(colour, _)| (*colour, nearest(&kept, *colour))).collect();
        let mut pixels = Vec::with_capacity(picture.len() / 4);
        for (colour, length) in runs {
            pixels.resize(pixels.len() + length, places.get(&colour).copied().unwrap_or_default());
        }
        Self { colours: kept, pixels }
    }
}

/// Run-length encodes the pixels of a picture.
fn runs(picture: &[u8]) -> Vec<(RgbColour, usize)> {
    let (pixels, _) = picture.as_chunks::<4>();
    let runs = pixels.chunk_by(|a, b| a == b);
    runs.map(|run| ((run[0][0], run[0][1], run[0][2]), run.len())).collect()
}

/// Index of the colour nearest to a given one.
fn nearest(colours: &[RgbColour], given: RgbColour) -> u8 {
    let apart = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
    let distance = |colour: &RgbColour| {
        apart(colour.0, given.0) + apart(colour.1, given.1) + apart(colour.2, given.2)
    };
    let nearest = colours.iter().enumerate().min_by_key(|(_, colour)| distance(colour));
    nearest.and_then(|(place, _)| u8::try_from(place).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_few_colours_keeps_them_all() {
        let picture = [9, 9, 9, 255, 255, 0, 0, 255, 9, 9, 9, 255];
        let palette = ColourPalette::of(&picture);
        assert_eq!(palette.colours, [(9, 9, 9), (255, 0, 0)]);
        assert_eq!(palette.pixels, [0, 1, 0]);
    }

    #[test]
    fn rare_colours_become_near_ones() {
        let rare = (0..300_u16)
            .flat_map(|n| [u8::try_from(n / 2).unwrap(), u8::try_from(n % 2).unwrap(), 7, 255]);
        let picture: Vec<u8> =
            [200, 200, 200, 255].into_iter().cycle().take(1200).chain(rare).collect();
        let palette = ColourPalette::of(&picture);
        assert_eq!(palette.colours.len(), 256);
        for (pixel, place) in picture.chunks_exact(4).zip(palette.pixels) {
            let drawn = palette.colours[usize::from(place)];
            assert!(
                drawn.0.abs_diff(pixel[0]) <= 30 && drawn.1.abs_diff(pixel[1]) <= 1,
                "{pixel:?} {drawn:?}"
            );
        }
    }
}
