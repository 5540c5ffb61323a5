"""`Enforcer.php` of the example, by itself; the site that uses it is tested in browsers."""

import subprocess

from tests.running import ROOT, free_port, require_command

SCRIPT = """
require 'examples/php/Enforcer.php';
$enforcer = new Enforcer($argv[1], 'key', 0.2);
$_SESSION = ['enforcer' => ['session' => 's', 'room' => 'r', 'ticket' => 't']];
try {
    $enforcer->required();
    echo 'let in';
} catch (EnforcerUnavailable) {
    echo isset($_SESSION['enforcer']) ? 'kept ' : 'logged out by an outage ';
}
echo $enforcer->logout() ? 'logged out ' : 'still in ', count($_SESSION);
"""


def test_who_logs_out_is_logged_out_though_nobody_can_be_told() -> None:
    """An outage refuses requests and logs nobody out; but it does not keep anybody in."""
    php = require_command("php")
    command = [php, "-d", "error_log=/dev/stderr", "-r", SCRIPT, "--", f"http://127.0.0.1:{free_port()}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "kept logged out 0", done.stderr
    assert "a session that has logged out is still open" in done.stderr
