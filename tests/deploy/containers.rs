//! docker-compose.yml and the files its images are built from hold together. What they start is started without
//! containers in `tests/topology/`.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::clients::{project, run};
use crate::compose::{Compose, Containerfile, texts, tool};
use crate::node::Home;

/// The images that are built here.
const CONTAINERFILES: [&str; 2] = ["deploy/Containerfile", "examples/chat/Containerfile"];

/// The keys of a mapping, or the elements of a list, as both are allowed in many places.
fn names(value: &Value) -> Vec<String> {
    value.as_object().map_or_else(|| texts(value), |keys| keys.keys().cloned().collect())
}

/// `from:to` or `from:to:how`, in which `to` is an absolute path of the container.
fn mounts(service: &Value) -> Vec<(String, String)> {
    let parts = |mount: String| mount.split_once(":/").map(|(from, to)| (from.to_owned(), format!("/{to}")));
    texts(&service["volumes"]).into_iter().map(|mount| parts(mount).expect("a place in the container")).collect()
}

#[test]
fn what_services_name_is_there() {
    let compose = Compose::read();
    let declared = names(&compose.0["volumes"]);
    for (name, service) in compose.services() {
        for (from, _) in mounts(service) {
            let is_there =
                if from.starts_with('.') { project().join(&from).exists() } else { declared.contains(&from) };
            assert!(is_there, "{name}: there is no {from} to mount");
        }
        for (other, how) in service["depends_on"].as_object().into_iter().flatten() {
            assert_eq!(how["condition"], "service_healthy", "{name} waits for {other}");
            assert!(!health_check(&compose, other).is_empty(), "{name} waits for {other}, whose health nobody checks");
        }
        for (host, address) in service["extra_hosts"].as_object().into_iter().flatten() {
            assert_eq!(&compose.service(host)["networks"]["front"]["ipv4_address"], address, "{name}: {host}");
        }
    }
    let used: BTreeSet<String> =
        compose.services().flat_map(|(_, service)| mounts(service)).map(|(from, _)| from).collect();
    assert!(declared.iter().all(|volume| used.contains(volume)), "{declared:?}, of which {used:?} are used");
}

/// The command that says whether a service is well: its own, or that of its image.
fn health_check(compose: &Compose, name: &str) -> Vec<String> {
    match &compose.service(name)["healthcheck"]["test"] {
        Value::Null => compose.image(name).words("HEALTHCHECK"),
        Value::String(line) => vec![line.clone()],
        words => texts(words),
    }
}

#[test]
fn services_can_do_no_more_than_they_need() {
    let compose = Compose::read();
    for (name, service) in compose.services() {
        let said = (&service["read_only"], texts(&service["cap_drop"]), &service["restart"]);
        assert_eq!(said, (&Value::from(true), vec!["ALL".to_owned()], &Value::from("unless-stopped")), "{name}");
        let user = service["user"].as_str().map_or_else(|| compose.image(name).last("USER").to_owned(), str::to_owned);
        assert!(!user.starts_with("root") && !user.starts_with('0'), "{name} runs as {user}");
        for (variable, value) in compose.environment(name) {
            let is_secret = variable.contains("PASSWORD") && !variable.ends_with("_FILE");
            assert!(!is_secret && !value.contains('@'), "{name}: whoever inspects the container reads {variable}");
        }
        let doors = texts(&service["ports"]);
        assert!(name == "nginx" || doors.is_empty(), "{name} opens {doors:?}");
        assert!(doors.iter().all(|door| door.starts_with("127.0.0.1:")), "{doors:?} are open to strangers");
    }
}

#[test]
fn a_node_has_more_time_to_stop_than_it_takes() {
    let compose = Compose::read();
    let settings = Home::new(&[]).run(&["check-config"]).stdout;
    let number = |key: &str| -> u64 {
        let line = settings.lines().find_map(|line| line.strip_prefix(&format!("{key} = ")));
        let digits = line.map(|line| line.split_whitespace().next().unwrap().trim_matches('"').to_owned());
        digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("{key} in {settings}"))
    };
    let browsers = number("drain_seconds_max") + cometql::ws::shard::CLOSING_MILLIS_MAX / 1000;
    // Redis may be away, for those who have left and then for the node itself.
    let farewell = number("presence_grace_seconds") + 2 * number("redis_wait_millis_max") / 1000;
    let needed = browsers.max(cometql::mysql::STOP_SECONDS_MAX) + farewell;
    let of_service =
        |name: &str| compose.service(name)["stop_grace_period"].as_str().and_then(|text| text.strip_suffix('s'));
    let image = include_str!("../../deploy/Containerfile");
    let run = image.split_once("--stop-timeout ").and_then(|(_, rest)| rest.split(' ').next());
    let unit = include_str!("../../deploy/cometql.service");
    let unit = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec="));
    for (name, grace) in
        [("node1", of_service("node1")), ("node2", of_service("node2")), ("docker run", run), ("systemd", unit)]
    {
        let grace: u64 = grace.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{name}: no seconds"));
        assert!(grace > needed, "{name}: {grace} s, and it may take {needed}");
    }
}

