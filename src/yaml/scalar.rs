//! Resolves scalars by the rules of go-yaml version 2: YAML 1.1 as far as Go's number parsers follow it.
//! Those matter more than the specification: `7e12345` is text because it overflows a float, `0o17` is 15
//! because Go writes octal like that, and `1:30` is text.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// A scalar's value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    /// A whole number that fits into an `i64`.
    Int(i64),
    /// A whole number that fits into a `u64` only.
    Uint(u64),
    /// Any other number, infinities and NaN included.
    Float(f64),
    Text(String),
}

/// The prefix of YAML's own tags.
const YAML: &str = "tag:yaml.org,2002:";

/// Resolves a scalar. `tag` is empty if there is none; `plain` means neither quoted nor a block scalar.
///
/// # Errors
/// The text doesn't fit its tag; what was expected, without the text.
pub(super) fn resolve(tag: &str, text: &str, plain: bool) -> Result<Scalar, &'static str> {
    let own = if tag.is_empty() { Some("") } else { tag.strip_prefix(YAML) };
    match own {
        Some("") if plain => Ok(untyped(text)),
        Some("binary") => binary(text),
        Some("null") => match untyped(text) {
            Scalar::Null => Ok(Scalar::Null),
            _ => Err("a value that is not of its tag's type (null)"),
        },
        Some("bool") => match untyped(text) {
            Scalar::Bool(value) => Ok(Scalar::Bool(value)),
            _ => Err("a value that is not of its tag's type (bool)"),
        },
        Some("int") => match untyped(text) {
            number @ (Scalar::Int(_) | Scalar::Uint(_)) => Ok(number),
            _ => Err("a value that is not of its tag's type (int)"),
        },
        Some("float") => match untyped(text) {
            Scalar::Float(value) => Ok(Scalar::Float(value)),
            #[allow(clippy::cast_precision_loss)] // As Go converts it.
            Scalar::Int(value) => Ok(Scalar::Float(value as f64)),
            _ => Err("a value that is not of its tag's type (float)"),
        },
        // Go has a type for it; Kubernetes and JSON don't. Without the tag, a date is text.
        Some("timestamp") => Err("!!timestamp, which no field of Kubernetes takes"),
        _ => Ok(Scalar::Text(text.to_owned())),
    }
}

/// Whether a plain scalar without a tag is a string, and this text.
pub(crate) fn is_text(text: &str) -> bool {
    matches!(untyped(text), Scalar::Text(_))
}

fn untyped(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Scalar::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let number = match text.as_bytes().first() {
        Some(b'0'..=b'9' | b'+' | b'-') => number(&text.replace('_', "")),
        Some(b'.') if underscores_between_digits(text) => float(&text.replace('_', "")),
        _ => None,
    };
    number.unwrap_or_else(|| Scalar::Text(text.to_owned()))
}

fn number(plain: &str) -> Option<Scalar> {
    if let Some(whole) = signed(plain) {
        return Some(Scalar::Int(whole));
    }
    if let Some(whole) = unsigned(plain) {
        return Some(Scalar::Uint(whole));
    }
    // go-yaml parses the digits behind `0b` once more, with a sign if there is one.
    let behind = || plain.strip_prefix("0b").filter(|digits| digits.starts_with(['+', '-']));
    float(plain).or_else(|| i64::from_str_radix(behind()?, 2).ok().map(Scalar::Int))
}

/// Parses as Go's `ParseInt` with base 0.
fn signed(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let size = unsigned(digits)?;
    if negative { 0_i64.checked_sub_unsigned(size) } else { i64::try_from(size).ok() }
}

/// Parses as Go's `ParseUint` with base 0.
fn unsigned(text: &str) -> Option<u64> {
    let lower = text.get(..2).map(str::to_ascii_lowercase);
    let (radix, digits) = match lower.as_deref() {
        Some("0x") if text.len() > 2 => (16, text.get(2..)?),
        Some("0o") if text.len() > 2 => (8, text.get(2..)?),
        Some("0b") if text.len() > 2 => (2, text.get(2..)?),
        _ if text.len() > 1 && text.starts_with('0') => (8, text.get(1..)?),
        _ => (10, text),
    };
    // Rust accepts a sign here, Go doesn't.
    if digits.starts_with('+') { None } else { u64::from_str_radix(digits, radix).ok() }
}

/// Parses a decimal number as written in YAML; `None` if it overflows a float.
fn float(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let some = !(whole.is_empty() && fraction.is_empty());
    if !(some && digits(whole) && digits(fraction) && exponent.is_none_or(|text| !text.is_empty() && digits(text))) {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite()).map(Scalar::Float)
}

