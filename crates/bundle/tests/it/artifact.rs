//! What forge wrote: code with holes, and files that are damaged.

use errand_bundle::artifact::{Artifact, ArtifactError, RuntimeCode};
use serde_json::{Value, json};

const LIBRARY: &str = "__$0123456789abcdef0123456789abcdef01$__";

fn read(object: &str, links: Value, immutables: Value) -> Result<RuntimeCode, ArtifactError> {
    RuntimeCode::read(json!({ "object": object, "linkReferences": links, "immutableReferences": immutables }))
}

fn links(start: u64, length: u64) -> Value {
    json!({ "src/Maths.sol": { "Maths": [{ "start": start, "length": length }] } })
}

fn outside(start: usize) -> ArtifactError {
    ArtifactError::LinkOutside { library: "src/Maths.sol:Maths".into(), start }
}

#[test]
fn places_outside_the_code_are_refused_by_name() {
    let object = format!("0x73{LIBRARY}00");
    for (start, length) in [(3, 20), (u64::MAX, 20), (u64::MAX / 2 + 1, 20), (1, u64::MAX), (1, 19)] {
        let error = read(&object, links(start, length), json!({})).unwrap_err();
        assert_eq!(error, outside(start as usize), "{start}, {length}");
        let code = json!({ "object": object, "linkReferences": links(start, length) });
        let error = Artifact::parse(&json!({ "abi": [], "bytecode": code }).to_string()).unwrap_err();
        assert_eq!(error, outside(start as usize), "{start}, {length}");
    }
    for (start, length) in [(3, 1), (u64::MAX, 32), (0, u64::MAX)] {
        let error =
            read("0x600160", json!({}), json!({ "7": [{ "start": start, "length": length }] })).unwrap_err();
        assert_eq!(error, ArtifactError::ImmutableOutside { start: start as usize }, "{start}, {length}");
    }
}

#[test]
fn code_that_cannot_be_read_is_refused() {
    assert_eq!(read("0x", json!({}), json!({})).unwrap_err(), ArtifactError::NoCode);
    assert!(matches!(read(LIBRARY, json!({}), json!({})), Err(ArtifactError::BadCode(_))));
    assert!(matches!(RuntimeCode::read(Value::Null), Err(ArtifactError::Malformed(_))));
}

#[test]
fn code_is_the_same_whatever_its_deployment_put_into_it() {
    let object = format!("0x73{LIBRARY}610000");
    let code = read(&object, links(1, 20), json!({ "7": [{ "start": 22, "length": 2 }] })).unwrap();
    let mut deployed = [&[0x73][..], &[0xaa; 20], &[0x61, 0xbb, 0xcc]].concat();
    assert!(code.is(&deployed));
    deployed[0] = 0x74;
    assert!(!code.is(&deployed));
    deployed[0] = 0x73;
    assert!(!code.is(&deployed[..23]));
    assert!(!code.is(&[]));
    deployed.push(0);
    assert!(!code.is(&deployed));
}
