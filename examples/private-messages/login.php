<?php
// Logs in: the node is told a hash, and the page connects with it.
declare(strict_types=1);

require __DIR__ . '/people.php';

check_form_token();
$user = person('user');
// Here your site asks for a password.

// All devices of a user share one hash, so the first login makes it and the others find it.
$db = connect();
$db->prepare('INSERT IGNORE INTO users_auth (id, hash) VALUES (?, ?)')->execute([$user, bin2hex(random_bytes(16))]);
$select = $db->prepare('SELECT hash FROM users_auth WHERE id = ?');
$select->execute([$user]);

// A new number for the session: one that somebody else has slipped in is worth nothing.
session_regenerate_id(true);
$_SESSION['user'] = $user;
$_SESSION['hash'] = $select->get_result()->fetch_column();
go_to_page();
