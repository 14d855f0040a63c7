//! The values of a statement, with the types that the server is told.

use time::{Date, OffsetDateTime};
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

/// A value of a statement, and the type of its placeholder.
type BoundValue<'q> = (Box<dyn ToSql + Sync + Send + 'q>, Type);

/// The values of a statement, in the order of its placeholders.
///
/// Their types are sent with them. So a statement needs no preparation by name, and one round trip.
#[derive(Debug, Default)]
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

/// A value that a statement can have.
pub trait BindValue: ToSql + Sync + Send {
    /// Its type in the database.
    const TYPE: Type;
    /// The type of a list of it.
    const LIST: Type;
}

macro_rules! bind_values {
    ($($value:ty: $type:ident, $list:ident;)*) => {$(
        impl BindValue for $value {
            const TYPE: Type = Type::$type;
            const LIST: Type = Type::$list;
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
    const LIST: Type = T::LIST;
}

impl<T: BindValue> BindValue for Vec<T> {
    const TYPE: Type = T::LIST;
    // Lists of any depth have one type.
    const LIST: Type = T::LIST;
}

impl<T: BindValue> BindValue for &[T] {
    const TYPE: Type = T::LIST;
    const LIST: Type = T::LIST;
}
