//! Where `fetch` is stricter with an answer's head than a run; pure. The rules are those of Node.js.

use http::header::{CONTENT_LENGTH, LOCATION, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, StatusCode, response};
use url::Url;

/// Why an answer with this head is none for `fetch`.
pub(super) fn refusal(head: &response::Parts) -> Option<&'static str> {
    let lengths: Vec<_> = head.headers.get_all(CONTENT_LENGTH).iter().collect();
    let is_listed = lengths.iter().any(|length| length.as_bytes().contains(&b','));
    let is_chunked = head.headers.contains_key(TRANSFER_ENCODING);
    match lengths.len() {
        _ if head.status == StatusCode::SWITCHING_PROTOCOLS => {
            Some("the target changed to another protocol unasked")
        }
        1.. if is_chunked => {
            Some("the head has Content-Length and Transfer-Encoding: one of them is wrong")
        }
        2.. => Some("the head has Content-Length twice"),
        1 if is_listed => Some("the head has Content-Length twice"),
        _ => None,
    }
}

/// Makes one `Location` of several, as headers of one name are read: with a comma between them, which leads to neither.
pub(super) fn unite_locations(headers: &mut HeaderMap) {
    let all: Vec<_> = headers.get_all(LOCATION).iter().map(HeaderValue::as_bytes).collect();
    if all.len() > 1
        && let Ok(united) = HeaderValue::from_bytes(&all.join(&b", "[..]))
    {
        headers.insert(LOCATION, united);
    }
}

/// Whether an answer leads to a URL with a user name or password in it, which `fetch` does not follow
/// (<https://fetch.spec.whatwg.org/#http-redirect-fetch>: no origin is that of a program outside of pages).
pub(super) fn leads_with_credentials(from: &Url, headers: &HeaderMap) -> bool {
    let written =
        headers.get(LOCATION).and_then(|location| std::str::from_utf8(location.as_bytes()).ok());
    let to = written.and_then(|written| from.join(written.trim()).ok());
    to.is_some_and(|to| !to.username().is_empty() || to.password().is_some())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, Response};

    use super::*;

    fn head(status: u16, headers: &[(HeaderName, &'static str)]) -> response::Parts {
        let mut head = Response::new(()).into_parts().0;
        head.status = StatusCode::from_u16(status).unwrap();
        for (name, value) in headers {
            head.headers.append(name, HeaderValue::from_static(value));
        }
        head
    }

    #[test]
    fn an_answer_whose_length_is_told_twice_or_that_changes_the_protocol_is_none() {
        let (length, coding) = (CONTENT_LENGTH, TRANSFER_ENCODING);
        for (status, headers, why) in [
            (200, vec![(length.clone(), "2")], None),
            (200, vec![(coding.clone(), "chunked")], None),
            (200, vec![(length.clone(), "2"), (coding, "chunked")], Some("one of them is wrong")),
            (200, vec![(length.clone(), "2"), (length.clone(), "2")], Some("twice")),
            (302, vec![(length, "2, 2")], Some("twice")),
            (101, vec![], Some("another protocol")),
        ] {
            let refusal = refusal(&head(status, &headers));
            let agrees = |why: &str| refusal.is_some_and(|refusal| refusal.contains(why));
            assert!(why.map_or(refusal.is_none(), agrees), "{headers:?}: {refusal:?}");
        }
    }

    #[test]
    fn several_locations_are_one_that_leads_to_neither() {
        let mut headers = head(302, &[(LOCATION, "/one"), (LOCATION, "/two")]).headers;
        unite_locations(&mut headers);
        assert_eq!(headers.get_all(LOCATION).iter().collect::<Vec<_>>(), ["/one, /two"]);
    }

    #[test]
    fn a_location_with_a_user_name_or_a_password_is_known() {
        let from = Url::parse("http://shop.example/app").unwrap();
        for (location, has_credentials) in [
            ("http://user:password@shop.example/", true),
            ("//user@other.example/", true),
            ("http://:password@other.example/", true),
            ("http://:@other.example/", false),
            ("/user@shop", false),
        ] {
            let headers = head(302, &[(LOCATION, location)]).headers;
            assert_eq!(leads_with_credentials(&from, &headers), has_credentials, "{location}");
        }
    }
}
