<?php
// Publishes and reads with mysqli: php mysqli.php <host> <port> <password>

require __DIR__ . '/checks.php';

$db = new mysqli($host, 'root', $password, null, (int) $port);
$db->set_charset('utf8mb4');

$insert = $db->prepare(INSERT);
foreach ($payloads as $payload) {
    $insert->execute(['mysqli_prepared', 'client', $payload]);
    $insert->affected_rows === 1 || fail('prepared: a row is affected');
}
$select = $db->prepare(SELECT);
$select->execute(['mysqli_prepared']);
check('prepared', array_column($select->get_result()->fetch_all(), 0));

foreach ($payloads as $payload) {
    $text = $db->real_escape_string($payload);
    $db->query("INSERT INTO pipes_messages (name, event, message) VALUES ('mysqli_escaped', 'client', '$text')");
}
$kept = $db->query("SELECT message FROM pipes_messages WHERE name = 'mysqli_escaped'");
check('escaped', array_column($kept->fetch_all(), 0));

// The old way: variables bound in both directions.
[$pipe, $event] = ['mysqli_bound', 'client'];
$insert = $db->prepare(INSERT);
$insert->bind_param('sss', $pipe, $event, $payload);
foreach ($payloads as $payload) {
    $insert->execute();
}
$select = $db->prepare(SELECT);
$select->bind_param('s', $pipe);
$select->execute();
$select->bind_result($message);
$kept = [];
while ($select->fetch()) {
    $kept[] = $message;
}
check('bound', $kept);
