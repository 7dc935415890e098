//! Plays the market's scenarios and writes `target/market.json`, `target/market.svg` and the table on the terminal:
//! the figures of the README. `cargo run -p errand-bundle --example market [rounds] [seed]`

use errand_bundle::market::{Params, scenarios, simulate, svg, table};
use rand::{SeedableRng, rngs::StdRng};
use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().map_or(Ok(1000), |text| text.parse())?;
    let seed = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let report = simulate(&Params::default(), &scenarios(), rounds, &mut StdRng::seed_from_u64(seed));
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    fs::create_dir_all(&target)?;
    fs::write(target.join("market.json"), serde_json::to_string_pretty(&report)?)?;
    fs::write(target.join("market.svg"), svg(&report)?)?;
    print!("{}", table(&report));
    Ok(())
}
