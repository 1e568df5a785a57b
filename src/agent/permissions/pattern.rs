//! Which paths a permission is about.

/// True if `path` is one that `object` and `pattern` mean: below it at any depth for `**`, else a direct child whose name matches.
pub fn is_match(object: &str, pattern: &str, path: &str) -> bool {
    match below(object, path) {
        Some(_) if pattern == "**" => true,
        Some(rest) => is_name(pattern, rest),
        None => false,
    }
}

/// True if `path` is a direct child of `object` whose name matches.
pub fn is_direct_match(object: &str, pattern: &str, path: &str) -> bool {
    below(object, path).is_some_and(|rest| is_name(pattern, rest))
}

fn below<'a>(object: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(object.trim_end_matches('/'))?.strip_prefix('/').filter(|rest| !rest.is_empty())
}

/// A name against a pattern in which `*` stands for anything, and nothing else is special. In time of their product at most.
fn is_name(pattern: &str, name: &str) -> bool {
    if name.contains('/') {
        return false;
    }
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut seen) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                last_star = Some((at, seen));
                at += 1;
            }
            Some(byte) if *byte == name[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match last_star {
                Some((star, from)) => {
                    at = star + 1;
                    seen = from + 1;
                    last_star = Some((star, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_stars_reach_every_depth_and_never_the_object() {
        assert!(is_match("/srv", "**", "/srv/a"));
        assert!(is_match("/srv", "**", "/srv/a/b"));
        assert!(!is_match("/srv", "**", "/srv"));
        assert!(!is_match("/srv", "**", "/srv2/a"));
        assert!(is_match("/", "**", "/srv/a"));
    }

    #[test]
    fn any_other_pattern_is_of_direct_children() {
        assert!(is_match("/srv", "*.sh", "/srv/run.sh"));
        assert!(!is_match("/srv", "*.sh", "/srv/bin/run.sh"));
        assert!(is_match("/srv", "a*c*e", "/srv/abcde"));
        assert!(!is_match("/srv", "a*c*e", "/srv/abcd"));
        assert!(is_match("/srv", "*", "/srv/.hidden"));
        assert!(!is_match("/srv", "a?c", "/srv/abc"));
        assert!(is_match("/srv", "**a", "/srv/a"));
        assert!(!is_match("/srv", "", "/srv/a"));
        assert!(!is_name(&"*a".repeat(50), &"a".repeat(49)));
    }
}
