//! The page at `/`: what a newcomer sees first.

use bytes::Bytes;

const PAGE: &str = include_str!("../../web/index.html");

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
    let mut page = String::with_capacity(PAGE.len() + 256);
    let mut rest = PAGE;
    // In one pass, so that a value that looks like a placeholder stays what it is.
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, after)| Some((before, after.split_once("}}")?)))
    {
        page.push_str(before);
        push_escaped(&mut page, &value_of(name, about));
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
        assert!(!page.contains("{{") && !page.contains("}}"));
        assert!(page.contains("data-mysql-host=\"192.0.2.1\" data-mysql-port=\"3307\""));
        assert!(page.contains("the password is in /data/password."));
        assert!(page.contains("cometql 0.1.0"));
    }

    #[test]
    fn values_cannot_become_markup_or_placeholders() {
        let page = rendered("<script>\"'&{{version}}");
        assert!(!page.contains("<script>\""));
        assert_eq!(page.matches("&lt;script&gt;&quot;&#39;&amp;{{version}}").count(), 2);
    }

    #[test]
    fn placeholders_stand_in_markup_only_and_the_page_asks_nobody_else() {
        let (markup, script) = PAGE.split_once("<script>").unwrap();
        assert!(!script.contains("{{"), "HTML escapes mean nothing in a script");
        let style = markup.split_once("</style>").unwrap().0;
        assert!(!style.contains("{{"));
        for outside in ["src=\"http", "href=\"http", "url(", "@import"] {
            assert!(!PAGE.contains(outside), "{outside}");
        }
        assert!(!script.contains("innerHTML"));
        assert!(PAGE.len() < 25 << 10);
    }
}
