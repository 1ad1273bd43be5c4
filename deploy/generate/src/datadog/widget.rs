//! Widgets of each kind.

use serde_json::{Value, json};

/// A query and its name in legends.
pub(super) type WidgetQuery<'a> = (&'a str, &'a str);

/// The columns of a dashboard.
pub(super) const COLUMNS: u64 = 12;

/// A widget with its size; the layout is set when it is placed.
pub(super) struct Widget {
    pub width: u64,
    pub height: u64,
    pub definition: Value,
}

/// Widgets from left to right, in rows.
pub(super) fn placed(widgets: Vec<Widget>) -> (Vec<Value>, u64) {
    let (mut x, mut y, mut height) = (0, 0, 0);
    let place = |widget: Widget| {
        if x + widget.width > COLUMNS {
            (x, y, height) = (0, y + height, 0);
        }
        let layout = json!({"x": x, "y": y, "width": widget.width, "height": widget.height});
        x += widget.width;
        height = height.max(widget.height);
        json!({"definition": widget.definition, "layout": layout})
    };
    let placed = widgets.into_iter().map(place).collect();
    (placed, y + height)
}

/// A group of widgets over the whole width.
pub(super) fn group(title: &str, color: &str, widgets: Vec<Widget>) -> Widget {
    let (widgets, height) = placed(widgets);
    Widget {
        width: COLUMNS,
        height: height + 1,
        definition: json!({
            "type": "group",
            "layout_type": "ordered",
            "title": title,
            "background_color": color,
            "show_title": true,
            "widgets": widgets,
        }),
    }
}

fn queries(queries: &[WidgetQuery], response: &str, aggregator: Option<&str>) -> Value {
    let names = ["a", "b", "c", "d"];
    let data = names.iter().zip(queries).map(|(name, (query, _))| {
        let mut query = json!({"data_source": "metrics", "name": name, "query": query});
        if let Some(aggregator) = aggregator {
            query["aggregator"] = json!(aggregator);
        }
        query
    });
    let formulas = names.iter().zip(queries).map(|(name, (_, alias))| match *alias {
        "" => json!({"formula": name}),
        alias => json!({"formula": name, "alias": alias}),
    });
    json!({
        "response_format": response,
        "queries": data.collect::<Vec<_>>(),
        "formulas": formulas.collect::<Vec<_>>(),
    })
}

/// One number, red above 0.
pub(super) fn number(title: &str, query: &str, aggregator: &str) -> Widget {
    let mut request = queries(&[(query, "")], "scalar", Some(aggregator));
    request["formulas"] = json!([{"formula": "default_zero(a)"}]);
    number_of(title, request, (0.0, 0), None)
}

/// The share of failed Jobs, red above 5 %.
pub(super) fn share(title: &str, failed: &str, completed: &str) -> Widget {
    let mut request = queries(&[(failed, ""), (completed, "")], "scalar", Some("sum"));
    request["formulas"] = json!([{"formula": "100 * default_zero(a) / (default_zero(a) + default_zero(b))"}]);
    number_of(title, request, (5.0, 1), Some("%"))
}

fn number_of(title: &str, mut request: Value, (bad, precision): (f64, u8), unit: Option<&str>) -> Widget {
    request["conditional_formats"] = json!([
        {"comparator": ">", "value": bad, "palette": "white_on_red"},
        {"comparator": "<=", "value": bad, "palette": "white_on_green"},
    ]);
    let mut definition = json!({
        "type": "query_value",
        "title": title,
        "autoscale": true,
        "precision": precision,
        "requests": [request],
    });
    if let Some(unit) = unit {
        definition["custom_unit"] = json!(unit);
        definition["autoscale"] = json!(false);
    }
    Widget {
        width: 3,
        height: 2,
        definition,
    }
}

/// The form of a graph.
#[derive(Clone, Copy, Debug)]
pub(super) enum WidgetForm {
    /// For counts.
    Bars,
    Lines,
}

pub(super) fn over_time(title: &str, width: u64, form: WidgetForm, shown: &[WidgetQuery]) -> Widget {
    let mut request = queries(shown, "timeseries", None);
    let (display, palette) = match form {
        WidgetForm::Bars => ("bars", "semantic"),
        WidgetForm::Lines => ("line", "dog_classic"),
    };
    request["display_type"] = json!(display);
    request["style"] = json!({"palette": palette, "line_type": "solid", "line_width": "normal"});
    Widget {
        width,
        // As high as a list beside it.
        height: if width == COLUMNS / 2 { 4 } else { 3 },
        definition: json!({
            "type": "timeseries",
            "title": title,
            "show_legend": true,
            "legend_layout": "auto",
            "legend_columns": ["sum", "max", "value"],
            "requests": [request],
        }),
    }
}

/// The largest values, with a name for each.
pub(super) fn top(title: &str, width: u64, query: &str, aggregator: &str) -> Widget {
    let mut request = queries(&[(query, "")], "scalar", Some(aggregator));
    request["sort"] = json!({"count": 25, "order_by": [{"type": "formula", "index": 0, "order": "desc"}]});
    Widget {
        width,
        height: 4,
        definition: json!({"type": "toplist", "title": title, "requests": [request], "style": {"display": {"type": "stacked", "legend": "automatic"}}}),
    }
}

/// The distribution over time.
pub(super) fn heatmap(title: &str, width: u64, query: &str) -> Widget {
    let query = json!({"data_source": "metrics", "name": "a", "query": query});
    let request = json!({"request_type": "histogram", "query": query});
    Widget {
        width,
        height: 3,
        definition: json!({"type": "heatmap", "title": title, "requests": [request]}),
    }
}

/// The events that a search of logs finds.
pub(super) fn events(title: &str, search: &str) -> Widget {
    let column = |field: &str, width: &str| json!({"field": field, "width": width});
    let request = json!({
        "response_format": "event_list",
        "query": {"data_source": "logs_stream", "query_string": search, "indexes": [], "storage": "hot"},
        "columns": [
            column("status_line", "auto"),
            column("timestamp", "auto"),
            column("kube_namespace", "auto"),
            column("content", "full"),
        ],
    });
    Widget {
        width: COLUMNS,
        height: 5,
        definition: json!({"type": "list_stream", "title": title, "requests": [request]}),
    }
}

pub(super) fn note(text: &str) -> Widget {
    Widget {
        width: COLUMNS,
        height: 1,
        definition: json!({
            "type": "note",
            "content": text,
            "background_color": "transparent",
            "font_size": "14",
            "text_align": "left",
            "vertical_align": "center",
            "has_padding": true,
            "show_tick": false,
        }),
    }
}
