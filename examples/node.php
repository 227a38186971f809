<?php
// Where the node is, and a connection to it. The variables are those that the node itself reads, so that one shell
// can set them for both.
declare(strict_types=1);

function setting(string $variable, string $default): string
{
    return getenv($variable) ?: $default;
}

/** Host and port that browsers connect to. */
function address_for_browsers(): string
{
    return setting('COMETQL_WS_LISTEN', '127.0.0.1:8087');
}

function password(): string
{
    $file = setting('COMETQL_PASSWORD_FILE', __DIR__ . '/../cometql-data/password');
    return setting('COMETQL_PASSWORD', is_readable($file) ? trim(file_get_contents($file)) : '');
}

/** Keep it in a variable: PHP closes a connection that nobody holds, prepared statements or not. */
function connect(): mysqli
{
    $address = setting('COMETQL_MYSQL_LISTEN', '127.0.0.1:3307');
    [$host, $port] = explode(':', $address);
    try {
        return new mysqli($host, 'root', password(), null, (int) $port);
    } catch (mysqli_sql_exception $error) {
        http_response_code(503);
        header('Content-Type: text/plain; charset=utf-8');
        exit("No node at $address: {$error->getMessage()}\nStart one with: cargo run --release\n");
    }
}
