//! Words of other tools for what has another name here: those of Ansible, cloud-init, `AWS::CloudFormation::Init`, goss.

/// A word of theirs, and ours for it; where it may be several, each has a row.
const WORDS: [(&str, &str); 62] = [
    // Types of steps and checks.
    ("apt", "package"),
    ("dnf", "package"),
    ("yum", "package"),
    ("packages", "package"),
    ("apt_repository", "repository"),
    ("yum_repository", "repository"),
    ("copy", "file"),
    ("template", "file"),
    ("write_files", "file"),
    ("files", "file"),
    ("lineinfile", "line"),
    ("replace", "line"),
    ("blockinfile", "block"),
    ("ini_file", "ini"),
    ("symlink", "link"),
    ("mkdir", "directory"),
    ("folder", "directory"),
    ("delete", "absent"),
    ("remove", "absent"),
    ("systemd", "service"),
    ("systemd_service", "service"),
    ("services", "service"),
    ("unarchive", "archive"),
    ("sources", "archive"),
    ("get_url", "archive"),
    ("swapfile", "swap"),
    ("cronjob", "cron"),
    ("command", "run"),
    ("shell", "run"),
    ("script", "run"),
    ("commands", "run"),
    ("runcmd", "run"),
    ("exec", "run"),
    ("wait_for", "wait-for"),
    ("import_tasks", "include"),
    ("include_role", "include"),
    ("include_tasks", "include"),
    // Keys.
    ("src", "source"),
    ("src", "copy"),
    ("src", "target"),
    ("src", "template"),
    ("dest", "path"),
    ("dst", "path"),
    ("filename", "path"),
    ("contents", "contains"),
    ("contents", "content"),
    ("regexp", "match"),
    ("insertafter", "after"),
    ("insertbefore", "before"),
    ("chdir", "cwd"),
    ("onlyif", "only-if"),
    ("validate", "check"),
    ("cmd", "command"),
    ("job", "command"),
    ("version", "ref"),
    ("fstype", "type"),
    ("opts", "options"),
    ("loop", "each"),
    ("with_items", "each"),
    ("vars", "params"),
    ("tasks", "steps"),
    // Values.
    ("started", "running"),
];

/// Our words for one of theirs; the likelier first.
pub(super) fn of(word: &str) -> impl Iterator<Item = &'static str> {
    WORDS
        .iter()
        .filter(move |(theirs, _)| *theirs == word)
        .map(|(_, ours)| *ours)
}

/// Keys of their steps that have no like here, and what to do in their place.
const EXPLAINED: [(&[&str], &str); 8] = [
    (
        &["state"],
        "there is no `state` here: a step says what is to be there, and `absent: /path` what is not",
    ),
    (
        &["become", "become_user", "sudo"],
        "steps are done as root; the command of a `run` as somebody else with `user:`",
    ),
    (
        &["register", "set_fact"],
        "what a step prints is not kept: ask in `only-if` or `unless`, or put the commands into one script",
    ),
    (
        &["ignore_errors", "failed_when", "ignoreErrors"],
        "a step that fails ends the run; a command that may fail says so itself: `command: … || true`",
    ),
    (
        &["changed_when"],
        "`unless`, `creates` or `only-if` say when a command is needed; one that has run has changed something",
    ),
    (
        &["minute", "hour", "day", "weekday", "special_time"],
        "the times stand in one text, minute, hour, day, month, day of the week: `schedule: \"*/5 * * * *\"`",
    ),
    (
        &["marker", "marker_begin", "marker_end"],
        "the marks are `# BEGIN NAME` and `# END NAME`: `name` says NAME, and `comment` what stands for `#`",
    ),
    (
        &["recurse"],
        "a `directory` is that folder alone; for what is in it take a `run` with `chown -R` and an `unless`",
    ),
];

/// What to do where a word of theirs has no like here.
pub(super) fn explained(word: &str) -> Option<&'static str> {
    EXPLAINED
        .iter()
        .find(|(words, _)| words.contains(&word))
        .map(|(_, help)| *help)
}
