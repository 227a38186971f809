# What is asked of every client, with Ruby's mysql2: publish, query, batch, reset, be refused.
#
#   ruby with_mysql2.rb <host> <port> <password> <pipe>
#
# The pipe keeps what it gets, and is listened to. Each check is a line `ok <duty>: <what>`; the first that fails ends
# the program.

require 'mysql2'

HOST, PORT, PASSWORD, PIPE = ARGV

# As tests/matrix.rs hears it.
EVENT = 'published'
TEXT = '{"text":"it\'s \"quoted\", a \\\\ and 😀"}'
INSERT = 'INSERT INTO pipes_messages (name, event, message) VALUES (?, ?, ?)'
SELECT = 'SELECT name, event, message FROM pipes_messages WHERE name = ?'
# What is refused, and the number that says why.
REFUSED = [
  ['a table that is not there', 15, "INSERT INTO no_such_table (name) VALUES ('x')"],
  ['a bad name', 12, "INSERT INTO pipes_messages (name, event, message) VALUES ('a b', 'e', 'm')"],
  ['a syntax error', 3, 'INSERT INTO pipes_messages (name, event']
]

def same(duty, what, seen, wanted)
  abort "not ok #{duty}: #{what}: #{seen.inspect}, where #{wanted.inspect} is right" if seen != wanted
  puts "ok #{duty}: #{what}"
end

def refused(what, number)
  yield
rescue Mysql2::Error => error
  same('refuse', "#{what}: #{number}", error.error_number, number)
else
  abort "not ok refuse: #{what} is allowed"
end

def open(password, **options)
  Mysql2::Client.new(host: HOST, port: PORT.to_i, username: 'root', password: password, as: :array, **options)
end

refused('a wrong password', 1045) { open('wrong') }
db = open(PASSWORD, flags: Mysql2::Client::MULTI_STATEMENTS)
insert = db.prepare(INSERT)
select = db.prepare(SELECT)
insert.execute(PIPE, EVENT, TEXT)
same('publish', 'one row is affected', insert.affected_rows, 1)
same('query', 'prepared', select.execute(PIPE).to_a, [[PIPE, EVENT, TEXT]])

batch = %w[one two three]
values = batch.map { |message| "('#{PIPE}', 'batch', '#{db.escape(message)}')" }.join(', ')
db.query("INSERT INTO pipes_messages (name, event, message) VALUES #{values}")
same('batch', 'three rows in one statement', db.affected_rows, 3)
all = [[PIPE, EVENT, TEXT]] + batch.map { |message| [PIPE, 'batch', message] }
text = SELECT.sub('?', "'#{PIPE}'")
same('query', 'as a text', db.query(text).to_a, all)
same('query', 'a stream', db.query(text, stream: true, cache_rows: false).to_a, all)
seen = db.query('SELECT 1; SELECT 2').to_a
db.next_result
same('more', 'two statements at once', seen + db.store_result.to_a, [[1], [2]])
REFUSED.each { |what, number, statement| refused(what, number) { db.query(statement) } }
refused('a bad name, prepared', 12) { insert.execute('a b', 'e', 'm') }
same('reset', 'ping and select_db', [db.ping, db.select_db('CometQL_v1')], [true, 'CometQL_v1'])
refused('another database', 1049) { db.select_db('elsewhere') }
db.close

again = open(PASSWORD, reconnect: true, init_command: 'SET NAMES utf8mb4')
again.query("KILL #{again.thread_id}") rescue nil
same('reset', 'it reconnects', again.ping && again.query('SELECT 1').to_a, [[1]])

encrypted = open(PASSWORD, ssl_mode: :required, sslverify: false)
same('more', 'TLS', encrypted.query("SHOW STATUS LIKE 'Ssl_cipher'").first[1] != '', true)
