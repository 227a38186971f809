<?php
// What is asked of every client, for the PHP scripts: publish, query, batch, reset, be refused.
//
//   php with_<client>.php <host> <port> <password> <pipe>
//
// The pipe keeps what it gets, and is listened to. Each check is a line `ok <duty>: <what>`; the first that fails ends
// the script.

[, $host, $port, $password, $pipe] = $argv;
$port = (int) $port;

// As tests/matrix.rs hears it.
$event = 'published';
$text = '{"text":"it\'s \"quoted\", a \\\\ and 😀"}';

const INSERT = 'INSERT INTO pipes_messages (name, event, message) VALUES (?, ?, ?)';
const SELECT = 'SELECT name, event, message FROM pipes_messages WHERE name = ?';
const BATCH = ['one', 'two', 'three'];
// What is refused, and the number that says why.
const REFUSED = [
    ['a table that is not there', 15, "INSERT INTO no_such_table (name) VALUES ('x')"],
    ['a bad name', 12, "INSERT INTO pipes_messages (name, event, message) VALUES ('a b', 'e', 'm')"],
    ['a syntax error', 3, 'INSERT INTO pipes_messages (name, event'],
];

$first = [$pipe, $event, $text];
$batched = array_map(fn ($message) => [$pipe, 'batch', $message], BATCH);
$all = [$first, ...$batched];

/** A check, and its line. */
function same(string $duty, string $what, mixed $seen, mixed $wanted): void
{
    if ($seen !== $wanted) {
        fail("not ok $duty: $what: " . var_export($seen, true) . ', where ' . var_export($wanted, true) . ' is right');
    }
    echo "ok $duty: $what\n";
}

/** The call fails with this number. */
function refused(string $what, int $number, callable $call, ?callable $numberOf = null): void
{
    try {
        $call();
    } catch (Exception $error) {
        same('refuse', "$what: $number", $numberOf ? $numberOf($error) : $error->getCode(), $number);
        return;
    }
    fail("not ok refuse: $what is allowed");
}

/** All that is refused to someone who is logged in. */
function refusedStatements(callable $query, ?callable $numberOf = null): void
{
    foreach (REFUSED as [$what, $number, $statement]) {
        refused($what, $number, fn () => $query($statement), $numberOf);
    }
}

function fail(string $reason): never
{
    fwrite(STDERR, "$reason\n");
    exit(1);
}
