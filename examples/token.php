<?php
// JSON Web Tokens, signed with HS256: what the node logs users in with. The secret is the password with the number of
// the tenant behind it, which is 0.
declare(strict_types=1);

require_once __DIR__ . '/node.php';

function base64url(string $bytes): string
{
    return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
}

function signature(string $signed): string
{
    return base64url(hash_hmac('sha256', $signed, password() . '0', true));
}

/** The node wants `user_id` and `exp`; what else there is, is ours. */
function token(array $claims): string
{
    $signed = base64url('{"alg":"HS256","typ":"JWT"}') . '.' . base64url(json_encode($claims, JSON_THROW_ON_ERROR));
    return $signed . '.' . signature($signed);
}

/** What a token of ours claims; null if it is none, or has expired. */
function claims_of(string $token): ?array
{
    $end = (int) strrpos($token, '.');
    $signed = substr($token, 0, $end);
    if (!hash_equals(signature($signed), substr($token, $end + 1))) {
        return null;
    }
    $claims = json_decode(base64_decode(strtr(explode('.', $signed)[1] ?? '', '-_', '+/')), true);
    return ($claims['exp'] ?? 0) > time() ? $claims : null;
}
