use super::*;

/// Reads in an empty directory, or one with this `cometql.toml`.
fn read_all(args: &[&str], variables: &[(&str, &str)], file: Option<&str>) -> Result<Command, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    if let Some(text) = file {
        std::fs::write(directory.path().join(DEFAULT_FILE), text).unwrap();
    }
    read_in(directory.path(), args, variables)
}

fn read_in(directory: &Path, args: &[&str], variables: &[(&str, &str)]) -> Result<Command, ConfigError> {
    let args = std::iter::once("cometql").chain(args.iter().copied()).map(OsString::from);
    read(args, variables.iter().map(|(name, value)| (name.into(), value.into())), directory)
}

fn settings(args: &[&str], variables: &[(&str, &str)], file: Option<&str>) -> Box<Settings> {
    match read_all(args, variables, file) {
        Ok(Command::Run(settings)) => settings,
        other => panic!("{other:?}"),
    }
}

fn error(args: &[&str], variables: &[(&str, &str)], file: Option<&str>) -> String {
    read_all(args, variables, file).expect_err("this should be refused").to_string()
}

fn report(args: &[&str], variables: &[(&str, &str)], file: Option<&str>) -> String {
    match read_all(&[&["check-config"], args].concat(), variables, file) {
        Ok(Command::CheckConfig(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn with_nothing_given_it_listens_on_loopback_and_keeps_its_data_here() {
    let directory = tempfile::tempdir().unwrap();
    let Ok(Command::Run(settings)) = read_in(directory.path(), &[], &[("PATH", "/bin")]) else { panic!("runs") };
    let data = directory.path().join("cometql-data");
    assert_eq!(settings.mysql.listen.to_string(), "127.0.0.1:3307");
    assert_eq!(settings.ws.listen.to_string(), "127.0.0.1:8087");
    assert_eq!(settings.message_bytes_max, 1 << 20);
    assert_eq!(settings.ws.message_bytes_max, 1 << 20);
    assert_eq!(settings.mysql.packet_bytes_max, 16 << 20);
    assert_eq!(settings.mysql.certificate_directory.as_ref(), Some(&data));
    assert_eq!(data_of(&settings), Some(&data));
    assert_eq!(settings.password, PasswordSource::GeneratedIn(data.clone()));
    assert_eq!(settings.log, LevelFilter::INFO);
    assert!(!data.exists(), "reading the settings writes nothing");
}

#[test]
fn a_flag_wins_over_a_variable_a_variable_over_the_file_and_the_file_over_the_default() {
    let file = Some("ping_seconds = 30\nlogin_seconds_max = 30\nshards = 3\n");
    let variables = [("COMETQL_PING_SECONDS", "40"), ("COMETQL_LOGIN_SECONDS_MAX", "40")];
    let settings = settings(&["--ping-seconds", "50"], &variables, file);
    assert_eq!(settings.ws.ping_seconds, 50);
    assert_eq!(settings.mysql.login_seconds_max, 40);
    assert_eq!(settings.ws.shards, 3);
    assert_eq!(settings.ws.handshake_seconds_max, 10);
}

#[test]
fn every_setting_can_be_given_in_the_file_the_environment_and_a_flag() {
    for setting in SETTINGS {
        assert_eq!(setting.flag, setting.key.replace('_', "-"));
        let flag = format!("--{}={}", setting.flag, setting.example);
        let partner = match setting.key {
            "tls_certificate" => Some("--tls-key=k"),
            "tls_key" => Some("--tls-certificate=c"),
            _ => None,
        };
        let others: Vec<&str> = partner.into_iter().collect();
        assert!(read_all(&[&others[..], &[&flag]].concat(), &[], None).is_ok(), "{flag}");
        let variable = setting.variable();
        assert!(read_all(&others, &[(&variable, setting.example)], None).is_ok(), "{variable}");
        let source = Source::File { path: PathBuf::new(), line: 1 };
        assert!(read_all(&others, &[], Some(&setting.example_for(&source))).is_ok(), "{}", setting.key);
    }
}

#[test]
fn tenants_have_settings_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("six"), "password of six\n").unwrap();
    let file = "origins = []\npresence_grace_seconds = 0\ncomet_strings = \"mysql\"\n\n\
                [tenant.5]\npassword = \"five's\"\norigins = [\"a.com\", \"https://B.com:8443\"]\n\
                [tenant.6]\npassword_file = \"six\"\ntoken_secret = \"six's\"\n[tenant.7]\n[tenant.0]\norigins = []\n";
    std::fs::write(directory.path().join(DEFAULT_FILE), file).unwrap();
    let variables = [("COMETQL_PASSWORD", "main"), ("COMETQL_ORIGINS", "x.com, y.com:1")];
    let Ok(Command::Run(settings)) = read_in(directory.path(), &[], &variables) else { panic!("runs") };
    assert!(!format!("{settings:?}").contains("'s"), "secrets are shown");
    let node = settings.node(&settings.password.resolve().unwrap()).unwrap();
    assert_eq!((node.presence_grace_seconds, node.comet_strings), (0, CometStrings::Mysql));
    let own = |password: Option<&str>, token_secret: Option<&str>| node::Tenant {
        password: password.map(str::to_owned),
        token_secret: token_secret.map(str::to_owned),
    };
    let tenants = [(0, own(None, None)), (5, own(Some("five's"), None)), (7, own(None, None))];
    let six = (6, own(Some("password of six"), Some("six's")));
    let tenants = tenants.into_iter().chain([six]).map(|(number, tenant)| (TenantId(number), tenant));
    assert!(node.tenants == tenants.collect(), "{:?}", node.tenants.keys());
    for (tenant, origin, admitted) in [
        (5, "https://b.com:8443", true),
        (5, "https://x.com", false),
        (6, "http://x.com", true),
        (6, "https://a.com", false),
        (0, "https://a.com", true),
    ] {
        assert_eq!(node.origins.admit(TenantId(tenant), origin), admitted, "{tenant} {origin}");
    }
    let Ok(Command::CheckConfig(text)) = read_in(directory.path(), &["check-config"], &variables) else { panic!() };
    let squeezed: Vec<String> =
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let at = squeezed.iter().position(|line| line == "[tenant.5]").unwrap();
    let place = directory.path().join(DEFAULT_FILE).display().to_string();
    assert_eq!(
        squeezed[at + 1..at + 5],
        [
            format!("# password = (set) # {place} line 6"),
            "# password_file = # not set".to_owned(),
            "# token_secret = # not set".to_owned(),
            format!("origins = [\"a.com\", \"https://b.com:8443\"] # {place} line 7"),
        ]
    );
    assert!(squeezed.contains(&"origins = [\"x.com\", \"y.com:1\"] # COMETQL_ORIGINS".to_owned()), "{text}");
}

#[test]
fn a_mistake_in_a_tenant_is_named_with_its_line() {
    let secret = "for example password = \"correct-horse-battery\"";
    let cases = [
        ("[tenant.5]\n\npasword = \"a\"\n", ":3: there is no setting `pasword`: did you mean `password`?"),
        (
            "[tenant.5]\nlog = \"info\"\n",
            ":2: there is no setting `log`: remove it; `cometql check-config` lists the settings",
        ),
        ("\n[tenant.100000]\n", ":2: [tenant.100000] is no tenant: tenants are numbers, 0 to 99999"),
        ("[tenant.shop]\n", ":1: [tenant.shop] is no tenant: tenants are numbers, 0 to 99999"),
        ("[tenant.05]\n", ":1: [tenant.05] is no tenant: tenants are numbers, 0 to 99999"),
        ("tenant = 5\n", ":1: tenant is a number: write the settings of tenant 5 under [tenant.5]"),
        ("[tenant]\n5 = \"a\"\n", ":2: tenant.5 is a text: write the settings of tenant 5 under [tenant.5]"),
        ("[[tenant]]\npassword = \"a\"\n", ":1: tenant is a list: write the settings of tenant 5 under [tenant.5]"),
        ("[tenant.5]\npassword = 5\n", &format!(":2: password is a number: write {secret}")),
        (
            "[tenant.5]\npassword = \"\"\n",
            &format!(":2: password = … is not valid: expected a password of one line, not empty, {secret}"),
        ),
        (
            "[tenant.5]\norigins = \"a.com\"\n",
            ":2: origins is a text: write for example origins = [\"example.org\", \"https://shop.example.org:8443\"]",
        ),
        (
            "[tenant.5]\norigins = [\"a.com\", \"*.b.com\"]\n",
            ":2: origins = \"a.com,*.b.com\" is not valid: expected hosts, each with its scheme and its port if you like, \
             but without a path or a `*`, not \"*.b.com\", for example origins = [\"example.org\", \
             \"https://shop.example.org:8443\"]",
        ),
        (
            "[tenant.5]\n[tenant.5]\n",
            ":2: not valid TOML: invalid table header, duplicate key `\"5\"` in table `tenant`",
        ),
    ];
    for (file, expected) in cases {
        let message = error(&[], &[], Some(file));
        assert!(message.ends_with(&format!("{DEFAULT_FILE}{expected}")), "{message}");
    }
    let message = error(&[], &[], Some("[tenant.5]\npassword = \"a\"\npassword_file = \"b\"\n"));
    assert!(message.starts_with("password and password_file are both given for tenant 5 ("), "{message}");
    let message = error(&[], &[], Some("[tenant.0]\npassword = \"a\"\n"));
    assert!(message.contains("line 2): set it above all tables, without [tenant.0]"), "{message}");
    let message = error(&["check-config", "--password=x"], &[], Some("[tenant.5]\npassword_file = \"absent\"\n"));
    assert!(message.starts_with("password_file (") && message.contains("line 2): cannot read "), "{message}");
}

#[test]
fn proxies_are_trusted_one_by_one_and_never_everybody() {
    assert!(settings(&[], &[], None).ws.trusted_proxies.networks().is_empty());
    let file = Some("trusted_proxies = [\"10.0.0.5\", \"2001:DB8::/32\"]\n");
    let line = |text: String| {
        let line = text.lines().find(|line| line.starts_with("trusted_proxies = ")).map(str::to_owned);
        line.and_then(|line| Some(line.split_once(" #")?.0.trim_end().to_owned())).unwrap_or(text)
    };
    assert_eq!(line(report(&[], &[], None)), "trusted_proxies = []");
    assert_eq!(line(report(&[], &[], file)), "trusted_proxies = [\"10.0.0.5\", \"2001:db8::/32\"]");
    let variables = [("COMETQL_TRUSTED_PROXIES", "::1, 10.0.0.0/8,")];
    assert_eq!(line(report(&[], &variables, file)), "trusted_proxies = [\"::1\", \"10.0.0.0/8\"]");
    assert_eq!(line(report(&["--trusted-proxies="], &variables, file)), "trusted_proxies = []");
    let example = "trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]";
    let everybody = |entry: &str| {
        format!(
            "the addresses that your own proxies connect from, not \"{entry}\", which is everybody: whoever is trusted \
             can say that he has any address"
        )
    };
    let cases = [
        ("[\"::1\", \"0.0.0.0/0\"]", "\"::1,0.0.0.0/0\"", everybody("0.0.0.0/0")),
        ("[\"::/0\"]", "\"::/0\"", everybody("::/0")),
        (
            "[\"10.0.0.5/8\"]",
            "\"10.0.0.5/8\"",
            "10.0.0.0/8 for the network or 10.0.0.5 for the one address, not \"10.0.0.5/8\"".to_owned(),
        ),
        (
            "[\"nginx\"]",
            "\"nginx\"",
            "IP addresses, and networks with the number of their bits, not \"nginx\"".to_owned(),
        ),
    ];
    for (written, shown, expected) in cases {
        let message = error(&[], &[], Some(&format!("trusted_proxies = {written}")));
        let end = format!(":1: trusted_proxies = {shown} is not valid: expected {expected}, for example {example}");
        assert!(message.ends_with(&end), "{message}");
    }
    let message = error(&[], &[], Some("trusted_proxies = \"::1\""));
    assert!(message.ends_with(&format!(":1: trusted_proxies is a text: write for example {example}")), "{message}");
}

#[test]
fn memory_keeps_nothing_on_disk() {
    for (args, variables) in [
        (&["--memory"][..], &[][..]),
        (&["--memory=true"], &[]),
        (&[], &[("COMETQL_MEMORY", "1")]),
        (&[], &[("COMETQL_MEMORY", "true")]),
    ] {
        let settings = settings(args, variables, Some("data_dir = \"x\""));
        assert_eq!(data_of(&settings), None);
        assert_eq!(settings.mysql.certificate_directory, None);
        assert_eq!(settings.password, PasswordSource::GeneratedInMemory);
    }
    assert!(data_of(&settings(&["--data-dir", "x"], &[], Some("memory = true"))).is_some());
    assert!(data_of(&settings(&["--memory=false"], &[], Some("memory = true"))).is_some());
    assert_eq!(
        error(&["--memory", "--data-dir", "x"], &[], None),
        "memory and data_dir are both given (--memory, --data-dir): with memory nothing is kept in a directory; \
         remove one of them"
    );
}

#[test]
fn a_mistake_in_the_file_is_named_with_its_line_and_what_to_write() {
    let cases = [
        (
            "log = \"info\"\n\nmysql-listen = \"127.0.0.1:1\"\n",
            ":3: there is no setting `mysql-listen`: did you mean `mysql_listen`?",
        ),
        (
            "[tennant.1]\npassword = \"a\"\n",
            ":1: there is no setting `tennant`: remove it; `cometql check-config` lists the settings",
        ),
        (
            "# a comment\npacket_bytes_max = \"16 MB\"",
            ":2: packet_bytes_max = \"16 MB\" is not valid: expected a number of bytes from 64 KiB to 1 GiB, for example packet_bytes_max = \"16 MiB\"",
        ),
        (
            "ping_seconds = 0",
            ":1: ping_seconds = \"0\" is not valid: expected a number of seconds from 1 to 3600, for example ping_seconds = 25",
        ),
        ("shards = -1", ":1: shards = \"-1\" is not valid: expected a number from 0 to 256, for example shards = 0"),
        ("shards = 1.5", ":1: shards is a number with a point: write for example shards = 0"),
        ("password = 12345", ":1: password is a number: write for example password = \"correct-horse-battery\""),
        (
            "password = \"\"",
            ":1: password = … is not valid: expected a password of one line, not empty, for example password = \"correct-horse-battery\"",
        ),
        ("memory = \"yes\"", ":1: memory = \"yes\" is not valid: expected true or false, for example memory = true"),
        (
            "log = \"loud\"",
            ":1: log = \"loud\" is not valid: expected one of off, error, warn, info, debug, trace, for example log = \"info\"",
        ),
        ("log = \"info\"\nlog = \"info\"\n", ":2: not valid TOML: duplicate key `log` in document root"),
    ];
    for (file, expected) in cases {
        let message = error(&[], &[], Some(file));
        assert!(message.ends_with(&format!("{DEFAULT_FILE}{expected}")), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
    let message = error(&[], &[], Some("log = info\n"));
    assert!(message.contains("cometql.toml:1: not valid TOML: ") && !message.contains('\n'), "{message}");
}

#[test]
fn a_mistake_in_a_variable_or_a_flag_is_named_too() {
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 8] = [
        (
            &[],
            &[("COMETQL_WS_LISEN", "x")],
            "COMETQL_WS_LISEN is set, but there is no such setting: did you mean COMETQL_WS_LISTEN?",
        ),
        (
            &[],
            &[("COMETQL_XYZZY", "x")],
            "COMETQL_XYZZY is set, but there is no such setting: unset it; `cometql --help` lists the settings",
        ),
        (
            &[],
            &[("COMETQL_WS_LISTEN", ":8087")],
            "COMETQL_WS_LISTEN=\":8087\" is not valid: expected an IP address and a port, for example COMETQL_WS_LISTEN=0.0.0.0:8087",
        ),
        (
            &[],
            &[("COMETQL_PASSWORD", "")],
            "COMETQL_PASSWORD=… is not valid: expected a password of one line, not empty, for example COMETQL_PASSWORD=correct-horse-battery",
        ),
        (
            &["--ear-bytes-max", "1"],
            &[],
            "--ear-bytes-max \"1\" is not valid: expected a number of bytes from 64 KiB to 1 GiB, for example --ear-bytes-max \"8 MiB\"",
        ),
        (
            &["--data-dir="],
            &[],
            "--data-dir \"\" is not valid: expected a path, for example --data-dir /var/lib/cometql",
        ),
        (
            &["--tls-key", "k"],
            &[],
            "tls_key is given (--tls-key) without tls_certificate: give both, or neither, and the node makes its own",
        ),
        (
            &["--message-bytes-max", "32M"],
            &[],
            "message_bytes_max (32 MiB, --message-bytes-max) is larger than packet_bytes_max (16 MiB, default): lower the first or raise the second",
        ),
    ];
    for (args, variables, expected) in cases {
        assert_eq!(error(args, variables, None), expected);
    }
    let message = error(&["--password", "--memory"], &[], None);
    assert!(
        message.starts_with("a value is required for '--password <TEXT>'"),
        "a forgotten value is no password: {message}"
    );
    let message = error(&["--ws-lisen", "x"], &[], None);
    assert!(
        message.starts_with("unexpected argument '--ws-lisen' found") && message.contains("--ws-listen"),
        "{message}"
    );
}

#[test]
fn what_containers_say_about_a_neighbour_called_cometql_is_no_setting() {
    let variables = [
        ("COMETQL_SERVICE_HOST", "10.0.0.1"),
        ("COMETQL_SERVICE_PORT_MYSQL", "3307"),
        ("COMETQL_PORT", "tcp://10.0.0.1:3307"),
        ("COMETQL_PORT_3307_TCP_ADDR", "10.0.0.1"),
    ];
    assert!(read_all(&[], &variables, None).is_ok());
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("my.toml"), "shards = 7").unwrap();
    std::fs::write(directory.path().join("cometql.toml"), "nonsense = 1").unwrap();
    for (args, variables) in [
        (&["--config", "my.toml"][..], &[][..]),
        (&[], &[("COMETQL_CONFIG", "my.toml")]),
        (&["--config", "my.toml"], &[("COMETQL_CONFIG", "absent.toml")]),
    ] {
        let Ok(Command::Run(settings)) = read_in(directory.path(), args, variables) else { panic!("runs") };
        assert_eq!(settings.ws.shards, 7);
    }
    let message = read_in(directory.path(), &["--config", "absent.toml"], &[]).unwrap_err().to_string();
    assert!(message.contains("cannot read the configuration file") && message.contains("absent.toml"), "{message}");
}

#[test]
fn the_password_is_given_in_one_of_two_ways() {
    let given = |text: &str, source| PasswordSource::Given { text: text.to_owned(), source };
    let flag = settings(&["--password=-a b"], &[("COMETQL_PASSWORD_FILE", "f")], Some("password = \"c\""));
    assert_eq!(flag.password, given("-a b", Source::Flag("--password".to_owned())));
    let variable = settings(&[], &[("COMETQL_PASSWORD", "b")], Some("password_file = \"f\""));
    assert_eq!(variable.password, given("b", Source::Environment("COMETQL_PASSWORD".to_owned())));
    assert!(!format!("{flag:?}").contains("-a b"));
    let file = settings(&["--password-file", "/f"], &[("COMETQL_PASSWORD", "b")], None);
    let source = Source::Flag("--password-file".to_owned());
    assert_eq!(file.password, PasswordSource::File { path: "/f".into(), source });
    let message = error(&[], &[], Some("password = \"c\"\npassword_file = \"f\""));
    assert!(message.contains("there is one password; remove one of them"), "{message}");
    assert!(message.contains("line 1") && message.contains("line 2"), "{message}");
}

#[test]
fn check_config_says_every_value_and_where_it_is_from() {
    let variables = [("COMETQL_PASSWORD", "hunter2"), ("COMETQL_LOG", "debug")];
    let text = report(&["--ping-seconds=9"], &variables, Some("\n\nshards = 4\npassword_file = \"f\"\n"));
    let line = |key: &str| {
        let found = text.lines().find(|line| line.trim_start_matches("# ").starts_with(&format!("{key} =")));
        found.unwrap_or_else(|| panic!("{key} is missing in\n{text}")).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for setting in SETTINGS {
        line(setting.key);
    }
    assert!(!text.contains("hunter2"));
    assert_eq!(line("password"), "# password = (set) # COMETQL_PASSWORD");
    assert!(line("password_file").ends_with("line 4, not in force: password is"));
    assert_eq!(line("log"), "log = \"debug\" # COMETQL_LOG");
    assert_eq!(line("ping_seconds"), "ping_seconds = 9 # --ping-seconds");
    assert!(line("shards").starts_with("shards = 4 # ") && line("shards").ends_with("cometql.toml line 3"));
    assert_eq!(line("packet_bytes_max"), "packet_bytes_max = \"16 MiB\" # default");
    assert_eq!(line("tls_key"), "# tls_key = # not set");
}

#[test]
fn what_check_config_prints_is_a_file_that_means_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let args = ["check-config", "--data-dir", "a \"b\"", "--ws-listen", "[::1]:9", "--outbox-bytes-max", "70001"];
    let Ok(Command::CheckConfig(text)) = read_in(directory.path(), &args, &[]) else { panic!("reports") };
    std::fs::write(directory.path().join(DEFAULT_FILE), &text).unwrap();
    let Ok(Command::CheckConfig(again)) = read_in(directory.path(), &["check-config"], &[]) else { panic!("reports") };
    let values = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.rsplit_once(" # ")).map(|(value, _)| value.trim().to_owned()).collect()
    };
    assert_eq!(values(&text), values(&again));
}

