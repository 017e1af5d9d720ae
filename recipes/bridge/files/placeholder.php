<?php
// Shown by machines that were not started from a golden image; the bridge takes it away on those that were.
header('Cache-Control: no-store');
?>
<!doctype html>
<title>Waiting for the first golden image</title>
<p>This environment waits for its first golden image: <code>goldseed rebuild</code> makes and promotes one.</p>
