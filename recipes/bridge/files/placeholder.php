<?php
// Shown by machines that were not started from a golden image; the bridge takes it away on those that were. It answers
// at the site's address and at the health check's path, which the bridge's hook has noted, and nowhere else.
$asked = explode('?', $_SERVER['REQUEST_URI'] ?? '/', 2)[0];
$noted = __DIR__ . '/.goldseed-health';
$known = array_merge(['/', $_SERVER['SCRIPT_NAME'] ?? '/'], is_readable($noted) ? file($noted, FILE_IGNORE_NEW_LINES) : []);
header('Cache-Control: no-store');
if (!in_array($asked, $known, true)) {
    http_response_code(404);
    header('Content-Type: text/plain; charset=utf-8');
    exit("not found\n");
}
?>
<!doctype html>
<title>Waiting for the first golden image</title>
<p>This environment waits for its first golden image: <code>goldseed rebuild</code> makes and promotes one.</p>
