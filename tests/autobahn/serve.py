"""`serve.py SPEC`, for the suite's Python 2.7: the fuzzing server as it is, but on 127.0.0.1 and a port of the system's choice,
which it prints as the test peers do. `wstest` has no option for either.

The suite refuses a handshake whose Host names another port than its own. A proxy that keeps Host passes on its own port, so
the suite is told that it is not to know its port.
"""

import json
import sys
import threading

from autobahntestsuite import fuzzing
from twisted.internet import reactor

listen = reactor.listenTCP


def on_loopback(_port, factory, backlog=50, interface=""):
    listening = listen(0, factory, backlog, "127.0.0.1")
    factory.externalPort = None
    out.write(json.dumps({"listening": listening.getHost().port, "cases": factory.specCases}) + "\n")
    out.flush()
    return listening


def leave_with_input():
    sys.stdin.read()
    reactor.callFromThread(reactor.stop)


out, sys.stdout = sys.stdout, open("/dev/null", "w")
reactor.listenTCP = on_loopback
waiting = threading.Thread(target=leave_with_input)
waiting.daemon = True
waiting.start()
with open(sys.argv[1]) as spec:
    fuzzing.startServer(json.load(spec), 0)
reactor.run()
