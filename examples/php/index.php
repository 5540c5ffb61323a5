<?php
/** A small site with a login, kept to one live session per user by Enforcer. README.md says how to run it. */

declare(strict_types=1);

require __DIR__ . '/Enforcer.php';

$enforcer = new Enforcer(getenv('ENFORCER_URL') ?: 'http://127.0.0.1:8080', getenv('ENFORCER_AUTHKEY'));
$users = ['alice' => password_hash('alice-demo', PASSWORD_BCRYPT, ['cost' => 8]), 'bob' => password_hash('bob-demo', PASSWORD_BCRYPT, ['cost' => 8])];
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$posted = $_SERVER['REQUEST_METHOD'] === 'POST';

session_start(['cookie_httponly' => true, 'cookie_samesite' => 'Lax', 'use_strict_mode' => true]);
header('Cache-Control: no-store');

// CSRF: browsers say where a POST comes from, so a form of another site cannot log anybody in or out.
if ($posted && isset($_SERVER['HTTP_ORIGIN']) && preg_replace('#^https?://#', '', $_SERVER['HTTP_ORIGIN']) !== $_SERVER['HTTP_HOST']) {
    http_response_code(403);
    exit;
}

try {
    match (true) {
        $path === '/login' && !$posted => page('Log in', form()),
        $path === '/login' => login($enforcer, $users),
        $path === '/logout' && $posted => logout($enforcer),
        $path === '/goodbye' => page('Goodbye', '<p>Your session is over. <a href="/login">Log in again</a></p>'),
        default => home($enforcer),
    };
} catch (EnforcerUnavailable) {
    http_response_code(503);
    header('Retry-After: 2');
    page('One moment', '<p>We cannot check your session. You are still logged in; please try again.</p>');
}

/** @param array<string, string> $users */
function login(Enforcer $enforcer, array $users): void
{
    $user = (string) ($_POST['user'] ?? '');
    if (!password_verify((string) ($_POST['password'] ?? ''), $users[$user] ?? current($users)) || !isset($users[$user])) {
        http_response_code(401);
        page('Log in', '<p role="alert">The name or the password is wrong.</p>' . form());
        return;
    }
    $enforcer->login($user);
    header('Location: /', true, 303);
}

function logout(Enforcer $enforcer): void
{
    $enforcer->logout();
    if (isset($_SERVER['HTTP_X_ENFORCER_SESSION'])) {
        http_response_code(204);
    } else {
        header('Location: /goodbye', true, 303);
    }
}

function home(Enforcer $enforcer): void
{
    $held = $_SESSION['enforcer'] ?? null;
    $user = $enforcer->required();
    if ($user === null) {
        header('Location: ' . ($held === null ? '/login' : '/goodbye'), true, 303);
        return;
    }
    $url = htmlspecialchars(getenv('ENFORCER_URL') ?: 'http://127.0.0.1:8080');
    $script = '<script src="' . $url . '/client/session-guard.js" defer data-ticket="' . htmlspecialchars($held['ticket'])
        . '" data-logout-url="/logout" data-login-url="/login"></script>';
    page('Hello, ' . $user, '<p>This page is yours alone.</p><form method="post" action="/logout"><input type="hidden" name="session" value="'
        . htmlspecialchars($held['session']) . '"><button>Log out</button></form>', $script);
}

function form(): string
{
    return '<form method="post"><p><label>User name <input name="user" required autofocus></label></p>'
        . '<p><label>Password <input name="password" type="password" required></label></p><button>Log in</button></form>';
}

function page(string $title, string $body, string $head = ''): void
{
    $title = htmlspecialchars($title);
    echo "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>$title · Notebook</title>$head<h1>$title</h1>$body</html>";
}
