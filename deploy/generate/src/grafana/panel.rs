//! Panels of each kind.

use serde_json::{Value, json};

/// The size of a panel in cells of the grid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub width: u64,
    pub height: u64,
}

/// A query and the name of its series.
pub(super) struct PanelQuery {
    pub expr: String,
    /// A legend with labels in braces.
    pub legend: &'static str,
}

/// A column of a table: the label or the query that it comes from, its title, and the unit of its values.
pub(super) type Column = (&'static str, &'static str, Option<&'static str>);

pub(super) fn datasource() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

pub(super) fn query(expr: impl Into<String>, legend: &'static str) -> PanelQuery {
    PanelQuery {
        expr: expr.into(),
        legend,
    }
}

pub(super) fn row(title: &str) -> (Size, Value) {
    let size = Size { width: 24, height: 1 };
    (
        size,
        json!({"type": "row", "title": title, "collapsed": false, "panels": []}),
    )
}

fn targets(queries: &[PanelQuery], extra: &Value) -> Vec<Value> {
    let target = |(number, query): (u8, &PanelQuery)| {
        let mut target = json!({
            "refId": char::from(b'A' + number).to_string(),
            "datasource": datasource(),
            "editorMode": "code",
            "expr": query.expr,
            "legendFormat": query.legend,
        });
        for (key, value) in extra.as_object().into_iter().flatten() {
            target[key] = value.clone();
        }
        target
    };
    (0..).zip(queries).map(target).collect()
}

fn panel(kind: &str, title: &str, description: &str, targets: Vec<Value>) -> Value {
    json!({
        "type": kind,
        "title": title,
        "description": description,
        "datasource": datasource(),
        "targets": targets,
        "fieldConfig": {"defaults": {}, "overrides": []},
        "options": {},
    })
}

/// Green below the first bound, then yellow or red.
fn thresholds(bounds: &[(f64, &str)]) -> Value {
    let mut steps = vec![json!({"color": "green", "value": null})];
    steps.extend(
        bounds
            .iter()
            .map(|(bound, color)| json!({"color": color, "value": bound})),
    );
    json!({"mode": "absolute", "steps": steps})
}

/// One number; red from `bad`.
pub(super) fn stat(title: &str, description: &str, unit: &str, bad: f64, expr: String) -> (Size, Value) {
    let targets = targets(&[query(expr, "")], &json!({"instant": true, "range": false}));
    let mut panel = panel("stat", title, description, targets);
    panel["fieldConfig"]["defaults"] = json!({
        "unit": unit,
        "decimals": 0,
        "thresholds": thresholds(&[(bad, "red")]),
        "color": {"mode": "thresholds"},
        "noValue": "0",
    });
    panel["options"] = json!({
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": false},
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "value",
    });
    (Size { width: 4, height: 4 }, panel)
}

/// The form of a panel over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PanelForm {
    /// Stacked bars, for counts.
    Bars,
    Lines,
}

pub(super) fn over_time(
    title: &str,
    description: &str,
    unit: &str,
    form: PanelForm,
    width: u64,
    queries: &[PanelQuery],
) -> (Size, Value) {
    let mut panel = panel("timeseries", title, description, targets(queries, &json!({})));
    let is_bars = form == PanelForm::Bars;
    panel["fieldConfig"]["defaults"] = json!({
        "unit": unit,
        "min": 0,
        "color": {"mode": "palette-classic"},
        "noValue": "none",
        "custom": {
            "drawStyle": if is_bars { "bars" } else { "line" },
            "fillOpacity": if is_bars { 80 } else { 10 },
            "lineWidth": 1,
            "showPoints": "never",
            "spanNulls": false,
            "stacking": {"group": "A", "mode": if is_bars { "normal" } else { "none" }},
        },
    });
    panel["options"] = json!({
        "legend": {"calcs": [if is_bars { "sum" } else { "max" }], "displayMode": "table", "placement": "bottom", "showLegend": true},
        "tooltip": {"mode": "multi", "sort": "desc"},
    });
    // A count has a point only when something was counted: a window shorter than two of them would miss it.
    panel["interval"] = json!(if is_bars { "5m" } else { "1m" });
    (Size { width, height: 9 }, panel)
}

/// A table of the latest values.
pub(super) fn table(
    title: &str,
    description: &str,
    width: u64,
    columns: &[Column],
    queries: &[PanelQuery],
) -> (Size, Value) {
    let extra = json!({"instant": true, "range": false, "format": "table"});
    let mut panel = panel("table", title, description, targets(queries, &extra));
    let field = |name: &str| match queries.len() {
        1 if name.starts_with("Value") => "Value".to_owned(),
        _ => name.to_owned(),
    };
    let mut names = json!({});
    let mut order = json!({});
    for (position, (name, title, _)) in columns.iter().enumerate() {
        names[field(name)] = json!(title);
        order[field(name)] = json!(position);
    }
    let overrides = columns.iter().filter_map(|(_, title, unit)| {
        let properties = json!([{"id": "unit", "value": (*unit)?}, {"id": "custom.align", "value": "right"}]);
        Some(json!({"matcher": {"id": "byName", "options": title}, "properties": properties}))
    });
    panel["fieldConfig"] = json!({
        "defaults": {"custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": true, "inspect": false}},
        "overrides": overrides.collect::<Vec<_>>(),
    });
    let organize = json!({"excludeByName": {"Time": true}, "indexByName": order, "renameByName": names});
    panel["transformations"] = json!([{"id": "merge", "options": {}}, {"id": "organize", "options": organize}]);
    // The first column of values is what the table is about.
    let sorted = columns.iter().find(|(name, _, _)| name.starts_with("Value"));
    let sorted: Vec<Value> = sorted
        .map(|(_, title, _)| json!({"displayName": title, "desc": true}))
        .into_iter()
        .collect();
    panel["options"] = json!({
        "cellHeight": "sm",
        "showHeader": true,
        "sortBy": sorted,
    });
    (Size { width, height: 9 }, panel)
}

pub(super) fn heatmap(title: &str, description: &str, unit: &str, width: u64, expr: String) -> (Size, Value) {
    let targets = targets(&[query(expr, "{{le}}")], &json!({"format": "heatmap"}));
    let mut panel = panel("heatmap", title, description, targets);
    panel["interval"] = json!("5m");
    panel["fieldConfig"]["defaults"] = json!({"custom": {"scaleDistribution": {"type": "linear"}}});
    panel["options"] = json!({
        "calculate": false,
        "cellGap": 1,
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "fill": "dark-orange", "reverse": false},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": true},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"mode": "single", "yHistogram": false, "showColorScale": false},
        "yAxis": {"axisPlacement": "left", "reverse": false, "unit": unit},
    });
    (Size { width, height: 9 }, panel)
}
