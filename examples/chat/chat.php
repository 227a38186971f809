<?php
// The chat's backend, for PHP's own server. It decides who somebody is and what may be said; the node delivers it.
declare(strict_types=1);

require __DIR__ . '/../page.php';
require __DIR__ . '/../form.php';
require __DIR__ . '/../token.php';

const ROOMS = ['lobby', 'kitchen', 'garden'];
const FILES = [
    '/chat.js' => ['text/javascript', __DIR__ . '/page/chat.js'],
    '/chat.css' => ['text/css', __DIR__ . '/page/chat.css'],
    '/style.css' => ['text/css', __DIR__ . '/../style.css'],
];

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
match ("{$_SERVER['REQUEST_METHOD']} $path") {
    'GET /' => show_page(),
    'GET /me' => answer_me(sender(), $_COOKIE['chat_key'] ?? ''),
    'POST /login' => log_in(),
    'POST /logout' => log_out(),
    'POST /say' => say(user()),
    'POST /whisper' => whisper(user()),
    default => show_file($path),
};

function show_page(): void
{
    page_headers();
    echo str_replace('{{node}}', html(address_for_browsers()), file_get_contents(__DIR__ . '/page/index.html'));
}

function show_file(string $path): void
{
    [$type, $file] = FILES[$path] ?? refuse(404, 'There is nothing here');
    header("Content-Type: $type; charset=utf-8");
    readfile($file);
}

/** Who sent this request: what the token in the cookie says. */
function sender(): ?array
{
    return claims_of($_COOKIE['chat_key'] ?? '');
}

function user(): array
{
    return sender() ?? refuse(401, 'Log in first');
}

function answer_me(?array $user, string $key): void
{
    header('Content-Type: application/json');
    header('Cache-Control: no-store');
    $about = fn (array $user) => ['user' => $user['user_id'], 'name' => $user['name'], 'key' => $key, 'rooms' => ROOMS];
    echo $user === null ? 'null' : json($about($user));
}

function log_in(): void
{
    $name = json_field('name', 4 * 20);
    // Here your site asks for a password, and looks up the number of the user: in this chat it follows from the name.
    $user = ['user_id' => hexdec(substr(hash('sha256', $name), 0, 7)) + 1, 'name' => $name, 'exp' => time() + 86400];
    $db = connect();
    $db->prepare('INSERT INTO users_data (id, data) VALUES (?, ?)')->execute([$user['user_id'], $name]);
    foreach (ROOMS as $room) {
        // A room keeps its newest 50 messages. IGNORE leaves the setting once it is there.
        $db->query("INSERT IGNORE INTO pipes_settings (name, length) VALUES ('private_room_$room', 50)");
    }
    $key = token($user);
    // No script reads the cookie, and no page of another site sends it. Behind TLS add 'secure' => true.
    setcookie('chat_key', $key, ['expires' => $user['exp'], 'path' => '/', 'httponly' => true, 'samesite' => 'Strict']);
    answer_me($user, $key);
}

function log_out(): void
{
    // The node sends every page away that has logged in with this token.
    user();
    $db = connect();
    $db->prepare('INSERT INTO revoked_tokens (token) VALUES (?)')->execute([$_COOKIE['chat_key']]);
    setcookie('chat_key', '', ['expires' => 1, 'path' => '/', 'httponly' => true, 'samesite' => 'Strict']);
    http_response_code(204);
}

function say(array $user): void
{
    $room = json_field('room', 20);
    in_array($room, ROOMS, true) || refuse(400, 'There is no such room');
    $message = json(['from' => $user['user_id'], 'name' => $user['name'], 'text' => json_field('text', 4 * 500)]);
    // The page has chosen the UUID: when it repeats the request, the message is there once.
    $db = connect();
    $publish = $db->prepare('INSERT INTO pipes_messages (name, event, message, uuid) VALUES (?, ?, ?, ?)');
    $publish->execute(["private_room_$room", 'said', $message, json_uuid()]);
    http_response_code(204);
}

function whisper(array $user): void
{
    $to = (int) json_field('to', 10);
    $db = connect();
    $select = $db->prepare('SELECT data FROM users_data WHERE id = ?');
    $select->execute([$to]);
    $name = $select->get_result()->fetch_column();
    $name !== false || refuse(400, 'There is nobody with this number');
    $message = json(['from' => $user['user_id'], 'name' => $user['name'], 'to_name' => $name, 'text' => json_field('text', 4 * 500)]);
    // Two rows, both or none: the other copy shows the sender, on every device, what has been sent.
    $send = $db->prepare('INSERT INTO users_messages (id, event, message) VALUES (?, ?, ?), (?, ?, ?)');
    $send->execute([$to, 'whisper', $message, $user['user_id'], 'whisper', $message]);
    http_response_code(204);
}
