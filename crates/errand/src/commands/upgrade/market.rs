//! `errand upgrade simulate-market`

use crate::{cli::Global, output::note, problem::Problem};
use clap::Args;
use errand_bundle::market::{Params, scenarios, simulate, svg, table};
use eyre::{Result, WrapErr};
use rand::{SeedableRng, rngs::StdRng};
use std::{fs, path::PathBuf};

/// Play the game between executors and owners
///
/// Plays upgrades of 34 million gas between executors and owners that are honest, late, stalling or colluding, with
/// the bonds and fees that ChugSplash's paper proposes, and shows what each earns. The same seed gives the same
/// table. No node is asked.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  errand upgrade simulate-market
  errand upgrade simulate-market --rounds 200 --seed 7 --svg market.svg")]
pub(crate) struct SimulateMarket {
    /// Upgrades per line of the table
    #[arg(long, value_name = "NUMBER", env = "ERRAND_ROUNDS", default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
    /// Where chance begins
    #[arg(long, value_name = "NUMBER", env = "ERRAND_SEED", default_value_t = 1)]
    seed: u64,
    /// Draw profits and times into this file
    #[arg(long, value_name = "FILE", env = "ERRAND_SVG")]
    svg: Option<PathBuf>,
}

impl SimulateMarket {
    pub(crate) fn run(&self, global: &Global) -> Result<()> {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let report = simulate(&Params::default(), &scenarios(), self.rounds, &mut rng);
        if let Some(path) = &self.svg {
            fs::write(path, svg(&report)?)
                .wrap_err_with(|| Problem::new(format!("{} cannot be written", path.display())))?;
            note(format!("drawn into {}", path.display()));
        }
        global.format().print(&report, || table(&report))
    }
}
