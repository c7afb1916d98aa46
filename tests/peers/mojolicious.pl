#!/usr/bin/perl
# A Mojolicious client that ends its sessions as asked, or waits for the server to: see README.md.
use Mojo::Base -strict, -signatures;
use Mojo::IOLoop;
use Mojo::IOLoop::Stream;
use Mojo::JSON qw(decode_json encode_json);
use Mojo::UserAgent;

$| = 1;

# Longest session in seconds: far longer than a session takes, shorter than a test waits for it.
use constant SESSION_SECONDS => 30;

my %actions = (
    'close'       => sub ($tx, $code, $reason = '') { $tx->finish($code, $reason) },
    'close-empty' => sub ($tx) { $tx->finish },
    'terminate'   => sub ($tx) { Mojo::IOLoop->remove($tx->connection) },
    'wait'        => sub ($tx) { $tx->send('go') },
    'kill'        => sub ($tx) { kill KILL => $$ },
);

sub fail ($error) {
    say encode_json({event => 'failed', error => "$error"});
    exit 1;
}

sub session ($agent, $url, $action, @parameters) {
    my $end = $actions{$action} or fail('usage: URL ' . join('|', sort keys %actions) . ' [CODE [REASON]]');
    my $overdue = Mojo::IOLoop->timer(SESSION_SECONDS, sub { fail("$action is not done") });
    $agent->websocket($url => sub ($agent, $tx) {
        fail($tx->error ? $tx->error->{message} : 'no upgrade') unless $tx->is_websocket;
        $tx->on(finish => sub ($tx, $code, $reason = undef) {
            Mojo::IOLoop->remove($overdue);
            say encode_json({event => 'closed', code => 0 + $code, reason => $reason // '', clean => undef, error => undef});
            Mojo::IOLoop->stop if @ARGV;
        });
        $tx->once(message => sub ($tx, $message) { $tx->$end(@parameters) });
        $tx->send('hello');
    });
}

my $agent = Mojo::UserAgent->new;
$agent->proxy->not(['127.0.0.1']);
if (@ARGV) {
    session($agent, @ARGV);
} else {
    # The event loop must run, because it closes the connections of ended sessions.
    my $unread = '';
    my $input = Mojo::IOLoop::Stream->new(\*STDIN)->timeout(0);
    $input->on(read => sub ($input, $bytes) {
        $unread .= $bytes;
        session($agent, @{decode_json $1}) while $unread =~ s/^(.*)\n//;
    });
    $input->on(close => sub ($input) { Mojo::IOLoop->stop });
    Mojo::IOLoop->stream($input);
}
Mojo::IOLoop->start;
