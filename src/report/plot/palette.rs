//! Indexed colours, which halve the size of a plot's PNG.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::style::RgbColour;

/// The pixels of an opaque picture, counted by colour.
pub(super) struct ColourCounts {
    /// The number of each colour, in the order in which they were found.
    numbers: HashMap<RgbColour, u32>,
    /// The latest colours, by a byte of theirs: most pixels have one of a few.
    cache: [Option<(RgbColour, u32)>; 1 << u8::BITS],
    counts: Vec<(RgbColour, usize)>,
    /// The numbers of the colours, run-length encoded.
    runs: Vec<(u32, u32)>,
}

/// A picture of at most 256 colours.
pub(super) struct ColourPalette {
    /// The colours, the most frequent first.
    pub(super) colours: Vec<RgbColour>,
    /// Index of each pixel's colour, run-length encoded.
    runs: Vec<(u8, u32)>,
}

impl ColourCounts {
    pub(super) fn new() -> Self {
        Self {
            numbers: HashMap::new(),
            cache: [None; 1 << u8::BITS],
            counts: Vec::new(),
            runs: Vec::new(),
        }
    }

    /// Adds the next pixels of the picture, as RGBA.
    pub(super) fn add(&mut self, pixels: &[u8]) {
        for (colour, length) in runs(pixels) {
            let number = self.number(colour);
            self.counts[number as usize].1 += length;
            self.runs.push((number, to_u32(length)));
        }
    }

    fn number(&mut self, colour: RgbColour) -> u32 {
        // Rotated, because the equal channels of a grey would cancel out.
        let place = usize::from(colour.0 ^ colour.1.rotate_left(3) ^ colour.2.rotate_left(6));
        match self.cache[place] {
            Some((cached, number)) if cached == colour => number,
            _ => {
                let number = *self.numbers.entry(colour).or_insert_with(|| {
                    self.counts.push((colour, 0));
                    to_u32(self.counts.len() - 1)
                });
                self.cache[place] = Some((colour, number));
                number
            }
        }
    }

    /// Indexes the colours. Beyond 256 colours, the rarest ones, found at the edges of letters, are
    /// replaced by the nearest of the others.
    pub(super) fn into_palette(self) -> ColourPalette {
        let (colours, places) = ranked(&self.counts);
        let place = |(number, length): (u32, u32)| (places[number as usize], length);
        ColourPalette { colours, runs: self.runs.into_iter().map(place).collect() }
    }
}

impl ColourPalette {
    /// Calls `write` with each row of pixels, preceded by its filter byte.
    pub(super) fn write_rows<E>(
        &self,
        (filter, width): (u8, usize),
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut row = vec![filter];
        for &(place, length) in &self.runs {
            let mut left = length as usize;
            while left > 0 {
                let part = left.min(width + 1 - row.len());
                row.resize(row.len() + part, place);
                left -= part;
                if row.len() > width {
                    write(&row)?;
                    row.truncate(1);
                }
            }
        }
        Ok(())
    }
}

/// A length within a picture, which has fewer pixels than 2^32.
fn to_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The 256 most frequent colours, the most frequent first, and the place of each counted colour
/// among them.
fn ranked(counts: &[(RgbColour, usize)]) -> (Vec<RgbColour>, Vec<u8>) {
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_unstable_by_key(|&number| (Reverse(counts[number].1), counts[number].0));
    let kept: Vec<RgbColour> = order.iter().take(256).map(|&number| counts[number].0).collect();
    let mut places = vec![0; counts.len()];
    for (place, number) in order.into_iter().enumerate() {
        places[number] = u8::try_from(place).unwrap_or_else(|_| nearest(&kept, counts[number].0));
    }
    (kept, places)
}

/// Run-length encodes the pixels of a picture.
fn runs(picture: &[u8]) -> impl Iterator<Item = (RgbColour, usize)> {
    let mut rest = picture;
    std::iter::from_fn(move || {
        let &[red, green, blue, _] = rest.first_chunk::<PIXEL>()?;
        let length = first_run(rest);
        rest = &rest[length..];
        Some(((red, green, blue), length / PIXEL))
    })
}

