# What is asked of every client, with Perl's DBI: publish, query, batch, reset, be refused.
#
#   perl with_dbi.pl <host> <port> <password> <pipe> MariaDB|mysql
#
# The pipe keeps what it gets, and is listened to. Each check is a line `ok <duty>: <what>`; the first that fails ends
# the program.
use strict;
use warnings;
use utf8;
use DBI;

binmode STDOUT, ':utf8';
my ($host, $port, $password, $pipe, $driver) = @ARGV;

# As tests/matrix.rs hears it.
my ($event, $text) = ('published', q({"text":"it's \"quoted\", a \\\\ and 😀"}));
my $insert = 'INSERT INTO pipes_messages (name, event, message) VALUES (?, ?, ?)';
my $select = 'SELECT name, event, message FROM pipes_messages WHERE name = ?';
# What is refused, and the number that says why.
my @refused = (
    ['a table that is not there', 15, "INSERT INTO no_such_table (name) VALUES ('x')"],
    ['a bad name', 12, "INSERT INTO pipes_messages (name, event, message) VALUES ('a b', 'e', 'm')"],
    ['a syntax error', 3, 'INSERT INTO pipes_messages (name, event'],
);

sub same {
    my ($duty, $what, $seen, $wanted) = @_;
    die "not ok $duty: $what: $seen, where $wanted is right\n" if $seen ne $wanted;
    print "ok $duty: $what\n";
}

sub connected {
    my ($password, %options) = @_;
    my %letters = $driver eq 'mysql' ? (mysql_enable_utf8mb4 => 1) : ();
    my $source = "dbi:$driver:host=$host;port=$port;database=CometQL_v1";
    return DBI->connect($source, 'root', $password, { RaiseError => 1, PrintError => 0, %letters, %options });
}

sub shown { return join '|', map { join ',', @$_ } @{ $_[0] } }

eval { connected('wrong') };
same('refuse', 'a wrong password: 1045', $DBI::err, 1045);
my $db = connected($password);
same('publish', 'one row is affected', $db->do($insert, undef, $pipe, $event, $text), 1);
my $kept = sub { shown($db->selectall_arrayref($select, undef, $pipe)) };
same('query', 'the row is read as it was written', $kept->(), "$pipe,$event,$text");

my @batch = ('one', 'two', 'three');
$db->begin_work;
my $prepared = $db->prepare($insert);
same('batch', 'execute_array', $prepared->execute_array({}, $pipe, 'batch', \@batch), 3);
$db->commit;
my $all = join '|', "$pipe,$event,$text", map { "$pipe,batch,$_" } @batch;
same('batch', 'three rows more, in a transaction', $kept->(), $all);

my $server = connected($password, "\L${driver}\E_server_prepare" => 1);
same('query', 'prepared by the server', shown($server->selectall_arrayref($select, undef, $pipe)), $all);
for (@refused) {
    my ($what, $number, $statement) = @$_;
    eval { $db->do($statement) };
    same('refuse', "$what: $number", $db->err, $number);
}
same('reset', 'ping', $db->ping, 1);
same('reset', 'a copy of the connection', $db->clone->selectrow_array('SELECT DATABASE()'), 'CometQL_v1');
my $id = DBI->connect_cached("dbi:$driver:host=$host;port=$port", 'root', $password)->{"\L${driver}\E_thread_id"};
my $cached = DBI->connect_cached("dbi:$driver:host=$host;port=$port", 'root', $password)->{"\L${driver}\E_thread_id"};
same('reset', 'the connection that is kept', $cached, $id);
same('more', 'tables', (grep { /pipes_messages/ } $db->tables(undef, 'CometQL_v1', '%', 'TABLE')) > 0, 1);
my $columns = $db->column_info(undef, 'CometQL_v1', 'pipes_messages', '%')->fetchall_arrayref({});
same('more', 'column_info', (grep { $_->{COLUMN_NAME} eq 'event' } @$columns) > 0, 1);
$_->disconnect for $db, $server;
