//! What holds for any object.

use super::kubernetes::same;
use super::{inject, inject_as, object, report, values};
use argocd_auth_webhook::commands::inject::Format;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Strings of the kinds that YAML writers and readers stumble over.
fn odd_string() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9_+.eExXob:-]{1,8}",
        "[a-zA-Z~<=!&*|>%@`\"'#,\\[\\]{}? :-]{0,9}",
        "[ \t\n\rab#-]{0,12}",
        "([ a-z:#\t-]{0,12}\n){1,5}",
        "([a-z]{1,6} ){30,40}[a-z]",
        "[\\PC\n\t\u{7}\u{85}\u{2028}\u{2029}\u{feff}\u{7f}\u{a0}\u{fffe}]{0,10}",
        any::<String>(),
        proptest::sample::select(vec![
            "yes",
            "n",
            "on",
            "true",
            "null",
            "~",
            ".nan",
            "<<",
            "=",
            "2001-01-01",
            "0o17",
            "08",
            "1e3",
            "1_000",
            "0x1f",
            "190:20:30",
            "---",
            "...",
            "- a",
            "? a",
            "a: b",
            "a #b",
            "\n",
            " \n",
            "a\n\n",
            "\ta\nb",
            "a\r\nb",
            "\r",
        ])
        .prop_map(str::to_owned),
    ]
}

fn odd_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        odd_string().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((odd_string(), inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn odd_deployment() -> impl Strategy<Value = Value> {
    (odd_value(), odd_value(), odd_string(), any::<bool>()).prop_map(|(spec, volumes, value, selected)| {
        let mut object = object("apps/v1", "Deployment", &["spec", "template"]);
        object["spec"]["x"] = spec;
        object["spec"]["template"]["spec"]["y"] = volumes;
        object["spec"]["template"]["spec"]["containers"][0]["env"] = json!([{ "name": "A", "value": value }]);
        if !selected {
            object["spec"]["template"]["metadata"]["labels"]["app"] = "other".into();
        }
        object
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_object_survives_yaml(object in odd_deployment()) {
        let json = inject(&object.to_string()).manifests;
        let yaml = inject_as(object.to_string(), Some(Format::Yaml)).expect("YAML").manifests;
        let again = inject_as(yaml, Some(Format::Json)).expect("JSON").manifests;
        // A number is one however it is written.
        prop_assert!(same(&values(&again)[0], &values(&json)[0]), "{}\n{}", again, json);
    }

    #[test]
    fn injecting_twice_changes_nothing(
        objects in proptest::collection::vec((odd_deployment(), any::<bool>()), 1..4),
        output in proptest::sample::select(vec![None, Some(Format::Yaml), Some(Format::Json)]),
    ) {
        let text: Vec<_> = objects.iter().map(|(object, pretty)| {
            if *pretty { format!("# x\n{object:#}\n") } else { format!("{object}\n") }
        }).collect();
        let once = inject_as(text.join("---\n"), output).expect("readable");
        let twice = inject_as(once.manifests.clone(), output).expect("readable");
        prop_assert_eq!(&twice.manifests, &once.manifests);
        for (first, second) in report(&once).iter().zip(report(&twice)) {
            prop_assert_eq!(first.replace("injected", "already_right"), second);
        }
    }
}
