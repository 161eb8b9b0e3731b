"""Runs the AWS CLI for many callers: its modules are loaded once, and each call
is a fork of that, and so are the models of services. To load them takes most of
a call's time.

A caller connects to the Unix socket argv[1], sends its standard files and one
JSON line (arguments, directory, environment), and reads the exit code.
"""

import contextlib
import gc
import io
import json
import os
import signal
import socket
import sys
import traceback

import awscli.clidriver

try:
    from awscli.botocore.loaders import Loader
except ImportError:  # version 1
    from botocore.loaders import Loader

# What one loader has read all others have.
models = {}
construct = Loader.__init__


def construct_shared(self, *args, **kwargs):
    construct(self, *args, **kwargs)
    self._cache = models


Loader.__init__ = construct_shared


def warm(*words):
    """Makes a call to where nobody is, which loads what such calls load."""
    before = dict(os.environ)
    os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_DEFAULT_REGION="us-east-1", AWS_MAX_ATTEMPTS="1")
    sys.argv = ["aws", "--endpoint-url", "http://127.0.0.1:1", *words]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            awscli.clidriver.main()
    except SystemExit:
        pass
    os.environ.clear()
    os.environ.update(before)


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


path = sys.argv[1]
warm("iot", "list-things")
warm("iam", "list-users")
warm("sts", "get-caller-identity")
warm("kinesisvideo", "list-streams")
warm("iot-data", "list-retained-messages")
gc.collect()
gc.freeze()
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
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
