<?php
// The top of every page, and the one way in which text gets into it.
declare(strict_types=1);

require_once __DIR__ . '/node.php';

/** Text as HTML, for elements and for attributes in quotes. */
function html(string|int $text): string
{
    return htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE, 'UTF-8');
}

/** Should some text ever get in unescaped, the policy keeps it from running as a script. */
function page_headers(): void
{
    $node = address_for_browsers();
    header('Cache-Control: no-store');
    header("Content-Security-Policy: default-src 'none'; script-src 'self' $node; style-src 'self' 'unsafe-inline'; "
        . "img-src data:; connect-src 'self' ws://$node wss://$node; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
}

/** Begins the page, with the client, and a place for the state of its connection, if it has one. */
function page_top(string $title, bool $has_state = true): void
{
    page_headers();
    ?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title><?= html($title) ?></title>
<style>
<?php readfile(__DIR__ . '/style.css') ?>
</style>
<?php if ($has_state) { ?>
<script src="//<?= html(address_for_browsers()) ?>/CometServerApi.js"></script>
<?php } ?>
<header>
  <h1><?= html($title) ?></h1>
<?php if ($has_state) { ?>
  <output id="state">connecting</output>
<?php } ?>
</header>
    <?php
}
