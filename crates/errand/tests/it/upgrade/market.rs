//! `errand upgrade simulate-market`

use crate::chain::run;
use std::{fs, process::Command};
use tempfile::TempDir;

/// The binary, which needs no node here.
fn simulate(folder: &TempDir, arguments: &[&str]) -> crate::chain::Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_errand"));
    command.env_clear().current_dir(folder.path()).args(["upgrade", "simulate-market"]).args(arguments);
    run(&mut command)
}

#[test]
fn the_same_seed_gives_the_same_table_and_a_drawing() {
    let folder = TempDir::new().unwrap();
    let first = simulate(&folder, &["--rounds", "20", "--seed", "7", "--svg", "market.svg"]).ok();
    assert!(first.stdout.contains("| scenario | paid by | executor |"), "{}", first.stdout);
    assert!(first.stderr.contains("market.svg"), "{}", first.stderr);
    let drawing = fs::read_to_string(folder.path().join("market.svg")).unwrap();
    assert!(drawing.starts_with("<svg") && drawing.contains("</svg>"), "{drawing:.200}");
    let second = simulate(&folder, &["--rounds", "20", "--seed", "7"]).ok();
    assert_eq!(first.stdout, second.stdout);
    let other = simulate(&folder, &["--rounds", "20", "--seed", "8"]).ok();
    assert_ne!(first.stdout, other.stdout);
    let json = simulate(&folder, &["--rounds", "20", "--json"]).ok().json();
    let results = json["results"].as_array().unwrap();
    let agents: usize = results.iter().map(|result| result["agents"].as_array().unwrap().len()).sum();
    // Below its heads the table has a row for each.
    let rows = first.stdout.lines().filter(|line| line.starts_with("| ")).count();
    assert_eq!(agents + 1, rows, "{json}");
    let completed = |result: &serde_json::Value| (0.0..=1.0).contains(&result["completed"].as_f64().unwrap());
    assert!(results.iter().all(completed), "{json}");
    simulate(&folder, &["--rounds", "0"]).failed(2, &["--rounds", "1..=100000"]);
    simulate(&folder, &["--rounds", "1", "--svg", "no/such/folder.svg"]).failed(1, &["cannot be written"]);
}
