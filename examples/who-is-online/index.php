<?php
// The page: who has it open, and who was here lately. visitors.js keeps both lists up to date.
declare(strict_types=1);

require __DIR__ . '/../page.php';
require __DIR__ . '/../form.php';

// Every session is a user of its own. Your site has ids of its users instead.
begin_session('who_is_online');
$_SESSION['user'] ??= random_int(100_000, 999_999);
$_SESSION['hash'] ??= bin2hex(random_bytes(16));
$me = $_SESSION['user'];

$db = connect();
$db->prepare('INSERT INTO users_auth (id, hash) VALUES (?, ?)')->execute([$me, $_SESSION['hash']]);
$here = $db->query("SELECT user_id, user_uuid FROM users_in_pipes WHERE name = 'track_site'");
// 0 is who is online.
$seen = $db->query('SELECT id, time FROM users_time WHERE time > 0 ORDER BY time DESC LIMIT 20');

page_top('Who is online');
?>
<p>You are visitor <b id="me"><?= html($me) ?></b>. Open this page in another browser, or in a private window, to be
  another one.</p>
<h2>Here now</h2>
<ul id="here" data-empty="Nobody."><?php foreach ($here as ['user_id' => $user, 'user_uuid' => $uuid]) { ?>
  <li data-user="<?= html($user) ?>" data-uuid="<?= html($uuid) ?>">Visitor <?= html($user) ?></li>
<?php } ?></ul>
<h2>Seen lately</h2>
<ul id="seen" data-empty="Nobody."><?php foreach ($seen as ['id' => $user, 'time' => $time]) { ?>
  <li data-user="<?= html($user) ?>"><time datetime="<?= html(gmdate('c', (int) $time)) ?>"></time>Visitor <?= html($user) ?></li>
<?php } ?></ul>
<script src="visitors.js" data-node="<?= html(address_for_browsers()) ?>" data-user="<?= html($me) ?>"
  data-hash="<?= html($_SESSION['hash']) ?>"></script>
