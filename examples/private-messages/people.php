<?php
// Who there is. Your site has a table of users instead.
declare(strict_types=1);

require __DIR__ . '/../node.php';
require __DIR__ . '/../form.php';

const PEOPLE = [1 => 'Ada', 2 => 'Ben', 3 => 'Cleo'];

begin_session('private_messages');

/** The id of somebody there is, from a field of the form. */
function person(string $field): int
{
    $id = (int) field($field, 10);
    return isset(PEOPLE[$id]) ? $id : refuse(400, "$field: there is nobody with this id");
}
