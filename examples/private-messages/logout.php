<?php
// Logs out everywhere: without the hash the node closes every connection of the user.
declare(strict_types=1);

require __DIR__ . '/people.php';

check_form_token();
$db = connect();
$db->prepare('DELETE FROM users_auth WHERE id = ?')->execute([$_SESSION['user'] ?? 0]);
session_destroy();
go_to_page();
