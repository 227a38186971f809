<?php
// mysqli with objects: prepared, several statements at once, transactions, change_user, statistics.

require __DIR__ . '/duties.php';

$open = fn (string $password) => new mysqli($host, 'root', $password, null, $port);
refused('a wrong password', 1045, fn () => $open('wrong'));
$db = $open($password);
$db->set_charset('utf8mb4');

$insert = $db->prepare(INSERT);
$insert->execute($first);
same('publish', 'one row is affected', $insert->affected_rows, 1);
$kept = function () use ($db, $pipe) {
    $select = $db->prepare(SELECT);
    $select->execute([$pipe]);
    return $select->get_result()->fetch_all();
};
same('query', 'the row is read as it was written', $kept(), [$first]);
$db->begin_transaction();
array_walk($batched, fn ($row) => $insert->execute($row));
$db->commit();
same('batch', 'one statement prepared, in a transaction', $kept(), $all);

$db->multi_query("SELECT 1; INSERT INTO pipes_messages (name, event, message) VALUES ('$pipe', 'multi', 'm'); SELECT 2");
$seen = [];
do {
    $result = $db->store_result();
    $seen[] = $result ? $result->fetch_all() : $db->affected_rows;
} while ($db->more_results() && $db->next_result());
same('batch', 'multi_query', $seen, [[['1']], 1, [['2']]]);
$db->multi_query('SELECT 1; SELEC; SELECT 2');
$db->store_result();
refused('the second of several', 3, fn () => $db->next_result());

$streamed = $db->query("SELECT event FROM pipes_messages WHERE name = '$pipe'", MYSQLI_USE_RESULT);
same('query', 'unbuffered', array_column(iterator_to_array($streamed), 'event'), ['published', 'batch', 'batch', 'batch', 'multi']);
$streamed->free();
$blob = $db->prepare(INSERT);
[$name, $event, $null] = ["{$pipe}_blob", 'blob', null];
$blob->bind_param('ssb', $name, $event, $null);
array_map(fn ($chunk) => $blob->send_long_data(2, $chunk), ['long ', 'data']);
same('more', 'long data', $blob->execute(), true);

refusedStatements(fn ($statement) => $db->query($statement));
refused('a bad name, prepared', 12, fn () => $insert->execute(['a b', 'e', 'm']));
same('reset', 'change_user', $db->change_user('root', $password, 'CometQL_v1'), true);
same('reset', 'the database is the one asked for', $db->query('SELECT DATABASE()')->fetch_row(), ['CometQL_v1']);
same('more', 'stat', str_starts_with($db->stat(), 'Uptime: '), true);
same('more', 'select_db', $db->select_db('CometQL_v1'), true);
refused('another database', 1049, fn () => $db->select_db('elsewhere'));
$db->close();

$encrypted = mysqli_init();
$encrypted->ssl_set(null, null, null, null, null);
$flags = MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT;
$encrypted->real_connect($host, 'root', $password, null, $port, null, $flags);
$cipher = $encrypted->query("SHOW STATUS LIKE 'Ssl_cipher'")->fetch_row()[1];
same('more', 'TLS', $cipher !== '', true);
