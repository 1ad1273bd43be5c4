//! The fields that are read of each message: their numbers on the wire and their names in JSON.
//!
//! Source: `generated.proto` of `k8s.io/api/{batch,core}/v1` and `k8s.io/apimachinery/pkg/{apis/meta/v1,runtime}`. MessageField
//! numbers never change. The model of an object lists the same fields by their names in JSON.

/// One more than the highest field number that is read.
const NUMBERS: usize = 48;
/// The most fields that are read of a message.
pub(super) const MAX_FIELDS: usize = 16;
/// No field of a message has this place.
const UNKNOWN: u8 = u8::MAX;

/// A message: its fields by number.
#[derive(Debug)]
pub struct WireMessage {
    fields: &'static [MessageField],
    /// The place of each number in `fields`.
    places: [u8; NUMBERS],
}

/// A field that is read.
#[derive(Debug)]
pub(super) struct MessageField {
    number: usize,
    pub(super) name: &'static str,
    pub(super) form: FieldForm,
    /// Its zero value is a value. Protobuf writes zero values where JSON omits them: all but those that are pointers in Go,
    /// or have no `omitempty`.
    pub(super) keeps_zero: bool,
}

/// The form of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum FieldForm {
    Text,
    Int32,
    Int64,
    Bool,
    /// `Time`, which JSON writes in seconds.
    Time,
    /// `MicroTime`.
    MicroTime,
    /// `map<string, string>`.
    Pairs,
    One(&'static WireMessage),
    Many(&'static WireMessage),
}

impl WireMessage {
    const fn new(fields: &'static [MessageField]) -> WireMessage {
        assert!(fields.len() <= MAX_FIELDS);
        let mut places = [UNKNOWN; NUMBERS];
        let mut place = 0;
        while place < fields.len() {
            assert!(places[fields[place].number] == UNKNOWN, "two fields with one number");
            places[fields[place].number] = place as u8;
            place += 1;
        }
        WireMessage { fields, places }
    }

    /// The place of the field with this number, if it is read.
    pub(super) fn place(&self, number: u32) -> Option<usize> {
        let place = *self.places.get(number as usize)?;
        (place != UNKNOWN).then_some(usize::from(place))
    }

    /// The field at a place.
    pub(super) fn field(&self, place: usize) -> Option<&'static MessageField> {
        self.fields.get(place)
    }
}

const fn field(number: usize, name: &'static str, form: FieldForm) -> MessageField {
    MessageField {
        number,
        name,
        form,
        keeps_zero: false,
    }
}

const fn text(number: usize, name: &'static str) -> MessageField {
    field(number, name, FieldForm::Text)
}

const fn int32(number: usize, name: &'static str) -> MessageField {
    field(number, name, FieldForm::Int32)
}

const fn int64(number: usize, name: &'static str) -> MessageField {
    field(number, name, FieldForm::Int64)
}

const fn flag(number: usize, name: &'static str) -> MessageField {
    field(number, name, FieldForm::Bool)
}

const fn time(number: usize, name: &'static str) -> MessageField {
    field(number, name, FieldForm::Time)
}

const fn pairs(number: usize, name: &'static str) -> MessageField {
    field(number, name, FieldForm::Pairs)
}

const fn one(number: usize, name: &'static str, message: &'static WireMessage) -> MessageField {
    field(number, name, FieldForm::One(message))
}

const fn many(number: usize, name: &'static str, message: &'static WireMessage) -> MessageField {
    field(number, name, FieldForm::Many(message))
}

impl MessageField {
    /// A field whose zero value is a value in JSON, too.
    const fn keeps_zero(self) -> MessageField {
        MessageField {
            keeps_zero: true,
            ..self
        }
    }
}

static OWNER: WireMessage = WireMessage::new(&[
    text(1, "kind"),
    text(3, "name"),
    text(4, "uid"),
    text(5, "apiVersion"),
    flag(6, "controller"),
]);

static METADATA: WireMessage = WireMessage::new(&[
    text(1, "name"),
    text(2, "generateName"),
    text(3, "namespace"),
    text(5, "uid"),
    text(6, "resourceVersion"),
    int64(7, "generation"),
    time(8, "creationTimestamp"),
    time(9, "deletionTimestamp"),
    int64(10, "deletionGracePeriodSeconds").keeps_zero(),
    pairs(11, "labels"),
    pairs(12, "annotations"),
    many(13, "ownerReferences", &OWNER),
]);

/// `metadata` of any object; it is the first field of all of them.
pub(super) static BOOKMARK: WireMessage = WireMessage::new(&[one(1, "metadata", &METADATA)]);

/// `metadata` of a list.
pub(super) static LIST_METADATA: WireMessage = WireMessage::new(&[
    text(2, "resourceVersion"),
    text(3, "continue"),
    int64(4, "remainingItemCount"),
]);

/// A [`Status`](crate::model::Status).
pub(super) static STATUS: WireMessage = WireMessage::new(&[
    text(3, "message"),
    text(4, "reason"),
    one(5, "details", &WireMessage::new(&[int32(5, "retryAfterSeconds")])),
    int32(6, "code"),
]);

/// The same numbers in Jobs and Pods.
static CONDITION: WireMessage = WireMessage::new(&[
    text(1, "type"),
    text(2, "status"),
    time(4, "lastTransitionTime"),
    text(5, "reason"),
    text(6, "message"),
]);

/// An object that is only counted.
static REFERENCE: WireMessage = WireMessage::new(&[]);

static TEMPLATE: WireMessage = WireMessage::new(&[
    one(
        1,
        "metadata",
        &WireMessage::new(&[pairs(11, "labels"), pairs(12, "annotations")]),
    ),
    one(2, "spec", &TEMPLATE_SPEC),
]);