#[test]
fn check_config_fails_on_files_that_cannot_be_read() {
    let message = error(&["check-config", "--password-file", "absent"], &[], None);
    assert!(message.starts_with("password_file (--password-file): cannot read "), "{message}");
    let message = error(&["check-config", "--tls-certificate", "absent", "--tls-key", "absent"], &[], None);
    assert!(message.starts_with("tls_certificate (--tls-certificate): cannot read "), "{message}");
}

#[test]
fn the_help_names_every_setting_with_its_default() {
    let Ok(Command::Say(help)) = read_all(&["--help"], &[], None) else { panic!("says") };
    for setting in SETTINGS {
        assert!(help.contains(&format!("--{}", setting.flag)), "{}", setting.key);
    }
    assert!(help.contains("[default: 127.0.0.1:3307]") && help.contains("check-config"), "{help}");
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    let Ok(Command::Say(version)) = read_all(&["--version"], &[], None) else { panic!("says") };
    assert_eq!(version, format!("cometql {}\n", env!("CARGO_PKG_VERSION")));
}

/// Where the embedded store of these settings keeps its data.
fn data_of(settings: &Settings) -> Option<&PathBuf> {
    match &settings.store {
        Store::Embedded(config) => config.directory.as_ref(),
        Store::Redis(config) => panic!("{config:?}"),
    }
}

#[test]
fn the_store_is_embedded_or_a_redis_whose_password_is_never_shown() {
    assert!(matches!(settings(&["--store", "embedded"], &[], None).store, Store::Embedded(_)));
    let url = "redis://me:hidden@redis.example:6380/3";
    let file = format!("store = \"{url}\"\nredis_wait_millis_max = 700");
    for settings in [
        settings(&[], &[], Some(&file)),
        settings(&["--redis-wait-millis-max", "700"], &[("COMETQL_STORE", url)], None),
    ] {
        let Store::Redis(config) = &settings.store else { panic!("{:?}", settings.store) };
        assert_eq!(config.address.to_string(), "redis://redis.example:6380/3");
        assert_eq!(config.wait_millis_max, 700);
        assert_eq!(config.history_bytes_max_per_pipe, 16 << 20);
        assert!(!format!("{settings:?}").contains("hidden"));
    }
    for wrong in ["redis://me:hidden@host:port/0", "http://hidden", "hidden"] {
        let error = error(&["--store", wrong], &[], None);
        assert!(error.contains("--store …") && error.contains("redis://127.0.0.1:6379/0"), "{error}");
        assert!(!error.contains("hidden"), "{error}");
    }
}
