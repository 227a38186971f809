//! How nodes of the original spoke for a tenant: `cometqlcluster_v1 set dev_id=5;INSERT …`.

const PREFIX: &str = "cometqlcluster_v1 set dev_id=";

/// What stands where the tenant's number should, and the statements behind it; `None` when the text does not begin
/// with the prefix, in exactly these letters, as in the original.
pub fn cluster_prefix(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix(PREFIX)?;
    Some(rest.split_once(';').unwrap_or((rest, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_exact_and_ends_with_a_semicolon() {
        for (text, split) in [
            ("cometqlcluster_v1 set dev_id=5;SELECT 1", Some(("5", "SELECT 1"))),
            ("cometqlcluster_v1 set dev_id=5;", Some(("5", ""))),
            ("cometqlcluster_v1 set dev_id=5", Some(("5", ""))),
            ("cometqlcluster_v1 set dev_id=;;", Some(("", ";"))),
            ("cometqlcluster_v1 set dev_id= 5;a;b", Some((" 5", "a;b"))),
            (" cometqlcluster_v1 set dev_id=5;", None),
            ("COMETQLCLUSTER_V1 set dev_id=5;", None),
            ("cometqlcluster_v1  set dev_id=5;", None),
            ("SELECT 1", None),
        ] {
            assert_eq!(cluster_prefix(text), split, "{text}");
        }
    }
}