static TEMPLATE_SPEC: WireMessage = WireMessage::new(&[
    many(
        2,
        "containers",
        &WireMessage::new(&[many(7, "env", &WireMessage::new(&[text(1, "name"), text(2, "value")]))]),
    ),
    text(3, "restartPolicy"),
    many(38, "schedulingGates", &REFERENCE),
]);

static JOB_SPEC: WireMessage = WireMessage::new(&[
    int32(1, "parallelism").keeps_zero(),
    int32(2, "completions").keeps_zero(),
    int64(3, "activeDeadlineSeconds").keeps_zero(),
    flag(5, "manualSelector"),
    one(6, "template", &TEMPLATE),
    int32(7, "backoffLimit").keeps_zero(),
    text(9, "completionMode"),
    flag(10, "suspend"),
    int32(12, "backoffLimitPerIndex").keeps_zero(),
    int32(13, "maxFailedIndexes").keeps_zero(),
    text(15, "managedBy").keeps_zero(),
]);

static JOB_STATUS: WireMessage = WireMessage::new(&[
    many(1, "conditions", &CONDITION),
    time(2, "startTime"),
    time(3, "completionTime"),
    int32(4, "active"),
    int32(5, "succeeded"),
    int32(6, "failed"),
    text(7, "completedIndexes"),
    int32(9, "ready"),
    text(10, "failedIndexes").keeps_zero(),
]);

/// A [`Job`](crate::model::Job).
pub(crate) static JOB: WireMessage = WireMessage::new(&[
    one(1, "metadata", &METADATA),
    one(2, "spec", &JOB_SPEC),
    one(3, "status", &JOB_STATUS),
]);

/// A [`CronJob`](crate::model::CronJob).
pub(crate) static CRON_JOB: WireMessage = WireMessage::new(&[
    one(1, "metadata", &METADATA),
    one(
        2,
        "spec",
        &WireMessage::new(&[
            text(1, "schedule").keeps_zero(),
            int64(2, "startingDeadlineSeconds").keeps_zero(),
            text(3, "concurrencyPolicy"),
            flag(4, "suspend").keeps_zero(),
            int32(6, "successfulJobsHistoryLimit").keeps_zero(),
            int32(7, "failedJobsHistoryLimit").keeps_zero(),
            text(8, "timeZone").keeps_zero(),
        ]),
    ),
    one(
        3,
        "status",
        &WireMessage::new(&[
            many(1, "active", &REFERENCE),
            time(4, "lastScheduleTime"),
            time(5, "lastSuccessfulTime"),
        ]),
    ),
]);

static CONTAINER: WireMessage = WireMessage::new(&[text(1, "name"), text(2, "image"), text(24, "restartPolicy")]);

static POD_SPEC: WireMessage = WireMessage::new(&[
    many(2, "containers", &CONTAINER),
    int64(4, "terminationGracePeriodSeconds").keeps_zero(),
    text(10, "nodeName"),
    many(20, "initContainers", &CONTAINER),
]);

static CONTAINER_STATE: WireMessage = WireMessage::new(&[
    one(
        1,
        "waiting",
        &WireMessage::new(&[text(1, "reason"), text(2, "message")]),
    ),
    one(2, "running", &WireMessage::new(&[time(1, "startedAt")])),
    one(
        3,
        "terminated",
        &WireMessage::new(&[
            int32(1, "exitCode"),
            int32(2, "signal"),
            text(3, "reason"),
            text(4, "message"),
            time(5, "startedAt"),
            time(6, "finishedAt"),
            text(7, "containerID"),
        ]),
    ),
]);

static CONTAINER_STATUS: WireMessage = WireMessage::new(&[
    text(1, "name"),
    one(2, "state", &CONTAINER_STATE),
    one(3, "lastState", &CONTAINER_STATE),
    int32(5, "restartCount"),
]);

static POD_STATUS: WireMessage = WireMessage::new(&[
    text(1, "phase"),
    many(2, "conditions", &CONDITION),
    text(3, "message"),
    text(4, "reason"),
    time(7, "startTime"),
    many(8, "containerStatuses", &CONTAINER_STATUS),
    many(10, "initContainerStatuses", &CONTAINER_STATUS),
]);

/// A [`Pod`](crate::model::Pod).
pub(crate) static POD: WireMessage = WireMessage::new(&[
    one(1, "metadata", &METADATA),
    one(2, "spec", &POD_SPEC),
    one(3, "status", &POD_STATUS),
]);

/// A [`Namespace`](crate::model::Namespace).
pub(crate) static NAMESPACE: WireMessage = WireMessage::new(&[one(1, "metadata", &METADATA)]);

/// An [`Event`](crate::model::Event).
pub(crate) static EVENT: WireMessage = WireMessage::new(&[
    one(1, "metadata", &METADATA),
    one(
        2,
        "involvedObject",
        &WireMessage::new(&[
            text(1, "kind"),
            text(3, "name"),
            text(4, "uid"),
            text(5, "apiVersion"),
            text(7, "fieldPath"),
        ]),
    ),
    text(3, "reason"),
    text(4, "message"),
    one(5, "source", &WireMessage::new(&[text(1, "component")])),
    time(6, "firstTimestamp"),
    time(7, "lastTimestamp"),
    int32(8, "count"),
    text(9, "type"),
    field(10, "eventTime", FieldForm::MicroTime),
    one(
        11,
        "series",
        &WireMessage::new(&[int32(1, "count"), field(2, "lastObservedTime", FieldForm::MicroTime)]),
    ),
    text(14, "reportingComponent"),
]);
