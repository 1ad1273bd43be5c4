//! The table at the beginning of `--all-failed`: one line for each Job, and totals by cause. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Explained;
use super::notes::one_line;

const COLUMNS: [&str; 6] = ["namespace", "job", "failed", "reason", "cause", "owner"];
/// The columns that are shortened if the table is too wide. The others are short by themselves.
const SHORTENED: [usize; 5] = [0, 1, 3, 4, 5];
/// A column is not shortened below this width.
const NARROWEST: usize = 8;
/// The characters before a row, and between columns.
const INDENT: usize = 4;
const GAP: usize = 2;

/// The table, at most `width` characters wide if columns of [`NARROWEST`] allow that.
pub(super) fn table(jobs: &[&Explained], width: Option<usize>, now: Timestamp) -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    rows.extend(jobs.iter().map(|job| row(job, now)));
    let mut widths = [0; COLUMNS.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    if let Some(width) = width {
        fit(&mut widths, width.saturating_sub(INDENT + GAP * (COLUMNS.len() - 1)));
    }
    let line = |row: &[String; COLUMNS.len()]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| {
            let cell = shortened(cell, width);
            format!("{cell:width$}")
        });
        let cells = cells.collect::<Vec<_>>().join("  ");
        format!("    {}\n", cells.trim_end())
    };
    let mut text: String = rows.iter().map(line).collect();
    text.push_str(&totals(jobs));
    text
}

fn row(job: &Explained, now: Timestamp) -> [String; COLUMNS.len()] {
    let of = &job.evidence.job;
    let owner = of.owner();
    let dash = || "-".to_owned();
    [
        one_line(&of.namespace),
        one_line(&of.name),
        of.decided_at().map_or_else(dash, |at| age(at, now)),
        job.judgement.reason.as_deref().map_or_else(dash, one_line),
        job.judgement.cause.map_or_else(dash, |cause| cause.as_str().to_owned()),
        match owner.kind == "Job" && owner.name == &*of.name {
            true => dash(),
            false => one_line(&format!("{}/{}", owner.kind.to_lowercase(), owner.name)),
        },
    ]
}

/// `  total:    3 Jobs failed: 2 NonZeroExit, 1 OutOfMemory`
fn totals(jobs: &[&Explained]) -> String {
    let mut causes: BTreeMap<&str, usize> = BTreeMap::new();
    for job in jobs {
        let cause = job.judgement.cause.map_or("without a cause", |cause| cause.as_str());
        *causes.entry(cause).or_default() += 1;
    }
    let mut causes: Vec<(&str, usize)> = causes.into_iter().collect();
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let causes: Vec<String> = causes.iter().map(|(cause, count)| format!("{count} {cause}")).collect();
    let noun = if jobs.len() == 1 { "Job" } else { "Jobs" };
    format!("  total:    {} {noun} failed: {}\n", jobs.len(), causes.join(", "))
}

/// The time since, as kubectl shows it: `45s`, `12m`, `5h`, `3d`.
fn age(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(at).as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds}s ago"),
        120..7200 => format!("{}m ago", seconds / 60),
        7200..172_800 => format!("{}h ago", seconds / 3600),
        _ => format!("{}d ago", seconds / 86_400),
    }
}

/// Shortens the widest columns until all fit into `most` characters.
fn fit(widths: &mut [usize; COLUMNS.len()], most: usize) {
    while widths.iter().sum::<usize>() > most {
        let widest = SHORTENED.into_iter().max_by_key(|column| (widths[*column], *column));
        match widest {
            Some(widest) if widths[widest] > NARROWEST => widths[widest] -= 1,
            _ => return,
        }
    }
}

/// The cell in `width` characters. The middle is omitted: names of one owner differ at their ends.
fn shortened(cell: &str, width: usize) -> String {
    let characters: Vec<char> = cell.chars().collect();
    if characters.len() <= width {
        return cell.to_owned();
    }
    let kept = width.saturating_sub(1);
    let (head, tail) = (kept.div_ceil(2), kept / 2);
    let head: String = characters.iter().take(head).collect();
    let tail: String = characters.iter().skip(characters.len() - tail).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::commands::explain::stored::explained;

    fn failed(name: &str, owner: (&str, &str), cause: &str, at: &str) -> Explained {
        let event = json!({"event": "k8s.job.finished", "namespace": "a-namespace-with-a-long-name", "name": name,
            "uid": name, "outcome": "Failed", "reason": "BackoffLimitExceeded", "cause": cause, "time": at,
            "owner": {"kind": owner.0, "name": owner.1, "rule": owner.0.to_lowercase()}, "summary": "Failed."});
        explained(&serde_json::from_value(event).unwrap())
    }

    fn jobs() -> Vec<Explained> {
        vec![
            failed(
                "nightly-settlement-29931843",
                ("CronJob", "nightly-settlement"),
                "SidecarBlockedCompletion",
                "2026-11-29T00:59:00Z",
            ),
            failed("load", ("Job", "load"), "OutOfMemory", "2026-11-28T23:00:00Z"),
            failed("load-2", ("Job", "load-2"), "OutOfMemory", "2026-11-20T23:00:00Z"),
        ]
    }

    #[test]
    fn the_table_of_failed_jobs_fits_into_the_width() {
        let now = "2026-11-29T01:00:00Z".parse().unwrap();
        let jobs = jobs();
        for width in [80, 100, 120] {
            let text = table(&jobs.iter().collect::<Vec<_>>(), Some(width), now);
            let rows = text.lines().filter(|line| line.starts_with("    "));
            assert!(
                rows.clone().all(|line| line.chars().count() <= width),
                "{width}:\n{text}"
            );
            assert!(rows.clone().count() == 4, "{text}");
        }
        assert_eq!(
            table(&jobs.iter().collect::<Vec<_>>(), None, now)
                .lines()
                .map(str::trim_end)
                .collect::<Vec<_>>(),
            [
                "    namespace                     job                          failed   reason                cause                     owner",
                "    a-namespace-with-a-long-name  nightly-settlement-29931843  60s ago  BackoffLimitExceeded  SidecarBlockedCompletion  cronjob/nightly-settlement",
                "    a-namespace-with-a-long-name  load                         2h ago   BackoffLimitExceeded  OutOfMemory               -",
                "    a-namespace-with-a-long-name  load-2                       8d ago   BackoffLimitExceeded  OutOfMemory               -",
                "  total:    3 Jobs failed: 2 OutOfMemory, 1 SidecarBlockedCompletion",
            ]
        );
    }

    #[test]
    fn a_shortened_name_keeps_its_end() {
        assert_eq!(shortened("nightly-settlement-29931843", 12), "nightl…31843");
        assert_eq!(shortened("short", 12), "short");
    }
}
