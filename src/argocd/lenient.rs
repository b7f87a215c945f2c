//! Fields of answers that may be of any type: unexpected ones are skipped, never kept.

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A string; `None` for any other type.
#[derive(Default)]
pub(super) struct LenientText(pub(super) Option<String>);

impl<'de> Deserialize<'de> for LenientText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Scalar).map(|scalar| match scalar {
            Found::Text(text) => Self(Some(text)),
            Found::Number(_) | Found::Other => Self(None),
        })
    }
}

/// A time in seconds since 1970, as a number or, as newer versions of grpc-gateway write int64, a string. 0
/// is none.
pub(super) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let time = match from.deserialize_any(Scalar)? {
        Found::Number(number) => Some(number),
        Found::Text(text) => text.parse().ok(),
        Found::Other => None,
    };
    Ok(time.filter(|time| *time != 0))
}

enum Found {
    Text(String),
    Number(i64),
    Other,
}

struct Scalar;

impl<'de> Visitor<'de> for Scalar {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Found, E> {
        Ok(Found::Text(text.to_owned()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Found, E> {
        Ok(Found::Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Found, E> {
        Ok(i64::try_from(number).map_or(Found::Other, Found::Number))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Found, E> {
        Ok(Found::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Found, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Found::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Found, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Found::Other)
    }
}
