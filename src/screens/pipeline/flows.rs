//! The flows as the screen shows them: what is broken or behind comes first, without the path that all names share.

use crate::domain::fleet::is_rising;
use crate::domain::snapshot::FlowWatch;
use crate::domain::text::line;

/// A flow, and how it stands against what was promised.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// The flow.
    pub watch: FlowWatch,
    /// Its name without what all names share; harmless to show.
    pub name: String,
    /// Whether it is further behind than it may be.
    pub is_behind: bool,
    /// Whether its newest readings are clearly above what is usual.
    pub is_rising: bool,
}

impl Flow {
    /// Whether it wants a person.
    pub fn is_problem(&self) -> bool {
        self.is_behind || self.is_rising
    }
}

/// Failed flows, then those that are behind by more than `allowed_s` seconds, the furthest first, then those whose lag
/// rises, then the others in the order in which they were observed: only what wants a person moves.
pub(super) fn ranked(observed: &[FlowWatch], allowed_s: u64) -> Vec<Flow> {
    let path = shared_path(observed.iter().map(|flow| flow.name.as_str()));
    #[expect(clippy::cast_precision_loss, reason = "a lag is far below 2^52 seconds")]
    let allowed_s = allowed_s as f64;
    let mut flows: Vec<Flow> = observed
        .iter()
        .map(|watch| Flow {
            name: short(&watch.name, &path),
            is_behind: watch.backlog.seconds.is_some_and(|behind_s| behind_s > allowed_s),
            is_rising: is_rising(&watch.history),
            watch: watch.clone(),
        })
        .collect();
    let behind_s = |flow: &Flow| flow.watch.backlog.seconds.filter(|_| flow.is_behind).unwrap_or(0.0);
    flows.sort_by(|a, b| {
        let is_well = |flow: &Flow| flow.watch.status != "FAILED";
        let by_lag = behind_s(b).total_cmp(&behind_s(a));
        is_well(a).cmp(&is_well(b)).then(by_lag).then(b.is_rising.cmp(&a.is_rising))
    });
    flows
}

/// The catalog and schema that all names begin with, with the last dot; empty if they share none.
pub(super) fn shared_path<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let path = |name: &'a str| name.rfind('.').map_or("", |dot| &name[..=dot]);
    let mut names = names.into_iter();
    let Some(mut shared) = names.next().map(path) else { return String::new() };
    for name in names {
        while !name.starts_with(shared) {
            shared = path(&shared[..shared.len() - 1]);
        }
    }
    shared.to_owned()
}

/// A name without the path, made harmless; the whole name where it lies elsewhere.
pub(super) fn short(name: &str, path: &str) -> String {
    line(name.strip_prefix(path).unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screens::pipeline::fixture::lagging;

    fn names(flows: &[FlowWatch], allowed_s: u64) -> Vec<(String, bool)> {
        ranked(flows, allowed_s).into_iter().map(|flow| (flow.name, flow.is_behind)).collect()
    }

    #[test]
    fn the_flow_that_is_behind_comes_first_and_the_others_stay() {
        let flows = lagging().watch.flows;
        let own = |names: &[(&str, bool)]| names.iter().map(|(name, behind)| ((*name).to_owned(), *behind)).collect();
        let behind: Vec<(String, bool)> =
            own(&[("orders_enriched", true), ("orders_raw", false), ("orders_daily", false)]);
        assert_eq!(names(&flows, 60), behind);
        let rising: Vec<(String, bool)> =
            own(&[("orders_enriched", false), ("orders_raw", false), ("orders_daily", false)]);
        assert_eq!(names(&flows, 3_600), rising, "it is within bounds, and its lag rises");
        let mut flows = flows;
        flows[1].history.clear();
        let well: Vec<(String, bool)> =
            own(&[("orders_raw", false), ("orders_enriched", false), ("orders_daily", false)]);
        assert_eq!(names(&flows, 3_600), well);
    }

    #[test]
    fn a_failed_flow_comes_before_one_that_is_behind() {
        let mut flows = lagging().watch.flows;
        flows[2].status = "FAILED".to_owned();
        assert_eq!(names(&flows, 60)[0].0, "orders_daily");
    }

    #[test]
    fn only_what_all_names_share_is_left_out() {
        assert_eq!(shared_path(["prod.orders.raw", "prod.orders.enriched"]), "prod.orders.");
        assert_eq!(shared_path(["prod.orders.raw", "prod.sales.enriched"]), "prod.");
        assert_eq!(shared_path(["prod.orders.raw", "dev.orders.raw"]), "");
        assert_eq!(shared_path(["prod.a.raw", "prod.ab.raw"]), "prod.");
        assert_eq!(shared_path(["orders_raw", "orders_enriched"]), "");
        assert_eq!(short("prod.orders.raw\u{1b}[31m", "prod.orders."), "raw");
    }
}
