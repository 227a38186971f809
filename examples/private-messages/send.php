<?php
// Sends a private message, which waits at the node for whoever is not connected.
declare(strict_types=1);

require __DIR__ . '/people.php';

check_form_token();
$from = $_SESSION['user'] ?? refuse(403, 'Log in first');
$to = person('to');
$message = json(['from' => PEOPLE[$from], 'to' => PEOPLE[$to], 'text' => field('text', 4 * 500)]);

// Two rows, both or none: the other copy shows the sender, on every device, what has been sent.
$db = connect();
$send = $db->prepare('INSERT INTO users_messages (id, event, message) VALUES (?, ?, ?), (?, ?, ?)');
$send->execute([$to, 'received', $message, $from, 'sent', $message]);

// No content: the browser stays on its page.
http_response_code(204);
