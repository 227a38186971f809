<?php
// What arrives from a browser: nothing of it is trusted before it has passed through here.
declare(strict_types=1);

function refuse(int $status, string $reason): never
{
    http_response_code($status);
    header('Content-Type: text/plain; charset=utf-8');
    exit("$reason\n");
}

/** A field of the form that was sent, of 1 to so many bytes. */
function field(string $name, int $bytes_max): string
{
    return checked($name, $_POST[$name] ?? '', $bytes_max);
}

/** A field of the JSON that a script has sent. A form on another site cannot send JSON. */
function json_field(string $name, int $bytes_max): string
{
    static $sent = null;
    if (($_SERVER['CONTENT_TYPE'] ?? '') !== 'application/json') {
        refuse(415, 'Send JSON');
    }
    $sent ??= json_decode(file_get_contents('php://input'), true) ?? [];
    $value = $sent[$name] ?? '';
    return checked($name, is_int($value) ? (string) $value : $value, $bytes_max);
}

function json_uuid(): string
{
    $uuid = json_field('uuid', 36);
    return preg_match('/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/D', $uuid) ? $uuid : refuse(400, 'uuid must be a UUID');
}

function checked(string $name, mixed $text, int $bytes_max): string
{
    $text = is_string($text) ? trim($text) : '';
    if ($text === '' || strlen($text) > $bytes_max) {
        refuse(400, "$name must have 1 to $bytes_max bytes");
    }
    return $text;
}

/** JSON of whatever was typed; what is no UTF-8 becomes �. */
function json(array $data): string
{
    return json_encode($data, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE);
}

/** A session whose cookie no script reads and no other site's page sends. Behind TLS add 'cookie_secure' => true. */
function begin_session(string $name): void
{
    session_start([
        'name' => $name,
        'cookie_httponly' => true,
        'cookie_samesite' => 'Strict',
        'use_strict_mode' => true,
    ]);
    $_SESSION['form_token'] ??= bin2hex(random_bytes(16));
}

/** Only a page of ours knows the token, so a form on another site cannot act for the user. */
function check_form_token(): void
{
    if (!hash_equals($_SESSION['form_token'], field('form_token', 32))) {
        refuse(403, 'This form is too old: load the page again');
    }
}

function go_to_page(): never
{
    header('Location: ./', true, 303);
    exit;
}
