//! Parsers for flags whose values may be credentials: their errors never show the typed text.

use std::ffi::OsStr;

use clap::builder::TypedValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use super::header::Header;
use super::proxy::TypedProxy;
use crate::scenario::Template;

/// Parses a flag's value; errors name the flag and omit the value.
#[derive(Debug, Clone, Copy)]
pub(super) struct UnshownValueParser<T> {
    flag: &'static str,
    label: &'static str,
    read: fn(Option<&str>) -> Result<T, String>,
}

/// The parser of `--header`.
pub(super) const HEADER: UnshownValueParser<Header> =
    UnshownValueParser { flag: "--header", label: "--header <NAME: VALUE>", read: read_header };

/// The parser of `--body`.
pub(super) const BODY: UnshownValueParser<String> =
    UnshownValueParser { flag: "--body", label: "--body <TEXT>", read: read_body };

/// The parser of `--proxy`.
pub(super) const PROXY: UnshownValueParser<TypedProxy> =
    UnshownValueParser { flag: "--proxy", label: "--proxy <URL>", read: read_proxy };

impl<T: Clone + Send + Sync + 'static> TypedValueParser for UnshownValueParser<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        (self.read)(value.to_str()).map_err(|why| {
            let message = format!("invalid value for '{}': {why}", self.label);
            let mut error = command.clone().error(ErrorKind::ValueValidation, message);
            error.insert(ContextKind::InvalidArg, ContextValue::String(self.flag.to_owned()));
            error
        })
    }
}

fn read_header(typed: Option<&str>) -> Result<Header, String> {
    let header = typed.ok_or("a header is text in UTF-8").and_then(Header::read);
    header.map_err(|why| format!("{why}; write 'Accept: text/html'"))
}

fn read_proxy(typed: Option<&str>) -> Result<TypedProxy, String> {
    let valid = typed.filter(|text| Template::parse(text).is_ok() && text.starts_with("http://"));
    let valid = valid.ok_or("it is not an HTTP proxy").and_then(TypedProxy::new);
    valid.map_err(|why| {
        format!("{why}; write 'http://HOST:PORT' or 'http://USER:PASSWORD@HOST:PORT'")
    })
}

fn read_body(typed: Option<&str>) -> Result<String, String> {
    typed.filter(|text| Template::parse(text).is_ok()).map(str::to_owned).ok_or_else(|| {
        "it is not UTF-8 text, or a variable in it is malformed; write ${NAME}, and $${ for ${ \
         itself"
            .to_owned()
    })
}
