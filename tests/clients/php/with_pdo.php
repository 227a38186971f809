<?php
// PDO: emulated and native statements, a transaction, several statements at once, connections that persist.

require __DIR__ . '/duties.php';

$open = fn (string $password, array $options = []) =>
    new PDO("mysql:host=$host;port=$port;dbname=CometQL_v1;charset=utf8mb4", 'root', $password, $options);
$numberOf = fn (PDOException $error) => $error->errorInfo[1];

refused('a wrong password', 1045, fn () => $open('wrong'), $numberOf);
$emulated = $open($password);
$native = $open($password, [PDO::ATTR_EMULATE_PREPARES => false]);

$insert = $emulated->prepare(INSERT);
$insert->execute($first);
same('publish', 'one row is affected', $insert->rowCount(), 1);
$kept = function (PDO $db) use ($pipe) {
    $select = $db->prepare(SELECT);
    $select->execute([$pipe]);
    return $select->fetchAll(PDO::FETCH_NUM);
};
same('query', 'emulated', $kept($emulated), [$first]);
same('query', 'native', $kept($native), [$first]);
$native->beginTransaction();
$insert = $native->prepare('INSERT INTO pipes_messages (name, event, message) VALUES (:name, :event, :message)');
foreach ($batched as [$name, $event, $message]) {
    $insert->execute(compact('name', 'event', 'message'));
}
$native->commit();
same('batch', 'one statement prepared, in a transaction', $kept($native), $all);

$both = $emulated->query('SELECT 1; SELECT 2');
$seen = [];
do {
    $seen[] = (int) $both->fetchColumn();
} while ($both->nextRowset());
same('more', 'two statements at once', $seen, [1, 2]);
$limited = $native->prepare('SELECT event FROM pipes_messages WHERE name = ? LIMIT ?');
$limited->bindValue(1, $pipe);
$limited->bindValue(2, 2, PDO::PARAM_INT);
$limited->execute();
same('query', 'LIMIT as a parameter', $limited->fetchAll(PDO::FETCH_COLUMN), ['published', 'batch']);
same('more', 'getAttribute', str_starts_with($native->getAttribute(PDO::ATTR_SERVER_INFO), 'Uptime: '), true);
foreach (compact('emulated', 'native') as $style => $db) {
    refusedStatements(fn ($statement) => $db->query($statement), $numberOf);
}

$options = [PDO::ATTR_PERSISTENT => true, PDO::MYSQL_ATTR_INIT_COMMAND => "SET NAMES utf8mb4, sql_mode='ANSI'"];
$id = fn (PDO $db) => $db->query('SELECT CONNECTION_ID()')->fetchColumn();
$db = $open($password, $options);
$before = $id($db);
$db = null;
$db = $open($password, $options);
same('reset', 'the connection that persists is the same', $id($db), $before);
same('query', 'as before', $kept($db), $all);
