//! Pictures as SVG, drawn by hand: two kinds of chart over time need no crate.

use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 34.0;

/// Told apart by people who see few colours, too (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// Some values over time.
pub(crate) struct Series<'a> {
    pub(crate) name: &'a str,
    pub(crate) values: Vec<f64>,
}

/// A chart's frame.
pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    pub(crate) unit: &'a str,
    /// The least and the greatest value shown.
    pub(crate) least: f64,
    pub(crate) most: f64,
    /// Minutes at the first and the last value.
    pub(crate) from: f64,
    pub(crate) until: f64,
    /// Minutes during which something was wrong.
    pub(crate) trouble: Option<(f64, f64)>,
}

impl Chart<'_> {
    /// A line for each series.
    pub(crate) fn lines(&self, series: &[Series<'_>]) -> String {
        let mut body = String::new();
        // The first one is ours: drawn last, on top.
        for (number, one) in series.iter().enumerate().rev() {
            let points: Vec<String> = one
                .values
                .iter()
                .enumerate()
                .map(|(at, value)| self.point(at, one.values.len(), *value))
                .collect();
            let width = if number == 0 { 2.5 } else { 1.3 };
            let _ = writeln!(
                body,
                r#"<polyline fill="none" stroke="{}" stroke-width="{width}" stroke-linejoin="round" points="{}"/>"#,
                COLOURS[number % COLOURS.len()],
                points.join(" ")
            );
        }
        self.frame(&body, series)
    }

    /// Areas on top of one another, that make up the whole.
    pub(crate) fn shares(&self, series: &[Series<'_>]) -> String {
        let count = series.first().map_or(0, |one| one.values.len());
        let mut below = vec![0.0; count];
        let mut body = String::new();
        for (number, one) in series.iter().enumerate() {
            let above: Vec<f64> = below.iter().zip(&one.values).map(|(base, value)| base + value).collect();
            let mut points: Vec<String> =
                above.iter().enumerate().map(|(at, value)| self.point(at, count, *value)).collect();
            points.extend(below.iter().enumerate().rev().map(|(at, value)| self.point(at, count, *value)));
            let _ = writeln!(
                body,
                r#"<polygon fill="{}" fill-opacity="0.85" points="{}"/>"#,
                COLOURS[number % COLOURS.len()],
                points.join(" ")
            );
            below = above;
        }
        self.frame(&body, series)
    }

    fn point(&self, at: usize, count: usize, value: f64) -> String {
        let x = LEFT + (WIDTH - LEFT - RIGHT) * at as f64 / (count.max(2) - 1) as f64;
        format!("{x:.1},{:.1}", self.y(value))
    }

    fn y(&self, value: f64) -> f64 {
        let height = HEIGHT - TOP - BOTTOM;
        let part = (value - self.least) / (self.most - self.least);
        TOP + height * (1.0 - part.clamp(0.0, 1.0))
    }

    fn x(&self, minutes: f64) -> f64 {
        let part = (minutes - self.from) / (self.until - self.from);
        LEFT + (WIDTH - LEFT - RIGHT) * part.clamp(0.0, 1.0)
    }

    fn frame(&self, body: &str, series: &[Series<'_>]) -> String {
        let mut out = String::new();
        let title = self.title;
        let _ = writeln!(
            out,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}" font-family="system-ui, sans-serif" font-size="12">"#
        );
        let _ = writeln!(out, "<title>{title}</title>");
        let _ = writeln!(out, r##"<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>"##);
        let _ = writeln!(
            out,
            r##"<text x="{LEFT}" y="22" font-size="14" font-weight="600" fill="#1a1a1a">{title}</text>"##
        );
        legend(&mut out, series);
        if let Some((from, until)) = self.trouble {
            let (from, until) = (self.x(from), self.x(until));
            let _ = writeln!(
                out,
                r##"<rect x="{from:.1}" y="{TOP}" width="{:.1}" height="{:.1}" fill="#e8e8e8"/>"##,
                until - from,
                HEIGHT - TOP - BOTTOM
            );
        }
        self.grid(&mut out);
        out.push_str(body);
        out.push_str("</svg>\n");
        out
    }

    fn grid(&self, out: &mut String) {
        for part in 0..=4 {
            let value = self.least + (self.most - self.least) * f64::from(part) / 4.0;
            let y = self.y(value);
            let _ = writeln!(
                out,
                r##"<line x1="{LEFT}" x2="{:.1}" y1="{y:.1}" y2="{y:.1}" stroke="#d0d0d0" stroke-width="0.7"/>"##,
                WIDTH - RIGHT
            );
            let _ = writeln!(
                out,
                r##"<text x="{:.1}" y="{:.1}" text-anchor="end" fill="#555555">{value:.0}{}</text>"##,
                LEFT - 6.0,
                y + 4.0,
                self.unit
            );
        }
        for part in 0..=5 {
            let minutes = self.from + (self.until - self.from) * f64::from(part) / 5.0;
            let anchor = ["start", "middle", "middle", "middle", "middle", "end"][part as usize];
            let _ = writeln!(
                out,
                r##"<text x="{:.1}" y="{:.1}" text-anchor="{anchor}" fill="#555555">{minutes:.1} min</text>"##,
                self.x(minutes),
                HEIGHT - 12.0
            );
        }
    }
}

fn legend(out: &mut String, series: &[Series<'_>]) {
    let mut x = LEFT;
    for (number, one) in series.iter().enumerate() {
        let colour = COLOURS[number % COLOURS.len()];
        let _ = writeln!(out, r#"<rect x="{x:.1}" y="33" width="12" height="12" rx="2" fill="{colour}"/>"#);
        let _ = writeln!(out, r##"<text x="{:.1}" y="43" fill="#333333">{}</text>"##, x + 17.0, one.name);
        x += 34.0 + 6.8 * one.name.len() as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_outside_the_chart_stay_at_its_edge() {
        let chart = Chart {
            title: "t",
            unit: "%",
            least: 0.0,
            most: 100.0,
            from: 0.0,
            until: 10.0,
            trouble: Some((2.0, 3.0)),
        };
        let drawn = chart.lines(&[Series { name: "a", values: vec![-5.0, 200.0] }]);
        assert!(drawn.contains(&format!("{LEFT:.1},{:.1}", HEIGHT - BOTTOM)), "{drawn}");
        assert!(drawn.contains(&format!("{:.1},{TOP:.1}", WIDTH - RIGHT)), "{drawn}");
    }
}
