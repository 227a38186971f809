<?php
// The page: whom to be, or, once that is said, the messages of this user and a form.
declare(strict_types=1);

require __DIR__ . '/people.php';
require __DIR__ . '/../page.php';

$me = $_SESSION['user'] ?? null;
$token = '<input type="hidden" name="form_token" value="' . html($_SESSION['form_token']) . '">';

function options(array $people): void
{
    foreach ($people as $id => $name) {
        echo '<option value="', html($id), '">', html($name), '</option>';
    }
}

page_top('Private messages', $me !== null);
?>
<?php if ($me === null) { ?>
<p>Choose who you are. In another browser, or in a private window, you can be somebody else.</p>
<form method="post" action="login.php">
  <?= $token ?>
  <select name="user" aria-label="Who you are"><?php options(PEOPLE) ?></select>
  <button>Log in</button>
</form>
<?php } else { ?>
<form class="row" method="post" action="logout.php">
  <?= $token ?>
  <span>You are <b id="me"><?= html(PEOPLE[$me]) ?></b>.</span>
  <button class="quiet">Log out everywhere</button>
</form>
<h2>Messages</h2>
<ul id="messages" class="messages" aria-live="polite" data-empty="No messages."></ul>
<form id="write" method="post" action="send.php">
  <?= $token ?>
  <select name="to" aria-label="To"><?php options(array_diff_key(PEOPLE, [$me => true])) ?></select>
  <input name="text" placeholder="Write a message" aria-label="Message" maxlength="500" autocomplete="off" required>
  <button>Send</button>
</form>
<script src="messages.js" data-node="<?= html(address_for_browsers()) ?>" data-user="<?= html($me) ?>"
  data-hash="<?= html($_SESSION['hash']) ?>"></script>
<?php } ?>
