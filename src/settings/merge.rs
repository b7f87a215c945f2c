//! Merges several values files, as Helm merges several `--values`.

use serde_json::{Map, Value};

/// Puts `later` over `earlier`: mappings are merged key by key, anything else (lists too) is replaced. A null
/// stays in the result, since it removes a chart's default as well.
pub(super) fn merge(mut earlier: Map<String, Value>, later: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in later {
        let merged = match (earlier.shift_remove(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => Value::Object(merge(below, above)),
            (_, value) => value,
        };
        earlier.insert(key, merged);
    }
    earlier
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn mappings_are_merged_lists_replaced_and_null_takes_the_place_of_what_was_there() {
        let earlier = map(json!({ "a": { "b": 1, "c": [1, 2], "d": 4 }, "e": "text", "f": { "g": 1 } }));
        let later = map(json!({ "a": { "b": null, "c": [3] }, "e": { "h": 1 }, "f": null, "new": null }));
        assert_eq!(
            Value::Object(merge(earlier, later)),
            json!({ "a": { "d": 4, "b": null, "c": [3] }, "e": { "h": 1 }, "f": null, "new": null })
        );
    }

    #[test]
    fn what_was_taken_away_does_not_come_back_with_a_third_file() {
        let files = [json!({ "a": { "b": 1 } }), json!({ "a": null }), json!({ "a": { "c": 2 } })];
        let merged = files.into_iter().map(map).reduce(merge).unwrap();
        assert_eq!(Value::Object(merged), json!({ "a": { "c": 2 } }));
    }
}
