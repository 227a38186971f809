//! Whose pages may connect.

use cometql::node::{self, AllowedOrigins};
use cometql::user::TenantId;

use super::browser::{Browser, request};
use super::world::{config, world_of};

#[test]
fn a_tenant_with_a_list_lets_in_its_pages_alone() {
    let own = [(TenantId(5), vec!["a.com".parse().unwrap()])].into();
    let origins = AllowedOrigins { everybody: Vec::new(), tenants: own };
    let world = world_of(config(), node::Config { origins, ..node::Config::with_password("pw") });
    for (tenant, said, is_let_in) in [
        (5, "Origin: https://a.com\r\n", true),
        (5, "origin: http://A.com:81\r\n", true),
        (5, "Origin: https://a.com.evil.org\r\n", false),
        (5, "Origin: null\r\n", false),
        (5, "", false),
        (6, "Origin: https://a.com.evil.org\r\n", true),
        (6, "", true),
    ] {
        let target = format!("/ws/sesion=&myid=0&devid={tenant}&v=4.08&uuid=u&api=js");
        let mut browser = Browser::silent(world.address);
        browser.send_raw(request(&target).replace("Host:", &format!("{said}Host:")).as_bytes());
        assert!(browser.head().starts_with("HTTP/1.1 101"));
        let first = browser.frame().json();
        if is_let_in {
            assert_eq!(first["event"], "serverInfo", "{tenant} {said}");
        } else {
            assert_eq!((&first["error"], &first["event"]), (&423.into(), &"error".into()), "{tenant} {said}");
            assert_eq!(browser.frame_or_end(), None);
        }
    }
}