/// Bytes of a pixel.
const PIXEL: usize = 4;

/// Bytes that are compared at once.
const STRETCH: usize = 256;

/// How many bytes at the start of a picture are equal pixels, of which there is at least one.
///
/// A stretch that equals the one a pixel before it continues the run. Comparing whole stretches is
/// many times faster than comparing pixels, because a plot is mostly flat.
fn first_run(picture: &[u8]) -> usize {
    let continues = |at: usize, bytes: usize| {
        picture.get(at..at + bytes).is_some_and(|next| next == &picture[at - PIXEL..][..bytes])
    };
    let mut length = PIXEL;
    for step in [STRETCH, PIXEL] {
        while continues(length, step) {
            length += step;
        }
    }
    length
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

    fn palette(picture: &[u8]) -> ColourPalette {
        let mut counts = ColourCounts::new();
        picture.chunks(40).for_each(|part| counts.add(part));
        counts.into_palette()
    }

    /// The places of all pixels, read in rows of one.
    fn pixels(palette: &ColourPalette) -> Vec<u8> {
        let mut pixels = Vec::new();
        let add = |row: &[u8]| {
            assert_eq!((row.len(), row[0]), (2, 7));
            pixels.push(row[1]);
            Ok::<(), ()>(())
        };
        palette.write_rows((7, 1), add).unwrap();
        pixels
    }

    #[test]
    fn runs_go_on_in_the_next_row() {
        let picture = [[1, 1, 1, 255].repeat(5), [2, 2, 2, 255].repeat(7)].concat();
        let mut rows = Vec::new();
        let palette = palette(&picture);
        let add = |row: &[u8]| {
            rows.push(row.to_vec());
            Ok::<(), ()>(())
        };
        palette.write_rows((0, 4), add).unwrap();
        assert_eq!(rows, [[0, 1, 1, 1, 1], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]]);
    }

    #[test]
    fn a_picture_of_few_colours_keeps_them_all() {
        let picture = [9, 9, 9, 255, 255, 0, 0, 255, 9, 9, 9, 255];
        let palette = palette(&picture);
        assert_eq!(palette.colours, [(9, 9, 9), (255, 0, 0)]);
        assert_eq!(pixels(&palette), [0, 1, 0]);
    }

    #[test]
    fn runs_of_any_length_keep_every_pixel() {
        let lengths = [1, 63, 64, 65, 2, 128, 129, 1_000, 1];
        let colours = [[1, 2, 3, 255], [1, 2, 4, 255], [0, 2, 3, 255]];
        let given = lengths.iter().zip(colours.into_iter().cycle());
        let picture: Vec<u8> = given.flat_map(|(length, colour)| colour.repeat(*length)).collect();
        let found: Vec<usize> = runs(&picture).map(|(_, length)| length).collect();
        assert_eq!(found, lengths);
        let palette = palette(&picture);
        let drawn = pixels(&palette).into_iter().map(|place| palette.colours[usize::from(place)]);
        assert!(drawn.eq(picture.chunks_exact(4).map(|pixel| (pixel[0], pixel[1], pixel[2]))));
    }

    #[test]
    fn rare_colours_become_near_ones() {
        let rare = (0..300_u16)
            .flat_map(|n| [u8::try_from(n / 2).unwrap(), u8::try_from(n % 2).unwrap(), 7, 255]);
        let picture: Vec<u8> =
            [200, 200, 200, 255].into_iter().cycle().take(1200).chain(rare).collect();
        let palette = palette(&picture);
        assert_eq!(palette.colours.len(), 256);
        for (pixel, place) in picture.chunks_exact(4).zip(pixels(&palette)) {
            let drawn = palette.colours[usize::from(place)];
            assert!(
                drawn.0.abs_diff(pixel[0]) <= 30 && drawn.1.abs_diff(pixel[1]) <= 1,
                "{pixel:?} {drawn:?}"
            );
        }
    }
}
