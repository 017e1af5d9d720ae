# Runs one script on a machine as the agent of Systems Manager runs it: a file that only root may read, exec'd through
# `sh -c`, in a process group of its own, without input. It is over when both of its outputs are closed; when its time
# is up, or when somebody asks for it, the group is killed.
#
#   agent.pl INSTANCE COMMAND SECONDS DIRECTORY RESULTS     (the script comes on standard input)
#
# RESULTS/COMMAND.result gets "CODE finished", "CODE timed-out" or "CODE cancelled"; RESULTS/COMMAND.cancel asks for the end.
use strict;
use warnings;

my ($instance, $command, $seconds, $directory, $results) = @ARGV;
my $folder = '';
umask 077;
for my $part (split m{/}, "var/lib/amazon/ssm/$instance/document/orchestration/$command/awsrunShellScript/0.awsrunShellScript") {
    $folder .= "/$part";
    mkdir $folder;
}
my $script = "$folder/_script.sh";
open(my $file, '>', $script) or die "$script: $!\n";
binmode STDIN;
binmode $file;
print $file do { local $/; <STDIN> // '' };
close $file or die "$script: $!\n";
chmod 0700, $script;

pipe(my $out, my $out_end) and pipe(my $err, my $err_end) or die "pipe: $!\n";
my $child = fork // die "fork: $!\n";
if ($child == 0) {
    setpgrp 0, 0;
    open STDIN, '<', '/dev/null';
    open STDOUT, '>&', $out_end;
    open STDERR, '>&', $err_end;
    chdir($directory || '/') or print STDERR "chdir $directory: $!\n" and exit 1;
    # `exec`, because Amazon Linux's sh replaces itself by a lone command and Debian's does not.
    exec 'sh', '-c', "exec $script" or exit 127;
}
close $out_end;
close $err_end;

my %to = (fileno($out) => [$out, \*STDOUT], fileno($err) => [$err, \*STDERR]);
# Outputs go through syswrite, so nothing is buffered.
my ($end, $how) = (time + $seconds, 'finished');
while (%to) {
    my $wanted = '';
    vec($wanted, $_, 1) = 1 for keys %to;
    my $ready = select($wanted, undef, undef, 0.2);
    for my $descriptor ($ready > 0 ? grep { vec($wanted, $_, 1) } keys %to : ()) {
        my ($from, $onto) = @{ $to{$descriptor} };
        my $count = sysread $from, my $bytes, 65536;
        if ($count) { syswrite $onto, $bytes } else { delete $to{$descriptor} }
    }
    if ($how eq 'finished') {
        $how = 'timed-out' if time >= $end;
        $how = 'cancelled' if -e "$results/$command.cancel";
        next if $how eq 'finished';
        kill 'KILL', -$child;
        # What it left behind outside its group may hold the outputs open for ever.
        $end = time + 2;
    }
    last if $how ne 'finished' && time >= $end;
}
waitpid $child, 0;

# As the agent's run-time reports it: -1 for a shell that a signal ended, 137 for one that was killed for time or by order.
my $code = $how ne 'finished' ? 137 : $? & 127 ? -1 : $? >> 8;
open(my $result, '>', "$results/$command.result.new") or die "result: $!\n";
print $result "$code $how\n";
close $result;
rename "$results/$command.result.new", "$results/$command.result";
