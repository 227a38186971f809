<?php
// Publishes and reads with PDO: php pdo.php <host> <port> <password>

require __DIR__ . '/checks.php';

foreach (['emulated' => true, 'native' => false] as $style => $emulated) {
    $db = new PDO("mysql:host=$host;port=$port;charset=utf8mb4", 'root', $password, [
        PDO::ATTR_EMULATE_PREPARES => $emulated,
    ]);
    $insert = $db->prepare(INSERT);
    foreach ($payloads as $payload) {
        $insert->execute(["pdo_$style", 'client', $payload]);
        $insert->rowCount() === 1 || fail("$style: a row is affected");
    }
    $select = $db->prepare(SELECT);
    $select->execute(["pdo_$style"]);
    check($style, $select->fetchAll(PDO::FETCH_COLUMN));
}

foreach ($payloads as $payload) {
    $db->exec("INSERT INTO pipes_messages (name, event, message) VALUES ('pdo_quoted', 'client', {$db->quote($payload)})");
}
check('quoted', $db->query("SELECT message FROM pipes_messages WHERE name = 'pdo_quoted'")->fetchAll(PDO::FETCH_COLUMN));
