<?php
// Publishes one message to everybody who has the page open.
declare(strict_types=1);

require __DIR__ . '/../node.php';
require __DIR__ . '/../form.php';

// A character has up to 4 bytes. The id lets a page tell whether it shows the message already.
$message = [
    'id' => bin2hex(random_bytes(8)),
    'name' => field('name', 4 * 20),
    'text' => field('text', 4 * 500),
];

$db = connect();
$publish = $db->prepare("INSERT INTO pipes_messages (name, event, message) VALUES ('chat', 'said', ?)");
$publish->execute([json($message)]);

// No content: the browser stays on its page.
http_response_code(204);
