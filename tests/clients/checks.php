<?php
// What the PHP scripts share: where the node is, what is published, and how it is compared.

[, $host, $port, $password] = $argv;
$listed = json_decode(file_get_contents(__DIR__ . '/payloads.json'), true, flags: JSON_THROW_ON_ERROR);
$payloads = array_map(fn ($payload) => str_repeat($payload['text'], $payload['times'] ?? 1), $listed);

const INSERT = 'INSERT INTO pipes_messages (name, event, message) VALUES (?, ?, ?)';
const SELECT = 'SELECT message FROM pipes_messages WHERE name = ?';

/** Prints a line a payload; ends the program when one is not what was published. */
function check(string $style, array $kept): void
{
    global $listed, $payloads;
    if (count($kept) !== count($payloads)) {
        fail("$style: " . count($payloads) . ' were published, ' . count($kept) . ' are kept');
    }
    foreach ($listed as $index => ['name' => $name]) {
        if ($kept[$index] !== $payloads[$index]) {
            $short = fn ($text) => substr(var_export($text, true), 0, 200);
            fail("$style: $name: " . $short($payloads[$index]) . ' became ' . $short($kept[$index]));
        }
        echo "ok $style: $name\n";
    }
}

function fail(string $reason): never
{
    fwrite(STDERR, "$reason\n");
    exit(1);
}
