//! `explain --recording`: why the Jobs in a recording failed, or the events that the collector would emit for it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufRead;
use std::path::Path;

use escape::one_line;
use job_event::Evidence;
use job_event::evidence::Gap;
use job_judge::judge_at;
use job_tracker::replay::{Limits, ReplayEnd, ReplayStep, decompressed, replay_steps};
use job_tracker::{StallSettings, TrackerSettings};
use job_watch::model::Event;
use job_watch::{Object, Observation};

use super::cronjob::{CronJobEvents, is_about_cronjob};
use super::events::{self, EventRecord};
use super::{AnswerSource, Explained, Failure, Report};
use crate::cli::{ExplainArgs, Format};
use crate::commands::print;
use crate::terminal::{self, note};

/// Replays a recording through the tracker and the judge, and prints one record for each finished Job, in the order of the
/// verdicts; with `--events` one for each event.
pub(super) fn explain(path: &Path, args: &ExplainArgs) -> Result<(), Failure> {
    let mut cronjob_events = Vec::new();
    let mut emitted = Vec::new();
    let rest = replay(path, args, |step| match step {
        ReplayStep::Observed(observation) => add_cronjob_event(&mut cronjob_events, observation),
        ReplayStep::Finished(evidence) => emitted.push(Emitted::Finished(evidence)),
        ReplayStep::Notice(_) if !args.events => {}
        ReplayStep::Notice(notice) => emitted.push(Emitted::Notice(events::of_notice(&notice))),
    })?;
    if args.events {
        return print_events(&emitted, &rest, args.output);
    }
    let ended = emitted.into_iter().filter_map(Emitted::evidence).collect();
    print_jobs(ended, rest, &cronjob_events, args)
}

/// An event of the replay.
enum Emitted {
    Finished(Box<Evidence>),
    Notice(Vec<EventRecord>),
}

impl Emitted {
    fn evidence(self) -> Option<Evidence> {
        match self {
            Emitted::Finished(evidence) => Some(*evidence),
            Emitted::Notice(_) => None,
        }
    }
}

