//! Errors of PEM files. The library quotes lines of the file, which may be those of a private key.

use rustls::pki_types::pem::Error;

use super::describe_reading;

/// What is wrong with a PEM file that should contain `what`, as a clause that quotes nothing.
pub fn describe_pem(error: &Error, what: &str) -> String {
    match error {
        Error::MissingSectionEnd { .. } => {
            "a `-----BEGIN …-----` line has no matching `-----END …-----` line, so the file is cut off or \
             damaged"
                .to_owned()
        }
        Error::IllegalSectionStart { .. } => {
            "a `-----BEGIN …-----` line is malformed: five hyphens must stand at both ends".to_owned()
        }
        Error::Base64Decode(_) => {
            "the text between the BEGIN and END lines is not base64, so the file is damaged".to_owned()
        }
        Error::Io(error) => describe_reading(error),
        Error::NoItemsFound => format!("it holds no {what}"),
        Error::SectionTooLarge => format!("it is larger than any {what}"),
        _ => "it is not a PEM file that can be read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    use super::*;

    #[test]
    fn bad_files_are_described_and_never_quoted() {
        for (text, expected) in [
            ("", "it holds no private key"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "it holds no private key",
            ),
            ("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n", "cut off or damaged"),
            ("-----BEGIN PRIVATE KEY\nc2VjcmV0\n", "five hyphens"),
            ("-----BEGIN PRIVATE KEY-----\nsecret!?\n-----END PRIVATE KEY-----\n", "not base64"),
        ] {
            let error = PrivateKeyDer::from_pem_slice(text.as_bytes()).unwrap_err();
            let described = describe_pem(&error, "private key");
            assert!(described.contains(expected), "{text:?}: {described}");
            assert!(!described.contains("secret") && !described.contains(", 67"), "{described}");
        }
        let missing = CertificateDer::from_pem_file("/no/such/file").unwrap_err();
        assert_eq!(describe_pem(&missing, "certificate"), "there is no such file");
    }
}
