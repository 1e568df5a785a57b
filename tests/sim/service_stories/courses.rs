//! Courses that end well.

use super::*;

/// The stories.
pub fn stories() -> Vec<Story> {
    vec![
        Story::new("service/all_at_once", || {
            let mut w = plain(with("CodeDeployDefault.ECSAllAtOnce", json!({})));
            deploys(&mut w, "d1", "web-2");
            w
        }),
    ]
}
