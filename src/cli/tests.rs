//! All that can be typed, as a whole.
