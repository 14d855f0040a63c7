//! Error codes of HTTP/2, by the crate `h2`.

use h2::Reason;

/// An error code with its number and meaning: `PROTOCOL_ERROR, 0x1: unspecific protocol error
/// detected`.
///
/// The crate prints a code that RFC 9113 does not define with `Debug`.
pub fn describe_reason(reason: Reason) -> String {
    const LAST: u32 = 0xd;
    match u32::from(reason) {
        code if code > LAST => format!("error code {code:#x}, which HTTP/2 does not define"),
        code => format!("{reason:?}, {code:#x}: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_standard_has_its_name_and_others_their_number() {
        for (code, words) in [
            (0, "NO_ERROR, 0x0: "),
            (1, "PROTOCOL_ERROR, 0x1: "),
            (7, "REFUSED_STREAM, 0x7: "),
            (0xb, "ENHANCE_YOUR_CALM, 0xb: "),
            (0xd, "HTTP_1_1_REQUIRED, 0xd: "),
            (0xe, "error code 0xe, which"),
            (u32::MAX, "error code 0xffffffff, which"),
        ] {
            let words_of = describe_reason(code.into());
            assert!(words_of.starts_with(words), "{words_of}");
            assert!(!words_of.contains("Reason("), "{words_of}");
        }
    }
}
