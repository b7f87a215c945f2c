use argocd_auth_webhook::{
    core::{Engine, Pod},
    settings::{File, Overrides, Settings},
};
use std::io::Read;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let s = Settings::load(Some(&File::Values(a[1].clone().into())), Overrides::default()).unwrap_or_else(|e| {
        eprintln!("{e}");
        std::process::exit(2)
    });
    let mut t = String::new();
    std::io::stdin().read_to_string(&mut t).unwrap();
    let inj = s.injector(Engine::Inject);
    let mut v: serde_json::Value = serde_json::from_str(&t).unwrap();
    let p = Pod::from_json(&t).unwrap();
    let d = inj.decide(&p);
    eprintln!("{:?}", d);
    if let Some(patch) = &d.patch {
        let p: json_patch::Patch = serde_json::from_str(patch).unwrap();
        json_patch::patch(&mut v, &p).unwrap();
    }
    println!("{v}");
}