/// Whether each `_` is between digits, which Go requires of a number that begins with its point.
fn underscores_between_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    (0..bytes.len()).all(|at| bytes.get(at) != Some(&b'_') || (digit(at.checked_sub(1)) && digit(Some(at + 1))))
}

fn binary(text: &str) -> Result<Scalar, &'static str> {
    const LIKE_GO: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
    );
    let bytes = LIKE_GO.decode(text.replace(['\r', '\n'], "")).map_err(|_| "!!binary that is not base64")?;
    // Go replaces each byte that isn't UTF-8 by one replacement character.
    let mut decoded = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        decoded.push_str(chunk.valid());
        decoded.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Ok(Scalar::Text(decoded))
}

/// A number as Go writes it for a key of a JSON object: `%g` with the precision of 32 bits.
#[allow(clippy::cast_possible_truncation)] // That is how it is read back.
pub(super) fn key_of(value: f64) -> String {
    let value = value as f32;
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent @ (..-4 | 6..)) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The results of sigs.k8s.io/yaml, which `tests/inject` asks about many more.
    #[test]
    fn a_scalar_is_what_go_makes_of_it() {
        use Scalar::{Bool, Float, Int, Null, Uint};
        for (text, value) in [
            ("~", Null),
            ("", Null),
            ("Null", Null),
            ("yes", Bool(true)),
            ("OFF", Bool(false)),
            ("y", Bool(true)),
            ("0644", Int(420)),
            ("0o17", Int(15)),
            ("0O17", Int(15)),
            ("0b101", Int(5)),
            ("-0x1F", Int(-31)),
            ("+1", Int(1)),
            ("1_000", Int(1000)),
            ("0b-1", Int(-1)),
            ("-9223372036854775808", Int(i64::MIN)),
            ("18446744073709551615", Uint(u64::MAX)),
            ("18446744073709551616", Float(18_446_744_073_709_551_616.0)),
            ("08", Float(8.0)),
            ("1e3", Float(1000.0)),
            ("1.", Float(1.0)),
            (".5", Float(0.5)),
            (".5_0", Float(0.5)),
            ("-.INF", Float(f64::NEG_INFINITY)),
        ] {
            assert_eq!(resolve("", text, true), Ok(value), "{text}");
        }
        for text in [
            "7e12345",
            "5e98701",
            "tRUE",
            "nULL",
            "1:30",
            "2001-01-01",
            "=",
            "<<",
            "0x",
            "0b2",
            "1e",
            ".",
            "._5",
            ".5_",
            "+",
            "-",
            "--1",
            "+-1",
            "0x1p4",
            "1 2",
            ".Infinity",
            "Inf",
            "NaN",
            "_1",
            "-.5.5",
        ] {
            assert_eq!(resolve("", text, true), Ok(Scalar::Text(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn quotes_and_tags_decide_before_the_look() {
        let yaml = |name: &str| format!("{YAML}{name}");
        let text = |text: &str| Ok(Scalar::Text(text.to_owned()));
        assert_eq!(resolve("", "12", false), text("12"));
        assert_eq!(resolve(&yaml("str"), "12", true), text("12"));
        assert_eq!(resolve("!mine", "12", true), text("12"));
        assert_eq!(resolve("!", "~", true), text("~"));
        assert_eq!(resolve(&yaml("int"), "0x10", false), Ok(Scalar::Int(16)));
        assert_eq!(resolve(&yaml("float"), "1", true), Ok(Scalar::Float(1.0)));
        assert_eq!(resolve(&yaml("binary"), "aGk=\n", true), text("hi"));
        assert_eq!(resolve(&yaml("binary"), "/+8=", true), text("\u{FFFD}\u{FFFD}"));
        for (tag, wrong) in [("int", "1.5"), ("bool", "maybe"), ("null", "x"), ("float", "x"), ("binary", "?")] {
            resolve(&yaml(tag), wrong, true).expect_err(tag);
        }
    }

    #[test]
    fn a_float_as_a_key_is_written_as_go_writes_it() {
        for (value, key) in [
            (1.5, "1.5"),
            (1000.0, "1000"),
            (1e6, "1e+06"),
            (100_000.0, "100000"),
            (1_234_567.0, "1.234567e+06"),
            (1e-5, "1e-05"),
            (1e-4, "0.0001"),
            (2.236_067_977_499_79, "2.236068"),
            (1e40, ".inf"),
            (-0.0, "-0"),
        ] {
            assert_eq!(key_of(value), key);
        }
    }
}
