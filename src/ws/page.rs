//! The page at `/`: what a newcomer sees first.

use bytes::Bytes;

const PAGE: &str = include_str!("../../web/index.html");
const STYLE: &str = include_str!("../../web/index.css");
/// What listens and shows, and what publishes.
const SCRIPTS: [&str; 2] = [include_str!("../../web/index.js"), include_str!("../../web/programs.js")];

/// What the page says about this node. It never shows the password.
#[derive(Clone, Debug)]
pub struct About {
    /// Where SQL clients find the node.
    pub mysql_host: String,
    pub mysql_port: u16,
    /// Where the owner finds the password: a sentence without its full stop.
    pub password_place: String,
    pub version: String,
}

/// The page, as UTF-8 HTML. Made once, at the start.
pub fn render(about: &About) -> Bytes {
    let mut page = String::with_capacity(64 << 10);
    let mut rest = PAGE;
    // In one pass, so that a value that looks like a placeholder stays what it is.
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, after)| Some((before, after.split_once("}}")?)))
    {
        page.push_str(before);
        match name {
            "style" => page.push_str(STYLE),
            "script" => SCRIPTS.iter().for_each(|script| page.push_str(script)),
            _ => push_escaped(&mut page, &value_of(name, about)),
        }
        rest = after;
    }
    page.push_str(rest);
    Bytes::from(page)
}

fn value_of(name: &str, about: &About) -> String {
    match name {
        "mysql_host" => about.mysql_host.clone(),
        "mysql_port" => about.mysql_port.to_string(),
        "password_place" => about.password_place.clone(),
        "version" => about.version.clone(),
        // The test below finds a placeholder that nobody fills.
        unknown => format!("{{{{{unknown}}}}}"),
    }
}

/// Escaped for text and for attributes in double or single quotes.
fn push_escaped(page: &mut String, value: &str) {
    for letter in value.chars() {
        match letter {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            _ => page.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(password_place: &str) -> About {
        About {
            mysql_host: "192.0.2.1".to_owned(),
            mysql_port: 3307,
            password_place: password_place.to_owned(),
            version: "0.1.0".to_owned(),
        }
    }

    fn rendered(password_place: &str) -> String {
        String::from_utf8(render(&about(password_place)).to_vec()).unwrap()
    }

    #[test]
    fn every_placeholder_is_filled() {
        let page = rendered("the password is in /data/password");
        let markup = page.replace(SCRIPTS[0], "").replace(SCRIPTS[1], "").replace(STYLE, "");
        assert!(!markup.contains("{{") && !markup.contains("}}"));
        assert!(page.contains("data-mysql-host=\"192.0.2.1\" data-mysql-port=\"3307\""));
        assert!(page.contains("data-password-place=\"the password is in /data/password\""));
        assert!(page.contains("cometql 0.1.0"));
    }

    #[test]
    fn values_cannot_become_markup_or_placeholders() {
        let page = rendered("<script>\"'&{{version}}");
        assert!(!page.contains("<script>\""));
        assert_eq!(page.matches("&lt;script&gt;&quot;&#39;&amp;{{version}}").count(), 1);
    }

    #[test]
    fn the_page_asks_nobody_but_its_node() {
        let page = rendered("somewhere");
        for outside in ["src=\"http", "href=\"http", "url(", "@import", "innerHTML"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert_eq!(PAGE.matches(" src=\"").count(), 1, "its script");
        // What would end the element that they stand in.
        assert!(!SCRIPTS.iter().any(|script| script.contains("</script")) && !STYLE.contains("</style"));
        assert!(page.len() < 48 << 10);
    }
}
