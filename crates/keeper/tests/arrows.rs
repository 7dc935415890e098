//! The arrows between the crates point one way, as docs/architecture.md draws them.

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};

/// What each crate depends on, beside crates that are not ours. A crate that is not named here fails.
const ARROWS: [(&str, &[&str]); 10] = [
    ("errand-types", &[]),
    ("errand-bindings", &[]),
    ("errand-bundle", &["errand-types"]),
    ("errand-journal", &["errand-types"]),
    ("errand-sim", &["errand-types"]),
    ("errand-chain", &["errand-types"]),
    ("errand-submit", &["errand-types", "errand-journal"]),
    (
        "errand-keeper",
        &[
            "errand-types",
            "errand-bindings",
            "errand-bundle",
            "errand-chain",
            "errand-journal",
            "errand-sim",
            "errand-submit",
        ],
    ),
    (
        "errand",
        &[
            "errand-types",
            "errand-bindings",
            "errand-bundle",
            "errand-chain",
            "errand-journal",
            "errand-sim",
            "errand-submit",
            "errand-keeper",
        ],
    ),
    ("errand-testkit", &[]),
];

/// Crates that do no I/O: none of these may be among their dependencies.
const PURE: [&str; 3] = ["errand-types", "errand-sim", "errand-bundle"];
const IO: [&str; 5] = ["tokio", "reqwest", "hyper", "rusqlite", "futures"];

#[test]
fn crates_depend_on_each_other_only_along_the_arrows() {
    let metadata = MetadataCommand::new().no_deps().other_options(vec!["--offline".into()]).exec().unwrap();
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ARROWS.into_iter().map(|(name, to)| (name, to.iter().copied().collect())).collect();
    let mut seen = BTreeSet::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let allowed = allowed.get(name).unwrap_or_else(|| panic!("{name} is not in ARROWS"));
        seen.insert(name.to_owned());
        let mut ours = BTreeSet::new();
        for dependency in &package.dependencies {
            let to = dependency.name.as_str();
            let is_ours = to == "errand" || to.starts_with("errand-");
            if is_ours && to == "errand-testkit" {
                let kind = dependency.kind;
                assert_eq!(
                    kind,
                    DependencyKind::Development,
                    "{name} depends on the testkit outside its tests"
                );
            } else if is_ours && dependency.kind == DependencyKind::Normal {
                assert!(allowed.contains(to), "{name} must not depend on {to}");
                ours.insert(to);
            }
            if PURE.contains(&name) && dependency.kind == DependencyKind::Normal {
                assert!(!IO.contains(&to), "{name} does no I/O, but depends on {to}");
            }
        }
        assert_eq!(&ours, allowed, "{name} has not all of its arrows");
    }
    assert_eq!(seen.len(), ARROWS.len(), "ARROWS names a crate that is not there: {seen:?}");
}
