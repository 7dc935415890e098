//! A report as a table and as a picture.

use super::{Payment, Report, ScenarioResult};
use plotters::prelude::*;
use std::fmt::Write;

/// The picture could not be drawn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot draw: {0}")]
pub struct RenderError(String);

const WIDTH: u32 = 1100;
const HEIGHT: u32 = 900;
const FLAT: RGBColor = RGBColor(0x3b, 0x6e, 0xa8);
const BONUS: RGBColor = RGBColor(0xd9, 0x8b, 0x2b);

/// A Markdown table: one line per executor of a scenario and way to pay.
pub fn table(report: &Report) -> String {
    let mut text = String::from(
        "| scenario | paid by | executor | profit (ETH) | bonds lost | project (ETH) | completed | after (min) |\n\
         |---|---|---|--:|--:|--:|--:|--:|\n",
    );
    for result in &report.results {
        for agent in &result.agents {
            let after =
                result.completion_seconds.map_or("–".into(), |seconds| format!("{:.1}", seconds / 60.0));
            // Writing to a text does not fail.
            let _ = writeln!(
                text,
                "| {} | {} | {} | {:+.4} | {:.2} | {:+.4} | {:.0} % | {after} |",
                result.scenario.name,
                paid_by(result.payment),
                format!("{:?}", agent.behaviour).to_lowercase(),
                agent.profit_ether,
                agent.bonds_lost,
                result.project_ether,
                100.0 * result.completed,
            );
        }
    }
    text
}

fn paid_by(payment: Payment) -> &'static str {
    match payment {
        Payment::FlatFee => "flat fee",
        Payment::DiminishingBonus => "diminishing bonus",
    }
}

/// A bar.
struct Bar {
    label: String,
    value: f64,
    color: RGBColor,
}

/// An SVG with two panels: what each executor earns, and how long upgrades take.
pub fn svg(report: &Report) -> Result<String, RenderError> {
    let mut text = String::new();
    draw(report, &mut text).map_err(|error| RenderError(error.to_string()))?;
    Ok(text)
}

fn draw(report: &Report, text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(text, (WIDTH, HEIGHT)).into_drawing_area();
    area.fill(&WHITE)?;
    let (profits, times) = area.split_vertically(HEIGHT * 3 / 5);
    let of_agents = report.results.iter().flat_map(|result| {
        result.agents.iter().map(|agent| Bar {
            label: format!("{}: {}", result.scenario.name, format!("{:?}", agent.behaviour).to_lowercase()),
            value: agent.profit_ether,
            color: color(result),
        })
    });
    panel(
        &profits,
        "mean profit per executor, ETH (blue: flat fee, orange: diminishing bonus)",
        of_agents.collect(),
    )?;
    let of_scenarios = report.results.iter().filter_map(|result| {
        Some(Bar {
            label: result.scenario.name.to_owned(),
            value: result.completion_seconds? / 60.0,
            color: color(result),
        })
    });
    panel(&times, "mean time from approval to completion, minutes", of_scenarios.collect())?;
    area.present()?;
    Ok(())
}

fn color(result: &ScenarioResult) -> RGBColor {
    match result.payment {
        Payment::FlatFee => FLAT,
        Payment::DiminishingBonus => BONUS,
    }
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    title: &str,
    bars: Vec<Bar>,
) -> Result<(), Box<dyn std::error::Error>> {
    let low = bars.iter().map(|bar| bar.value).fold(0.0, f64::min);
    let high = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    let margin = ((high - low) * 0.1).max(1e-9);
    let rows = i32::try_from(bars.len())?;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 16))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(250)
        .build_cartesian_2d(low - margin..high + margin, (0..rows).into_segmented())?;
    let label = |row: &SegmentValue<i32>| match row {
        SegmentValue::CenterOf(row) => {
            // the first bar is on top
            let bar = usize::try_from(rows - 1 - row).ok().and_then(|index| bars.get(index));
            bar.map_or_else(String::new, |bar| bar.label.clone())
        }
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .disable_y_mesh()
        .x_labels(10)
        // Zero is drawn from a sum, and may have a sign.
        .x_label_formatter(&|value| format!("{value:.2}").replace("-0.00", "0.00"))
        .max_light_lines(1)
        .y_labels(bars.len())
        .y_label_formatter(&label)
        .label_style(("sans-serif", 11))
        .draw()?;
    let rectangles = bars.iter().zip((0..rows).rev()).map(|(bar, row)| {
        let corners = [(0.0, SegmentValue::Exact(row)), (bar.value, SegmentValue::Exact(row + 1))];
        let mut rectangle = Rectangle::new(corners, bar.color.filled());
        rectangle.set_margin(2, 2, 0, 0);
        rectangle
    });
    chart.draw_series(rectangles)?;
    Ok(())
}
