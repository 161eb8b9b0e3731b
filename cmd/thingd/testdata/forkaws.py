"""Runs the AWS CLI for many callers: its modules are loaded once, and each call
is a fork of that. To load them takes most of a call's time.

A caller connects to the Unix socket argv[1], sends its standard files and one
JSON line (arguments, directory, environment), and reads the exit code.
"""

import gc
import json
import os
import signal
import socket
import sys
import traceback

import awscli.clidriver

awscli.clidriver.create_clidriver()  # loads what it loads at first use


def serve(conn):
    line, files, _, _ = socket.recv_fds(conn, 1 << 20, 3)
    while not line.endswith(b"\n"):
        line += conn.recv(1 << 20)
    call = json.loads(line)
    for to, file in enumerate(files):
        os.dup2(file, to)
        os.close(file)
    os.chdir(call["directory"])
    data = os.environ["AWS_DATA_PATH"]  # set by awscli itself
    os.environ.clear()
    os.environ.update(call["environment"], AWS_DATA_PATH=data)
    sys.argv = ["aws"] + call["arguments"]
    try:
        code = awscli.clidriver.main()
    except SystemExit as e:
        code = e.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    conn.send(b"%d\n" % (code if isinstance(code, int) else 0 if code is None else 1))


gc.collect()
gc.freeze()
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(64)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
while True:
    conn, _ = listener.accept()
    if os.fork() == 0:
        listener.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            serve(conn)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    conn.close()
