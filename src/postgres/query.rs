//! The values of a statement, and the types sent with them.

use std::fmt;

use time::{Date, OffsetDateTime};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

/// A value of a statement, and the type of its placeholder.
type BoundValue<'q> = (Box<dyn ToSql + Sync + Send + 'q>, Type);

/// The values of a statement, in the order of its placeholders.
///
/// Their types are sent with them, so a statement is not prepared by name and takes one round trip.
#[derive(Default)]
pub struct BoundQuery<'q> {
    values: Vec<BoundValue<'q>>,
}

impl<'q> BoundQuery<'q> {
    /// Adds the value of the next placeholder.
    #[must_use]
    pub fn bind<T: BindValue + 'q>(mut self, value: T) -> Self {
        self.values.push((Box::new(value), T::TYPE));
        self
    }

    /// The values.
    pub(super) fn into_values(self) -> Vec<BoundValue<'q>> {
        self.values
    }
}

/// The values may be secret, so only their number is shown.
impl fmt::Debug for BoundQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BoundQuery({} values)", self.values.len())
    }
}

/// A value that a statement can have.
pub trait BindValue: ToSql + Sync + Send {
    /// Its type in the database.
    const TYPE: Type;
}

/// A value that an array of a statement can have. An array is not an element: PostgreSQL has arrays
/// of several dimensions, but none of arrays.
pub trait ArrayElement: BindValue {
    /// The type of an array of it.
    const ARRAY: Type;
}

macro_rules! bind_values {
    ($($value:ty: $type:ident, $array:ident;)*) => {$(
        impl BindValue for $value {
            const TYPE: Type = Type::$type;
        }

        impl ArrayElement for $value {
            const ARRAY: Type = Type::$array;
        }
    )*};
}

bind_values! {
    bool: BOOL, BOOL_ARRAY;
    i16: INT2, INT2_ARRAY;
    i32: INT4, INT4_ARRAY;
    i64: INT8, INT8_ARRAY;
    f64: FLOAT8, FLOAT8_ARRAY;
    &str: TEXT, TEXT_ARRAY;
    String: TEXT, TEXT_ARRAY;
    Uuid: UUID, UUID_ARRAY;
    Date: DATE, DATE_ARRAY;
    OffsetDateTime: TIMESTAMPTZ, TIMESTAMPTZ_ARRAY;
    Vec<u8>: BYTEA, BYTEA_ARRAY;
    &[u8]: BYTEA, BYTEA_ARRAY;
}

impl<T: BindValue> BindValue for Option<T> {
    const TYPE: Type = T::TYPE;
}

impl<T: ArrayElement> ArrayElement for Option<T> {
    const ARRAY: Type = T::ARRAY;
}

impl<T: ArrayElement> BindValue for Vec<T> {
    const TYPE: Type = T::ARRAY;
}

impl<T: ArrayElement> BindValue for &[T] {
    const TYPE: Type = T::ARRAY;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_of_a_query_shows_no_value() {
        let query = BoundQuery::default().bind("Zebra7f3a").bind(vec![Some(1_i64), None]);
        assert_eq!(format!("{query:?}"), "BoundQuery(2 values)");
    }
}
