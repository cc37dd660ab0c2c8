//! Makes a failing seed smaller: leaves out faults and work as long as it still fails.
//!
//! Java: none.
//! Differs: what is left is a text that replays it together with the seed.
//! Threads: one. Locks: none.

use std::fmt::Write;

use crate::testing::sim::plan::Plan;

/// Which parts of a plan are kept: the numbers of its faults, and of each thread's steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    faults: Vec<usize>,
    ops: Vec<Vec<usize>>,
}

impl Kept {
    fn all_of(plan: &Plan) -> Self {
        Self {
            faults: (0..plan.faults.len()).collect(),
            ops: plan
                .apps
                .iter()
                .map(|a| (0..a.ops.len()).collect())
                .collect(),
        }
    }

    /// The plan without what is left out.
    pub(super) fn of(&self, plan: &Plan) -> Plan {
        let mut plan = plan.clone();
        plan.faults = choose(&plan.faults, &self.faults);
        for (app, kept) in plan.apps.iter_mut().zip(&self.ops) {
            app.ops = choose(&app.ops, kept);
        }
        plan
    }

    /// As `f0-3,7 t0:1,2 t1:`; what is not named is left out.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("f{}", ranges(&self.faults));
        for (app, ops) in self.ops.iter().enumerate() {
            write!(text, " t{app}:{}", ranges(ops)).expect("a string takes everything");
        }
        text
    }

    /// What [`to_text`](Self::to_text) wrote.
    pub(super) fn from_text(text: &str, plan: &Plan) -> Option<Self> {
        let mut kept = Self {
            faults: Vec::new(),
            ops: vec![Vec::new(); plan.apps.len()],
        };
        for part in text.split_whitespace() {
            if let Some(faults) = part.strip_prefix('f') {
                kept.faults = numbers(faults)?;
            } else {
                let (app, ops) = part.strip_prefix('t')?.split_once(':')?;
                *kept.ops.get_mut(app.parse::<usize>().ok()?)? = numbers(ops)?;
            }
        }
        Some(kept)
    }

    pub(super) fn size(&self) -> usize {
        self.faults.len() + self.ops.iter().map(Vec::len).sum::<usize>()
    }
}

/// The smallest part of a plan that was found to fail within so many runs.
pub(super) fn shrink(plan: &Plan, mut runs: usize, mut fails: impl FnMut(&Plan) -> bool) -> Kept {
    let mut kept = Kept::all_of(plan);
    loop {
        let before = kept.size();
        for list in 0..=kept.ops.len() {
            let mut chunk = list_of(&mut kept, list).len().div_ceil(2);
            while chunk > 0 && runs > 0 {
                let mut at = 0;
                while at < list_of(&mut kept, list).len() && runs > 0 {
                    let mut smaller = kept.clone();
                    let items = list_of(&mut smaller, list);
                    let end = (at + chunk).min(items.len());
                    items.drain(at..end);
                    runs -= 1;
                    if fails(&smaller.of(plan)) {
                        kept = smaller;
                    } else {
                        at += chunk;
                    }
                }
                chunk /= 2;
            }
        }
        if kept.size() == before || runs == 0 {
            return kept;
        }
    }
}

/// The faults, or the steps of a thread.
fn list_of(kept: &mut Kept, list: usize) -> &mut Vec<usize> {
    match list.checked_sub(1) {
        Some(app) => &mut kept.ops[app],
        None => &mut kept.faults,
    }
}

fn choose<T: Clone>(items: &[T], kept: &[usize]) -> Vec<T> {
    kept.iter().filter_map(|n| items.get(*n)).cloned().collect()
}

fn ranges(numbers: &[usize]) -> String {
    let mut text = String::new();
    let mut rest = numbers;
    while let Some(&first) = rest.first() {
        let run = rest
            .iter()
            .zip(first..)
            .take_while(|(a, b)| *a == b)
            .count();
        let comma = if text.is_empty() { "" } else { "," };
        let last = first + run - 1;
        let range = if run == 1 {
            format!("{comma}{first}")
        } else {
            format!("{comma}{first}-{last}")
        };
        text.push_str(&range);
        rest = &rest[run..];
    }
    text
}

fn numbers(text: &str) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    for range in text.split(',').filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        found.extend(first..=last);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_plan_shrinks_to_what_makes_it_fail() {
        let plan = (0..).map(Plan::draw).find(|plan| plan.faults.len() == 40);
        let plan = plan.expect("some seed has forty faults");
        let (fault, op) = (plan.faults[17].clone(), plan.apps[0].ops[3].clone());
        let fails = |plan: &Plan| plan.faults.contains(&fault) && plan.apps[0].ops.contains(&op);
        let kept = shrink(&plan, 1000, fails);
        assert_eq!(kept.size(), 2, "{}", kept.to_text());
        assert!(fails(&kept.of(&plan)));
        assert_eq!(Kept::from_text(&kept.to_text(), &plan), Some(kept));
    }

    #[test]
    fn what_is_kept_is_written_in_ranges() {
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
        assert_eq!(numbers("0-2,5,7-8"), Some(vec![0, 1, 2, 5, 7, 8]));
    }
}