#[test]
fn nodes_share_a_store_a_password_and_a_certificate() {
    let compose = Compose::read();
    let shared = |name: &str| {
        let mut environment = compose.environment(name);
        let store = environment.remove("COMETQL_STORE").expect("a store");
        let data = environment.remove("COMETQL_DATA_DIR").expect("a directory");
        let volume = mounts(compose.service(name)).into_iter().find(|(_, to)| *to == data).expect("a volume for it");
        (store, volume.0)
    };
    assert_eq!(shared("node1"), shared("node2"));
    let redis = compose.command("redis").join(" ");
    for needed in ["--appendonly yes", "--maxmemory-policy noeviction"] {
        assert!(redis.contains(needed), "{needed} in {redis}");
    }
    let image = compose.image("node1");
    assert!(image.last("VOLUME") == compose.environment("node1")["COMETQL_DATA_DIR"], "anything else would be lost");
    // What the chat reads is what the node has written, as the user that may.
    let (file, user) = (compose.environment("chat")["COMETQL_PASSWORD_FILE"].clone(), compose.image("chat"));
    let mount = mounts(compose.service("chat")).into_iter().find(|(from, _)| *from == shared("node1").1);
    let directory = mount.expect("the chat has it, too").1;
    assert_eq!(file, format!("{}/password", directory.trim_end_matches(":ro")));
    assert_eq!(user.last("USER"), image.last("USER"));
}

#[test]
fn nodes_believe_nginx_alone() {
    let compose = Compose::read();
    let nginx = compose.service("nginx")["networks"]["front"]["ipv4_address"].as_str().expect("one of its own");
    for name in ["node1", "node2"] {
        assert_eq!(compose.environment(name)["COMETQL_TRUSTED_PROXIES"], nginx, "{name}");
    }
}

#[test]
fn containerfiles_please_their_judge() {
    run(&[&tool("hadolint")], &CONTAINERFILES, &project());
}

/// What a COPY takes from the project, and where it puts that.
fn copies(file: &Containerfile) -> Vec<(Vec<String>, String)> {
    let own =
        file.0.iter().filter(|(instruction, arguments)| instruction == "COPY" && !arguments.starts_with("--from"));
    let parts = own.map(|(_, arguments)| {
        let mut words: Vec<String> = arguments.split(' ').map(str::to_owned).collect();
        let to = words.pop().expect("a place");
        (words, to)
    });
    parts.collect()
}

#[test]
fn images_are_built_of_what_is_there() {
    let sent = std::fs::read_to_string(project().join(".dockerignore")).unwrap();
    let sent: Vec<&str> = sent.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let mut copied = BTreeSet::new();
    for path in CONTAINERFILES {
        for from in copies(&Containerfile::read(path)).into_iter().flat_map(|(from, _)| from) {
            assert!(project().join(&from).exists() && sent.contains(&from.as_str()), "{path}: {from} is not sent");
            copied.insert(from);
        }
    }
    assert!(sent.iter().all(|path| copied.contains(*path)), "{sent:?} are sent, {copied:?} used");
}

#[test]
fn cargo_needs_no_more_than_is_copied() {
    let build = tempfile::tempdir().unwrap();
    let file = Containerfile::read("deploy/Containerfile");
    let base = &file.0[0].1;
    assert!(base.starts_with(&format!("rust:{}-", env!("CARGO_PKG_RUST_VERSION"))), "{base}");
    for (from, to) in copies(&file) {
        for from in from {
            let to = if to.starts_with('.') { from.clone() } else { to.clone() };
            std::os::unix::fs::symlink(project().join(&from), build.path().join(to)).unwrap();
        }
    }
    let manifest = build.path().join("Cargo.toml").display().to_string();
    run(
        &[env!("CARGO"), "metadata", "--offline", "--locked", "--no-deps", "--format-version=1"],
        &["--manifest-path", &manifest],
        build.path(),
    );
    for file in rust_files(&project().join("src")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        for included in text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let place = std::fs::canonicalize(file.parent().unwrap().join(included)).unwrap();
            let place = place.strip_prefix(std::fs::canonicalize(project()).unwrap()).unwrap().to_owned();
            assert!(build.path().join(&place).exists(), "{} includes {}", file.display(), place.display());
        }
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.chain(folders.iter().flat_map(|folder| rust_files(folder))).collect()
}

#[test]
fn the_image_starts_a_node_and_says_whether_it_is_well() {
    let image = Containerfile::read("deploy/Containerfile");
    assert!(image.last("LABEL").contains(&format!("version=\"{}\"", env!("CARGO_PKG_VERSION"))));
    assert_eq!(image.words("ENTRYPOINT"), ["cometql"]);
    let health = image.words("HEALTHCHECK");
    assert_eq!(health[0], "cometql");
    let mut home = Home::new(&["--log", "warn"]);
    for (name, value) in Compose::read().environment("node1") {
        let value = value.replace("/var/lib/cometql", &home.path().join("data").display().to_string());
        if name != "COMETQL_STORE" {
            home = home.with_variable(&name, &value);
        }
    }
    let node = home.start();
    let port = node.browsers.port();
    // As in the container, where the node listens at every address.
    let listen = format!("0.0.0.0:{port}");
    let asked = node.home.run(&[&health[1], "--ws-listen", &listen]);
    assert!(asked.status.success(), "{}", asked.stderr);
    assert_eq!(
        asked.stdout,
        format!("{{\"status\":\"ok\",\"node\":\"cometql\",\"version\":\"{}\"}}\n", env!("CARGO_PKG_VERSION"))
    );
    let home = node.kill();
    let asked = home.run(&[&health[1], "--ws-listen", &listen]);
    assert_eq!(asked.status.code(), Some(1));
    assert!(asked.stderr.starts_with(&format!("cometql: no node answers at 127.0.0.1:{port}: ")), "{}", asked.stderr);
}

#[test]
fn who_answers_and_is_no_node_is_not_well() {
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stranger.local_addr().unwrap().to_string();
    let answering = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut socket, _) = stranger.accept().unwrap();
        let _ = socket.read(&mut [0; 1024]).unwrap();
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
    });
    let asked = Home::new(&[]).run(&["health", "--ws-listen", &address]);
    answering.join().unwrap();
    assert_eq!(asked.status.code(), Some(1));
    assert!(asked.stderr.starts_with(&format!("cometql: what answers at {address} is no node")), "{}", asked.stderr);
}
