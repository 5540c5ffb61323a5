<?php
/**
 * Enforcer for PHP 8.1 or newer, in one file, with nothing but the curl extension.
 *
 *     $enforcer = new Enforcer('http://127.0.0.1:8080', getenv('ENFORCER_AUTHKEY'));
 *
 * PHP's own sessions are locked while a request has them open, so that a browser's parallel requests wait for each other:
 * `required()` asks and then calls `session_write_close()`.
 */

declare(strict_types=1);

/** Nobody can say whether a session is live: answer 503 and log nobody out. */
final class EnforcerUnavailable extends RuntimeException
{
}

/** Enforcer said no. `reason` is the stable name, `answer` all that it said. */
final class EnforcerRefused extends RuntimeException
{
    /** @param array<string, mixed> $answer */
    public function __construct(public readonly string $reason, public readonly array $answer)
    {
        parent::__construct($reason . ': ' . ($answer['detail'] ?? ''));
    }
}

final class Enforcer
{
    private const GONE = ['session-ended', 'session-unknown'];

    /** @param float $deadline seconds for a call with all its repetitions */
    public function __construct(private readonly string $url, private readonly string $key, private readonly float $deadline = 3.0)
    {
    }

    /**
     * This user has just logged in: every older session of the user is over when this returns. Call it after the password was
     * right; the session gets a new id (OWASP), and keeps which session of Enforcer it is.
     *
     * @param array<string, mixed> $more other members of `POST /v1/sessions`
     * @throws EnforcerUnavailable|EnforcerRefused
     */
    public function login(string $user, array $more = []): void
    {
        $held = $_SESSION['enforcer'] ?? null;
        $answer = $this->call('POST', '/v1/sessions', $more + [
            'room' => $user,
            'request_id' => bin2hex(random_bytes(16)),
            'device' => ['user_agent' => $_SERVER['HTTP_USER_AGENT'] ?? '', 'ip' => $_SERVER['REMOTE_ADDR'] ?? null],
            'replaces' => $held['session'] ?? null,
        ]);
        // The old one stays: a request of an old tab that is under way must not be given a third id, which would take the
        // place of the new cookie. It names a session of Enforcer that is over.
        session_regenerate_id();
        $_SESSION['enforcer'] = ['session' => $answer['session'], 'room' => $user, 'ticket' => $answer['ticket']];
    }

    /**
     * Ends the session that the page names (the script sends `X-Enforcer-Session`, a form the field `session`); whether this
     * browser still held it. It may have logged in again before its old page hears of its end. Whoever logs out is logged out here,
     * whether Enforcer can be told or not.
     */
    public function logout(): bool
    {
        $held = $_SESSION['enforcer'] ?? null;
        $named = $_SERVER['HTTP_X_ENFORCER_SESSION'] ?? $_POST['session'] ?? $held['session'] ?? null;
        if ($held === null || $named !== $held['session']) {
            return false;
        }
        $_SESSION = [];
        try {
            $this->end($held['session']);
        } catch (EnforcerUnavailable|EnforcerRefused $error) { // who logs out is logged out here all the same
            error_log('a session that has logged out is still open: ' . $error->getMessage());
        }
        return true;
    }

    /** Lets the request go on if its session is live: who it is, else null. @throws EnforcerUnavailable */
    public function required(): ?string
    {
        $held = $_SESSION['enforcer'] ?? null;
        $live = $held !== null && $this->isLive($held['session'], $held['room']);
        if ($held !== null && !$live) {
            $_SESSION = [];
        }
        session_write_close();
        return $live ? $held['room'] : null;
    }

    /** @throws EnforcerUnavailable */
    public function isLive(string $session, string $user): bool
    {
        try {
            $this->call('POST', '/v1/sessions/validate', ['session' => $session, 'room' => $user, 'require' => 'active']);
            return true;
        } catch (EnforcerRefused $refused) {
            return in_array($refused->reason, self::GONE, true) ? false : throw $refused;
        }
    }

    /** Ends a session; one that is over is no error. @throws EnforcerUnavailable|EnforcerRefused */
    public function end(string $session, string $reason = 'logout'): void
    {
        try {
            $this->call('DELETE', '/v1/sessions/' . rawurlencode($session) . '?reason=' . $reason);
        } catch (EnforcerRefused $refused) {
            in_array($refused->reason, self::GONE, true) || throw $refused;
        }
    }

    /** Ends the user's other sessions, after a change of the password say. @throws EnforcerUnavailable|EnforcerRefused */
    public function endOthers(string $user, string $except, string $reason = 'password_changed'): void
    {
        $this->call('POST', '/v1/users/logout', ['room' => $user, 'except' => $except, 'reason' => $reason]);
    }

    /**
     * Every call may be repeated: those that change something say what shall be, and a login has its `request_id`.
     *
     * @param array<string, mixed>|null $body
     * @return array<string, mixed>
     */
    private function call(string $method, string $path, ?array $body = null): array
    {
        $until = microtime(true) + $this->deadline;
        for ($wait = 0.1; ; $wait *= 2) {
            [$status, $answer] = $this->once($method, $path, $body, $until - microtime(true));
            if ($status >= 200 && $status < 300) {
                return $answer ?? [];
            }
            // Only an answer with a code is Enforcer's word: a proxy in between has statuses of its own.
            if (isset($answer['code']) && $status < 500 && $status !== 429) {
                throw new EnforcerRefused($answer['code'], $answer);
            }
            if (microtime(true) + $wait >= $until) {
                throw new EnforcerUnavailable('Enforcer does not answer' . ($status ? ": status $status" : ''));
            }
            usleep((int) ($wait * (0.5 + lcg_value() / 2) * 1e6));
        }
    }

    /**
     * @param array<string, mixed>|null $body
     * @return array{int, array<string, mixed>|null} the status, 0 for no answer
     */
    private function once(string $method, string $path, ?array $body, float $within): array
    {
        $request = curl_init($this->url . $path);
        curl_setopt_array($request, [
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT_MS => max(1, (int) ($within * 1000)),
            CURLOPT_HTTPHEADER => ['Authorization: Bearer ' . $this->key, 'Content-Type: application/json', 'Expect:'],
        ]);
        if ($body !== null) {
            curl_setopt($request, CURLOPT_POSTFIELDS, json_encode($body, JSON_THROW_ON_ERROR | JSON_INVALID_UTF8_SUBSTITUTE));
        }
        $raw = curl_exec($request);
        $status = curl_getinfo($request, CURLINFO_RESPONSE_CODE);
        curl_close($request);
        $answer = is_string($raw) ? json_decode($raw, true) : null;
        return [$status, is_array($answer) ? $answer : null];
    }
}
