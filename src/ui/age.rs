//! How old what is shown is, said only when it matters.

use crate::domain::snapshot::Freshness;
use crate::domain::text as outside;
use crate::theme::Role;
use crate::ui::bar::Part;
use crate::ui::look::Look;
use crate::ui::text::age;

/// What is wrong with the age of what is shown; nothing when it is fresh.
pub fn part(freshness: &Freshness, look: &Look<'_>) -> Option<Part> {
    let glyphs = look.glyphs();
    Some(match freshness {
        Freshness::Fresh { .. } => return None,
        Freshness::Loading => Part::fixed([look.span(Role::Muted, format!("asking{}", glyphs.ellipsis))]),
        Freshness::Stale { age_s } => Part::fixed([look.span(Role::Stale, format!("{} old", age(*age_s)))]),
        Freshness::Failed { failure, age_s } => {
            let mut text = format!("{} {}", glyphs.failed, outside::line(&failure.brief));
            if let Some(age_s) = age_s {
                text.push_str(&format!(", {} old", age(*age_s)));
            }
            Part::fixed([look.span(Role::Danger, text)])
        }
    })
}

/// Whether rows are drawn as old ones, as a [`crate::ui::widgets::table::Rows`] wants to know it.
pub fn is_old<R>(freshness: &Freshness) -> fn(&R) -> bool {
    match freshness {
        Freshness::Stale { .. } | Freshness::Failed { .. } => |_| true,
        Freshness::Fresh { .. } | Freshness::Loading => |_| false,
    }
}
