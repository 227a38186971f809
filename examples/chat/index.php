<?php
// The chat: a form and what has been said. send.php publishes; chat.js listens.
declare(strict_types=1);

require __DIR__ . '/../page.php';

// The pipe keeps its newest 100 messages; chat.js asks for them. IGNORE leaves the setting once it is there.
connect()->query("INSERT IGNORE INTO pipes_settings (name, length) VALUES ('chat', 100)");

page_top('Chat');
?>
<ul id="messages" class="messages" aria-live="polite" data-empty="Nobody has said anything yet."></ul>
<form id="say" method="post" action="send.php">
  <input name="name" placeholder="Your name" aria-label="Your name" maxlength="20" required>
  <input name="text" placeholder="Say something" aria-label="Message" maxlength="500" autocomplete="off" required>
  <button>Send</button>
</form>
<script src="chat.js" data-node="<?= html(address_for_browsers()) ?>"></script>
