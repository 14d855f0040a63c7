//! Request bodies, read only if the answer depends on them; otherwise the HTTP library discards
//! them.

use bytes::Bytes;

/// The longest body that is stored, in bytes.
const LONGEST: usize = 64 * 1024;

/// A request's complete body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReceivedBody {
    Whole(Vec<u8>),
    /// It was longer than 64 KiB and was discarded.
    TooLong,
}

/// Collects a body from its pieces; returns an error if it breaks off.
///
/// A body that is too long is still read to its end: an answer sent while the client still sends
/// may be lost with the connection.
pub(super) async fn gather<E>(
    mut next: impl AsyncFnMut() -> Option<Result<Bytes, E>>,
) -> Result<ReceivedBody, E> {
    let mut whole = Vec::new();
    let mut length = 0_usize;
    while let Some(piece) = next().await {
        let piece = piece?;
        length = length.saturating_add(piece.len());
        if length <= LONGEST {
            whole.extend_from_slice(&piece);
        } else {
            whole = Vec::new();
        }
    }
    Ok(if length <= LONGEST { ReceivedBody::Whole(whole) } else { ReceivedBody::TooLong })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn gathered(pieces: Vec<Result<&'static [u8], ()>>) -> Result<ReceivedBody, ()> {
        let mut pieces = pieces.into_iter();
        gather(async || pieces.next().map(|piece| piece.map(Bytes::from_static))).await
    }

    #[tokio::test]
    async fn a_body_is_the_sum_of_its_pieces_up_to_64_kib() {
        static HALF: [u8; LONGEST / 2] = [b'x'; LONGEST / 2];
        assert_eq!(gathered(vec![]).await, Ok(ReceivedBody::Whole(Vec::new())));
        assert_eq!(
            gathered(vec![Ok(b"on"), Ok(b"e")]).await,
            Ok(ReceivedBody::Whole(b"one".to_vec()))
        );
        assert_eq!(
            gathered(vec![Ok(&HALF), Ok(&HALF)]).await,
            Ok(ReceivedBody::Whole(vec![b'x'; LONGEST]))
        );
        assert_eq!(
            gathered(vec![Ok(&HALF), Ok(&HALF), Ok(b"x"), Ok(b"y")]).await,
            Ok(ReceivedBody::TooLong)
        );
        assert_eq!(gathered(vec![Ok(b"on"), Err(())]).await, Err(()));
    }
}