fn replay(path: &Path, args: &ExplainArgs, on_step: impl FnMut(ReplayStep<'_>)) -> Result<ReplayEnd, Failure> {
    let name = path.display();
    let fail =
        |error: &dyn std::fmt::Display| Failure::Runtime(format!("cannot read the recording {name}: {}", shown(error)));
    let lines = open(path).map_err(|e| fail(&e))?;
    let mut settings = TrackerSettings {
        recovers: true,
        ..TrackerSettings::default()
    };
    if let Some(after) = args.stalled_after() {
        settings.stalls = StallSettings::all_after(after);
    }
    replay_steps(lines, settings, Limits::default(), on_step).map_err(|e| fail(&e))
}

/// False for a Job that only Events name: it had finished before the recording began.
fn is_known(evidence: &Evidence) -> bool {
    evidence.job.created.is_some() || !evidence.gaps.contains(&Gap::EndNotSeen)
}

/// Prints the events. Jobs that only Events name are left out if the recording has another Job.
fn print_events(emitted: &[Emitted], rest: &ReplayEnd, output: Format) -> Result<(), Failure> {
    let has_jobs = !rest.unfinished.is_empty()
        || emitted
            .iter()
            .any(|event| matches!(event, Emitted::Finished(evidence) if is_known(evidence)));
    let mut records = Vec::new();
    for event in emitted {
        match event {
            Emitted::Finished(evidence) if has_jobs && !is_known(evidence) => {}
            Emitted::Finished(evidence) => records.push(events::finished(evidence, rest.end)),
            Emitted::Notice(of_notice) => records.extend(of_notice.iter().cloned()),
        }
    }
    // A finished Job is reported a moment after its verdict.
    records.sort_by_key(|record| record.time);
    if records.is_empty() {
        note("The collector emits no event for this recording.");
    }
    print(&events::written(&records, output, terminal::width())?)
}

/// Prints the Jobs.
fn print_jobs(
    mut ended: Vec<Evidence>,
    ReplayEnd { unfinished, end }: ReplayEnd,
    cronjob_events: &[Event],
    args: &ExplainArgs,
) -> Result<(), Failure> {
    // Jobs that only Events name are explained if the recording has no other Job.
    let has_jobs = !unfinished.is_empty() || ended.iter().any(is_known);
    match has_jobs {
        true => ended.retain(is_known),
        false => ended.sort_by_key(|evidence| evidence.job.decided_at()),
    }

    let (have_ended, not_ended) = (ended.len(), unfinished.len());
    let mut out = Report::new(args.output);
    for evidence in ended.into_iter().chain(unfinished.into_iter().filter(|_| args.all)) {
        let notes = match is_known(&evidence) {
            true => Vec::new(),
            false => vec!["The recording does not contain the Job; this is what its Events say.".into()],
        };
        out.add(&Explained {
            judgement: judge_at(&evidence, end),
            evidence,
            source: AnswerSource::Recording,
            stalled_since: None,
            notes,
            log: None,
        })?;
    }
    print(&out.text)?;
    if not_ended > 0 && !args.all {
        let jobs = if not_ended == 1 {
            "1 Job had".into()
        } else {
            format!("{not_ended} Jobs had")
        };
        note(&format!(
            "{jobs} not finished when the recording ended; --all shows them too."
        ));
    }
    if have_ended == 0 && not_ended == 0 {
        note("The recording contains no Jobs.");
    }
    if !has_jobs {
        let cronjobs = of_cronjobs(cronjob_events);
        match args.output {
            Format::Text if !out.text.is_empty() && !cronjobs.is_empty() => print(&format!("\n{cronjobs}"))?,
            Format::Text => print(&cronjobs)?,
            Format::Json => note(cronjobs.trim_end()),
        }
    }
    Ok(())
}

/// Adds an Event about a CronJob, or replaces an earlier version of it.
fn add_cronjob_event(events: &mut Vec<Event>, observation: &Observation) {
    let Observation::Changed(Object::Event(event)) = observation else {
        return;
    };
    if !is_about_cronjob(event) {
        return;
    }
    let known = events.iter().position(|known| known.metadata.uid == event.metadata.uid);
    match known {
        Some(at) => events[at] = (**event).clone(),
        None if events.len() < CRONJOB_EVENTS => events.push((**event).clone()),
        None => {}
    }
}

/// A paragraph for each CronJob, from its Events.
fn of_cronjobs(events: &[Event]) -> String {
    let mut cronjobs: BTreeMap<String, Vec<&Event>> = BTreeMap::new();
    for event in events {
        let name = format!("{}/{}", event.metadata.namespace, event.involved_object.name);
        cronjobs.entry(one_line(&name).into_owned()).or_default().push(event);
    }
    let paragraph = |(name, events): (String, Vec<&Event>)| {
        let CronJobEvents { runs, problems } = CronJobEvents::of(events.into_iter());
        let runs = runs.iter().rev().map(ToString::to_string);
        let lines: Vec<String> = runs.chain(problems).map(|line| format!("  {line}\n")).collect();
        format!("CronJob {name}\n{}", lines.concat())
    };
    cronjobs.into_iter().map(paragraph).collect::<Vec<_>>().join("\n")
}

/// How many Events about CronJobs are read.
const CRONJOB_EVENTS: usize = 1000;
/// The most characters of an error, which may quote a line of the recording.
const LONGEST_ERROR: usize = 500;

/// An error about a recording, limited and printable.
fn shown(error: &dyn std::fmt::Display) -> String {
    let text: String = error.to_string().chars().take(LONGEST_ERROR).collect();
    one_line(&text).into_owned()
}

/// Opens a recording; `-` is standard input.
fn open(path: &Path) -> std::io::Result<Box<dyn BufRead>> {
    if path == Path::new("-") {
        decompressed(std::io::stdin())
    } else {
        decompressed(File::open(path)?)
    }
}
