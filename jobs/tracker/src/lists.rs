//! Lists: an object that is missing in one is deleted, and changes before one may be unobserved.

use std::collections::HashSet;

use jiff::Timestamp;
use job_event::Uid;
use job_event::evidence::Gap;

use super::{EARLY_PODS, JobEntry, Tracker, report_since, scope_name};
use job_watch::{Kind, Source};

impl Tracker {
    /// A list after the first one follows an interruption; all that lives may have changed unseen. Events are kept by
    /// the API server for an hour or more and CronJobs have no history, so their lists miss nothing.
    pub(super) fn list_begins(&mut self, source: Source, now: Timestamp) {
        self.lists.insert(source, HashSet::new());
        // The rest of a replay does not come any more.
        if let Some(version) = self.replays.remove(&source) {
            self.silent_replays.insert(source, version);
        }
        self.interruptions.list_begins(source, now);
        if source.kind == Kind::Jobs {
            let scope = scope_name(&self.scopes, source.scope);
            self.outbox.begin(scope, report_since(&self.settings, now));
            self.outbox.list_begins(scope);
            self.cronjobs.jobs_listed(source.scope, now);
            self.recoveries.list_begins(source.scope, now);
        }
        if source.kind == Kind::CronJobEvents {
            self.cronjobs.events_listed(source.scope, now);
        }
        if source.kind == Kind::Pods {
            // After an interruption Pods may be listed before the new Jobs, which may be as many as the known ones.
            self.early_pods.make_room(EARLY_PODS.0.max(self.jobs.len()));
        }
        self.mark(source, false);
        if !matches!(source.kind, Kind::Jobs | Kind::Pods) || !self.listed.contains(&source) {
            return;
        }
        for entry in self.jobs.values_mut() {
            if let JobEntry::Live(record) = entry
                && record.scope == source.scope
            {
                record.note(Gap::WatchInterrupted);
            }
        }
    }

    /// An object could not be read. It may be any of those that are known, so none of them is gone by this list.
    pub(super) fn list_lacks(&mut self, source: Source) {
        let Some(seen) = self.lists.get_mut(&source) else {
            return;
        };
        match source.kind {
            Kind::Jobs | Kind::Pods => self.mark(source, true),
            Kind::CronJobs => seen.extend(self.cronjobs.existing()),
            Kind::Namespaces => seen.extend(self.namespaces.existing()),
            Kind::JobEvents | Kind::PodEvents | Kind::ScaleUpEvents | Kind::CronJobEvents | Kind::NodeEvents => {}
        }
    }

    /// Marks the known Jobs of a scope, or their Pods, as observed in a list or not.
    fn mark(&mut self, source: Source, in_list: bool) {
        let entries = self.jobs.values_mut().filter(|entry| entry.scope() == source.scope);
        match source.kind {
            Kind::Jobs => entries.for_each(|entry| entry.set_in_list(in_list)),
            Kind::Pods => {
                for entry in entries {
                    if let JobEntry::Live(record) = entry {
                        record.pods.iter_mut().for_each(|pod| pod.in_list = in_list);
                    }
                }
                let namespace = scope_name(&self.scopes, source.scope);
                self.early_pods.waiting(namespace).for_each(|pod| pod.in_list = in_list);
            }
            _ => {}
        }
    }

    pub(super) fn list_ends(&mut self, source: Source, now: Timestamp) {
        let Some(seen) = self.lists.remove(&source) else { return };
        let replay_broke_off = self.silent_replays.remove(&source).is_some();
        self.listed.insert(source);
        self.forbidden.remove(&source);
        self.interruptions.list_ends(source);
        match source.kind {
            Kind::Jobs => {
                if !self.replays.contains_key(&source) {
                    self.outbox.list_ends(scope_name(&self.scopes, source.scope));
                }
                self.recoveries.list_ends(source.scope, now);
                let gone = self.unlisted_are_gone(source, now);
                if replay_broke_off {
                    self.half_replayed.extend(gone);
                }
                self.jobs_listed_for_stalls(now);
            }
            Kind::Pods => {
                self.unlisted_are_gone(source, now);
            }
            Kind::CronJobs => {
                for uid in self.cronjobs.existing_in(source.scope) {
                    if !seen.contains(&uid) {
                        self.cronjob_gone(uid);
                    }
                }
                self.cronjobs_listed();
            }
            Kind::Namespaces => self.namespaces.listed(source.scope, &seen),
            Kind::JobEvents | Kind::PodEvents | Kind::ScaleUpEvents | Kind::CronJobEvents | Kind::NodeEvents => {}
        }
    }

    /// The Jobs or Pods of a scope that are not in the last list are gone. Returns the Jobs.
    pub(super) fn unlisted_are_gone(&mut self, source: Source, now: Timestamp) -> Vec<Uid> {
        let of_scope = |entry: &JobEntry| entry.scope() == source.scope;
        match source.kind {
            Kind::Jobs => {
                let jobs = self.jobs.iter().filter(|(_, entry)| of_scope(entry));
                let gone = jobs.filter(|(_, entry)| !entry.is_in_list() && !entry.is_removed());
                let gone: Vec<Uid> = gone.map(|(uid, _)| *uid).collect();
                for uid in &gone {
                    self.job_gone(*uid, Some(Gap::EndNotSeen), now);
                }
                return gone;
            }
            Kind::Pods => {
                let mut changed = Vec::new();
                for (uid, entry) in self.jobs.iter_mut().filter(|(_, entry)| of_scope(entry)) {
                    let JobEntry::Live(record) = entry else { continue };
                    for pod in record.pods.iter_mut().filter(|pod| !pod.in_list) {
                        pod.removed = true;
                        record.is_changed = true;
                        changed.push(*uid);
                    }
                }
                changed.into_iter().for_each(|uid| self.job_changed(uid, now));
            }
            _ => {}
        }
        Vec::new()
    }

    /// Evidence missing for every Job of a scope.
    pub(super) fn general_gaps(&self, scope: Option<u16>) -> Vec<Gap> {
        let forbidden = |kinds: &[Kind]| {
            self.forbidden
                .iter()
                .any(|source| kinds.contains(&source.kind) && scope.is_none_or(|s| s == source.scope))
        };
        let mut gaps = Vec::new();
        if forbidden(&[Kind::Pods]) {
            gaps.push(Gap::PodsForbidden);
        }
        if forbidden(&[Kind::JobEvents, Kind::PodEvents]) {
            gaps.push(Gap::EventsForbidden);
        }
        gaps
    }
}
