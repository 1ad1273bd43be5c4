//! Time zones by name, as `time.LoadLocation` of Go finds them in the IANA database.

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::{InvalidSchedule, quoted};

/// The time zone of a name, in exactly this case. An empty name is UTC; `Local` is the zone of the controller, nearly always UTC.
pub(crate) fn find(name: &str) -> Option<TimeZone> {
    if matches!(name, "" | "UTC" | "Local") {
        return Some(TimeZone::UTC);
    }
    let zone = TimeZoneDatabase::bundled().get(name).ok()?;
    // The database ignores case.
    (zone.iana_name() == Some(name)).then_some(zone)
}

pub(crate) fn unknown(name: &str) -> InvalidSchedule {
    let found = quoted(name);
    InvalidSchedule(format!(
        "time zone: expected a name of the IANA database, found {found}"
    ))
}
