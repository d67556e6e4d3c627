//! Structs that are read from rows: each field from the column of its name.

/// Declares such a struct, and a constant with its columns as statements name them: `a, b, c`, in the order of the fields.
///
/// It does what `#[derive(sqlx::FromRow)]` does. With that derive the whole of sqlx is compiled a second time, for the
/// compiler itself, SQLite and a TLS library included.
macro_rules! row {
    (
        $(#[$of_struct:meta])*
        $visible:vis struct $name:ident {
            $(#[$of_first:meta])* $first_visible:vis $first:ident: $first_type:ty,
            $($(#[$of_field:meta])* $field_visible:vis $field:ident: $type:ty,)*
        }

        $columns_visible:vis const $columns:ident;
    ) => {
        $(#[$of_struct])*
        $visible struct $name {
            $(#[$of_first])* $first_visible $first: $first_type,
            $($(#[$of_field])* $field_visible $field: $type,)*
        }

        $columns_visible const $columns: &str = concat!(stringify!($first) $(, ", ", stringify!($field))*);

        impl sqlx::FromRow<'_, sqlx::any::AnyRow> for $name {
            fn from_row(row: &sqlx::any::AnyRow) -> Result<Self, sqlx::Error> {
                use sqlx::Row;
                Ok(Self {
                    $first: row.try_get(stringify!($first))?,
                    $($field: row.try_get(stringify!($field))?,)*
                })
            }
        }
    };
}

pub(super) use row;
