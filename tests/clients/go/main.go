// What is asked of every client, with go-sql-driver/mysql: publish, query, batch, reset, be refused.
//
//	with_go <host> <port> <password> <pipe>
//
// The pipe keeps what it gets, and is listened to. Each check is a line `ok <duty>: <what>`; the first that fails ends
// the program.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"

	"github.com/go-sql-driver/mysql"
)

const (
	insert = "INSERT INTO pipes_messages (name, event, message) VALUES (?, ?, ?)"
	choose = "SELECT name, event, message FROM pipes_messages WHERE name = ?"
	// As tests/matrix.rs hears it.
	event = "published"
	text  = `{"text":"it's \"quoted\", a \\ and 😀"}`
)

type row struct{ name, event, message string }

// What is refused, and the number that says why.
var refusals = []struct {
	what      string
	number    uint16
	statement string
}{
	{"a table that is not there", 15, "INSERT INTO no_such_table (name) VALUES ('x')"},
	{"a bad name", 12, "INSERT INTO pipes_messages (name, event, message) VALUES ('a b', 'e', 'm')"},
	{"a syntax error", 3, "INSERT INTO pipes_messages (name, event"},
}

var host, port, password, pipe = os.Args[1], os.Args[2], os.Args[3], os.Args[4]

func main() {
	stranger := open("wrong", func(*mysql.Config) {})
	refused("a wrong password", 1045, stranger.PingContext(context.Background()))

	db := open(password, func(*mysql.Config) {})
	first := row{pipe, event, text}
	done, err := db.ExecContext(context.Background(), insert, pipe, event, text)
	works(err)
	affected, err := done.RowsAffected()
	works(err)
	same("publish", "one row is affected", affected, int64(1))
	same("query", "the row is read as it was written", kept(db), []row{first})

	transaction, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	works(err)
	prepared, err := transaction.PrepareContext(context.Background(), insert)
	works(err)
	all := []row{first}
	for _, message := range []string{"one", "two", "three"} {
		_, err = prepared.ExecContext(context.Background(), pipe, "batch", message)
		works(err)
		all = append(all, row{pipe, "batch", message})
	}
	works(transaction.Commit())
	same("batch", "one statement prepared, in a transaction", kept(db), all)

	for _, refusal := range refusals {
		_, err = db.ExecContext(context.Background(), refusal.statement)
		refused(refusal.what, refusal.number, err)
	}
	_, err = db.ExecContext(context.Background(), insert, "a b", "e", "m")
	refused("a bad name, prepared", 12, err)

	same("reset", "the pool lends it again", connection(db), connection(db))
	works(db.PingContext(context.Background()))
	same("query", "as before", kept(db), all)

	inserted := fmt.Sprintf("INSERT INTO pipes_messages (name, event, message) VALUES ('%s', 'several', ?)", pipe)
	several := open(password, func(config *mysql.Config) {
		config.MultiStatements, config.InterpolateParams = true, true
	})
	_, err = several.ExecContext(context.Background(), inserted+"; "+inserted, "it's", `a \ b`)
	works(err)
	same("more", "two statements at once, with their parameters put in", len(kept(db)), len(all)+2)

	encrypted := open(password, func(config *mysql.Config) { config.TLSConfig = "skip-verify" })
	var name, cipher string
	works(encrypted.QueryRowContext(context.Background(), "SHOW STATUS LIKE 'Ssl_cipher'").Scan(&name, &cipher))
	same("more", "TLS", cipher != "", true)
}

func open(password string, change func(*mysql.Config)) *sql.DB {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.DBName = "root", password, "CometQL_v1"
	config.Net, config.Addr = "tcp", net.JoinHostPort(host, port)
	config.Params = map[string]string{"time_zone": "'+00:00'"}
	works(config.Apply(mysql.Charset("utf8mb4", "")))
	change(config)
	connector, err := mysql.NewConnector(config)
	works(err)
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return db
}

func kept(db *sql.DB) []row {
	rows, err := db.QueryContext(context.Background(), choose, pipe)
	works(err)
	defer rows.Close()
	var all []row
	for rows.Next() {
		var one row
		works(rows.Scan(&one.name, &one.event, &one.message))
		all = append(all, one)
	}
	works(rows.Err())
	return all
}

func connection(db *sql.DB) (id int64) {
	works(db.QueryRowContext(context.Background(), "SELECT CONNECTION_ID()").Scan(&id))
	return id
}

func refused(what string, number uint16, err error) {
	var refusal *mysql.MySQLError
	if !errors.As(err, &refusal) {
		fail("not ok refuse: %s: %v", what, err)
	}
	same("refuse", fmt.Sprintf("%s: %d", what, number), refusal.Number, number)
}

func same(duty, what string, seen, wanted any) {
	if !reflect.DeepEqual(seen, wanted) {
		fail("not ok %s: %s: %v, where %v is right", duty, what, seen, wanted)
	}
	fmt.Printf("ok %s: %s\n", duty, what)
}

func works(err error) {
	if err != nil {
		fail("not ok: %v", err)
	}
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}
