//! Words of other tools for what has another name here: those of Ansible, cloud-init, `AWS::CloudFormation::Init`, goss.

/// A word of theirs, and ours for it; where it may be several, each has a row.
const WORDS: [(&str, &str); 61] = [
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
