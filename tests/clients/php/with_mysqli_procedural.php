<?php
// mysqli as programs of PHP 5 have it: functions, escaping by hand, errors by return value, connections that persist.

require __DIR__ . '/duties.php';

mysqli_report(MYSQLI_REPORT_OFF);

/** @return int|bool the error's number, or whether it worked */
function asked(mysqli $db, string $statement): int|bool
{
    return mysqli_query($db, $statement) ? true : mysqli_errno($db);
}

same('refuse', 'a wrong password: 1045', [@mysqli_connect($host, 'root', 'wrong', '', $port), mysqli_connect_errno()], [false, 1045]);
$db = mysqli_connect("p:$host", 'root', $password, 'CometQL_v1', $port) ?: fail(mysqli_connect_error());
mysqli_set_charset($db, 'utf8mb4');
$insert = function (array $rows) use (&$db) {
    $row = fn ($row) => "('" . implode("', '", array_map(fn ($text) => mysqli_real_escape_string($db, $text), $row)) . "')";
    return asked($db, 'INSERT INTO pipes_messages (name, event, message) VALUES ' . implode(', ', array_map($row, $rows)));
};
$kept = function () use (&$db, $pipe) {
    return mysqli_fetch_all(mysqli_query($db, "SELECT name, event, message FROM pipes_messages WHERE name = '$pipe'"));
};
same('publish', 'it is taken', [$insert([$first]), mysqli_affected_rows($db)], [true, 1]);
same('query', 'the row is read as it was written', $kept(), [$first]);
same('batch', 'three rows in one statement', [$insert($batched), mysqli_affected_rows($db)], [true, 3]);
same('batch', 'three rows more', $kept(), $all);
foreach (REFUSED as [$what, $number, $statement]) {
    same('refuse', "$what: $number", asked($db, $statement), $number);
}

// What persists is given out again after COM_CHANGE_USER.
$id = mysqli_thread_id($db);
asked($db, 'SET SESSION wait_timeout = 7');
mysqli_close($db);
$db = mysqli_connect("p:$host", 'root', $password, 'CometQL_v1', $port) ?: fail(mysqli_connect_error());
same('reset', 'the connection that persists is the same', mysqli_thread_id($db), $id);
$timeout = mysqli_fetch_row(mysqli_query($db, 'SELECT @@wait_timeout'))[0];
same('reset', 'what was set is forgotten', $timeout !== '7', true);
same('query', 'as before', $kept(), $all);
