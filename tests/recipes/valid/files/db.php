<?php
define('DB_PASSWORD', {{ db | php }});
