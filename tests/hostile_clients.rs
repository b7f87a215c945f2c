//! Hostile clients against the real binary with a data limit of 128 MiB: it lives, stays small, and
//! answers honest clients when they have gone. How long those waited meanwhile is printed in a table, and
//! judged by no test: the attackers share the processors. Only ever talks to 127.0.0.0/8.

mod support {
    pub mod decision;
    pub mod serving;
}
mod hostile {
    pub mod process;
    pub mod shapes;
}

use hostile::process::{Waited, Webhook, honest, recovers};
use hostile::shapes::SHAPES;
use std::time::Duration;

/// What the whole process may take, in KiB. The debug binary's own pages take 20 MiB more than the release
/// binary's, and its slower threads hold more at once: its peaks of one mix vary from 65 to 85 MiB.
const MOST_MEMORY: u64 = if cfg!(debug_assertions) { 100 << 10 } else { 64 << 10 };
const LASTING: Duration = Duration::from_millis(1300);
/// Mixes, by the places of their shapes.
const MIXES: [&[usize]; 22] = [
    &[0, 3, 6],
    &[0, 24],
    &[1, 10],
    &[2, 23],
    &[3, 15],
    &[4, 19],
    &[5, 22, 25],
    &[6, 13],
    &[6, 11, 9],
    &[7, 12],
    &[7, 23],
    &[8, 10],
    &[8, 18],
    &[9, 19, 13],
    &[10, 13],
    &[10, 15, 9],
    &[11, 16],
    &[12, 19],
    &[13, 17],
    &[14, 20],
    &[15, 16, 17],
    &[21, 25, 26],
];

fn shown(waited: Duration) -> String {
    if waited == Duration::MAX { "never".to_owned() } else { format!("{}", waited.as_millis()) }
}

/// Sends these shapes at once; says what was wrong.
fn case(places: &[usize]) -> Result<(), String> {
    let name = places.iter().map(|place| SHAPES[*place].0).collect::<Vec<_>>().join(" + ");
    let mut webhook = Webhook::start();
    let attackers = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let target = webhook.target.clone();
    let waited = honest(&webhook, LASTING, || {
        for place in places {
            attackers.spawn(SHAPES[*place].1(target.clone()));
        }
    });
    attackers.shutdown_background();
    let recovered = recovers(&webhook);
    let (ended, peak) = (webhook.ended(), webhook.peak());
    let Waited { open, open_worst, new, live, files } = waited;
    println!(
        "| {name} | {:.1} | {files} | {} / {} | {} | {} |",
        f64::from(u32::try_from(peak).unwrap_or(u32::MAX)) / 1024.0,
        shown(open),
        shown(open_worst),
        shown(new),
        shown(live)
    );
    if let Some(ended) = ended {
        return Err(format!("{name}: it ended: {ended}"));
    }
    if peak >= MOST_MEMORY {
        return Err(format!("{name}: {peak} KiB"));
    }
    recovered.then_some(()).ok_or_else(|| format!("{name}: nobody is answered afterwards"))
}

#[test]
fn whatever_is_sent_it_lives_stays_small_and_goes_on_answering() {
    println!(
        "| sent | peak memory, MiB | open files | open connection, ms: usual / worst | new one, ms | /livez, ms |"
    );
    println!("|---|---|---|---|---|---|");
    let alone = (0..SHAPES.len()).map(|place| vec![place]);
    let broken: Vec<String> =
        alone.chain(MIXES.iter().map(|places| places.to_vec())).filter_map(|places| case(&places).err()).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
