//! The clients, and how each is started. What it is given: host, port, password, pipe, and then its own arguments.

use crate::clients;

pub struct Client {
    /// Also its pipe's.
    pub name: &'static str,
    /// For the table.
    pub title: &'static str,
    program: Program,
    pub arguments: &'static [&'static str],
    /// Duties it has no way to do.
    pub without: &'static [&'static str],
}

/// A script of `tests/clients/<language>/`, or what `tests/clients/install --all` has built.
#[derive(Clone, Copy)]
enum Program {
    Python(&'static str),
    Php(&'static str),
    Node(&'static str),
    Perl(&'static str),
    Ruby(&'static str),
    Java(&'static str),
    Built(&'static str),
    /// A Python of its own, with the packages that are built or large.
    LargePython(&'static str),
}

use Program::{Built, Java, LargePython, Node, Perl, Php, Python, Ruby};

pub const QUICK: &[Client] = &[
    Client::new("cli", "mariadb, batch and at a terminal", Python("mariadb_cli")),
    Client::new("tools", "mysqladmin, mysqlshow, mysqldump", Python("mariadb_tools"))
        .without(&["publish", "batch", "reset"]),
    Client::new("mysqli", "PHP mysqli", Php("mysqli")),
    Client::new("mysqli_procedural", "PHP mysqli, procedural, p:", Php("mysqli_procedural")).without(&["more"]),
    Client::new("pdo", "PHP PDO", Php("pdo")),
    Client::new("pymysql", "Python PyMySQL", Python("pymysql")),
    Client::new("connector_pure", "Python mysql-connector, pure", Python("connector"))
        .given(&["pure"])
        .without(&["more"]),
    Client::new("connector_c", "Python mysql-connector, C", Python("connector")).given(&["c"]).without(&["more"]),
    Client::new("aiomysql", "Python aiomysql", Python("aiomysql")).given(&["aiomysql"]).without(&["more"]),
    Client::new("asyncmy", "Python asyncmy", Python("aiomysql")).given(&["asyncmy"]).without(&["more"]),
    Client::new("sqlalchemy", "Python SQLAlchemy", Python("sqlalchemy")),
    Client::new("django", "Python Django", Python("django")),
    Client::new("peewee", "Python peewee", Python("peewee")),
    Client::new("mysql", "Node mysql", Node("mysql")),
    Client::new("mysql2", "Node mysql2", Node("mysql2")),
    Client::new("node_mariadb", "Node mariadb", Node("mariadb")).without(&["more"]),
    Client::new("knex", "Node knex", Node("knex")),
    Client::new("sequelize", "Node Sequelize", Node("sequelize")),
];

pub const LARGE: &[Client] = &[
    Client::new("go", "Go go-sql-driver", Built("with_go")),
    Client::new("perl_mariadb", "Perl DBD::MariaDB", Perl("dbi")).given(&["MariaDB"]),
    Client::new("perl_mysql", "Perl DBD::mysql", Perl("dbi")).given(&["mysql"]),
    Client::new("ruby", "Ruby mysql2", Ruby("mysql2")),
    Client::new("java_mysql", "Java MySQL Connector/J", Java("WithJdbc")).given(&["mysql"]),
    Client::new("java_mariadb", "Java MariaDB Connector/J", Java("WithJdbc")).given(&["mariadb"]),
    Client::new("sqlx", "Rust sqlx", Built("with_sqlx")).without(&["more"]),
    Client::new("c", "C libmariadb", Built("with_c")),
    Client::new("mysqlclient", "Python mysqlclient", LargePython("mysqlclient")),
    Client::new("libmariadb", "Python mariadb, libmariadb 3.4", LargePython("libmariadb")),
    Client::new("odbc", "ODBC, pyodbc and isql", LargePython("pyodbc")),
];

impl Client {
    const fn new(name: &'static str, title: &'static str, program: Program) -> Client {
        Client { name, title, program, arguments: &[], without: &[] }
    }

    const fn given(mut self, arguments: &'static [&'static str]) -> Client {
        self.arguments = arguments;
        self
    }

    const fn without(mut self, duties: &'static [&'static str]) -> Client {
        self.without = duties;
        self
    }

    pub fn pipe(&self) -> String {
        format!("client_{}", self.name)
    }

    pub fn command(&self) -> Vec<String> {
        let in_project = |path: String| clients::project().join(path).display().to_string();
        let script = |folder: &str, name: &str, ending: &str| format!("tests/clients/{folder}/with_{name}.{ending}");
        let java = |name: &str| {
            let classes =
                [in_project("target/clients/java/*".to_owned()), in_project("target/clients/java".to_owned())];
            vec!["java".to_owned(), "-cp".to_owned(), classes.join(":"), name.to_owned()]
        };
        match self.program {
            Python(name) => vec![clients::python(), script("python", name, "py")],
            LargePython(name) => {
                vec![in_project("target/clients/venv-large/bin/python".to_owned()), script("python", name, "py")]
            }
            Php(name) => vec!["php".to_owned(), script("php", name, "php")],
            Node(name) => vec!["node".to_owned(), script("node", name, "mjs")],
            Perl(name) => vec!["perl".to_owned(), script("perl", name, "pl")],
            Ruby(name) => vec!["ruby".to_owned(), script("ruby", name, "rb")],
            Java(name) => java(name),
            Built(name) => vec![in_project(format!("target/clients/{name}"))],
        }
    }
}
