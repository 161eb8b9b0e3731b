package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Where the command aws of scripts finds the real one, and the process that
// has it loaded.
const (
	awsReal   = "THINGD_TEST_AWS"
	awsSocket = "THINGD_TEST_AWS_SOCKET"
)

// awsCLI is the machine's AWS CLI, and what runs it for scripts.
type awsCLI struct{ real, socket string }

// startAWSCLI loads the AWS CLI once for all scripts (testdata/forkaws.py). Of
// one that is no Python program, each call runs the whole.
func startAWSCLI(t *testing.T) awsCLI {
	t.Helper()
	real, err := exec.LookPath("aws")
	if err != nil {
		return awsCLI{} // scripts that want it say so
	}
	if out, err := exec.Command("pyenv", "which", "aws").Output(); err == nil {
		real = strings.TrimSpace(string(out))
	}
	cli := awsCLI{real: real}
	head, err := os.ReadFile(real)
	if err != nil {
		t.Fatal(err)
	}
	interpreter, python := strings.CutPrefix(strings.SplitN(string(head[:min(len(head), 512)]), "\n", 2)[0], "#!")
	if !python || !strings.Contains(interpreter, "python") {
		return cli
	}
	// Short: the path of a socket has at most 107 bytes.
	dir, err := os.MkdirTemp("", "aws")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	args := append(strings.Fields(interpreter), "testdata/forkaws.py", socket)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Logf("the AWS CLI is not kept loaded: %q, %v", line, err)
		return cli
	}
	cli.socket = socket
	return cli
}

// runAWS is the command aws of scripts.
func runAWS() {
	code, err := callAWS(os.Getenv(awsSocket))
	if err != nil {
		fmt.Fprintln(os.Stderr, "aws:", err)
	}
	os.Exit(code)
}

func callAWS(socket string) (int, error) {
	environment := map[string]string{}
	for _, e := range os.Environ() {
		k, v, _ := strings.Cut(e, "=")
		environment[k] = v
	}
	if socket == "" {
		real := os.Getenv(awsReal)
		return 127, syscall.Exec(real, append([]string{real}, os.Args[1:]...), os.Environ())
	}
	directory, err := os.Getwd()
	if err != nil {
		return 1, err
	}
	call, err := json.Marshal(map[string]any{"arguments": os.Args[1:], "directory": directory, "environment": environment})
	if err != nil {
		return 1, err
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return 1, err
	}
	defer conn.Close()
	files := syscall.UnixRights(0, 1, 2)
	if _, _, err := conn.WriteMsgUnix(append(call, '\n'), files, nil); err != nil {
		return 1, err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return 1, fmt.Errorf("it ended without an exit code: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(answer))
}
