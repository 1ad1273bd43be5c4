//! Memory and CPU time of the process, under the Collector's names.

use std::sync::atomic::Ordering;
use std::time::Instant;

use opentelemetry::metrics::Meter;

use super::logs::Dropped;

/// The unit of times in `/proc/PID/stat`: `USER_HZ`, which is 100 on every platform that Linux supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// Makes the instruments. Without `/proc` there are no CPU time and no memory.
pub(super) fn observe(meter: &Meter, dropped: Dropped) {
    meter
        .u64_observable_counter("otelcol_process_log_lines_dropped")
        .with_description("Lines of the collector's own log that could not be written to standard error")
        .with_unit("{lines}")
        .with_callback(move |lines| lines.observe(dropped.load(Ordering::Relaxed), &[]))
        .build();
    let started = Instant::now();
    meter
        .f64_observable_counter("otelcol_process_uptime")
        .with_description("How long the process has run")
        .with_unit("s")
        .with_callback(move |uptime| uptime.observe(started.elapsed().as_secs_f64(), &[]))
        .build();
    meter
        .f64_observable_counter("otelcol_process_cpu_seconds")
        .with_description("CPU time, user and system")
        .with_unit("s")
        .with_callback(|cpu| {
            if let Some(seconds) = read("/proc/self/stat").as_deref().and_then(cpu_seconds) {
                cpu.observe(seconds, &[]);
            }
        })
        .build();
    meter
        .u64_observable_gauge("otelcol_process_memory_rss")
        .with_description("Physical memory, resident set size")
        .with_unit("By")
        .with_callback(|rss| {
            if let Some(bytes) = read("/proc/self/status").as_deref().and_then(resident_bytes) {
                rss.observe(bytes, &[]);
            }
        })
        .build();
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Fields 14 and 15 of `/proc/PID/stat`. The second field is the program's name in parentheses and may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

/// `VmRSS` of `/proc/PID/status`.
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says_is_read() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194304 1 2 3 4 150 75 0 0 20 0 9 0 100 1 2";
        assert_eq!(cpu_seconds(stat), Some(2.25));
        assert_eq!(cpu_seconds("42 (x) S 1"), None);
        assert_eq!(
            resident_bytes("Name:\tx\nVmRSS:\t    5120 kB\nThreads:\t1\n"),
            Some(5120 * 1024)
        );
        assert_eq!(resident_bytes("Name:\tx\n"), None);
    }
}
