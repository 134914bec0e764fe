package cluster

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// roles are the three processes, in the order in which they are started and
// stopped.
var roles = []string{"orders", "shipping", "analytics"}

// worker is one of the three as the parent sees it: a process, and when that was
// killed, the next one. Its fields belong to the loop of the cluster.
type worker struct {
	job   job
	state string
	cmd   *exec.Cmd // or nil
	stdin io.WriteCloser
	last  report
	kills int   // of ours and of others
	due   []int // at so many orders it is to be killed, in rising order
	armed bool  // a kill is under way
}

// message is what the loop is told of a worker: a report, or its end.
type message struct {
	w      *worker
	report *report
	kill   bool
	ended  bool
	failed string // what the process that ended said last
	err    error  // how it ended: nil, or an *exec.ExitError
}

// start starts the process, which is this program again.
func (w *worker) start(messages chan<- message, log io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	text, err := json.Marshal(w.job)
	if err != nil {
		return err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = &prefixer{to: log, prefix: w.job.Role + ": "}
	cmd.WaitDelay = time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the process %s: %w", w.job.Role, err)
	}
	w.cmd, w.stdin, w.state, w.armed = cmd, stdin, "starting", false
	go func() {
		failed := ""
		in := bufio.NewScanner(stdout)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			r := &report{}
			if json.Unmarshal(in.Bytes(), r) != nil {
				continue // cut off by a kill
			}
			if failed = r.Failed; failed == "" {
				messages <- message{w: w, report: r}
			}
		}
		messages <- message{w: w, ended: true, failed: failed, err: cmd.Wait()}
	}()
	return nil
}

// stop tells the process to end in good order.
func (w *worker) stop() {
	if w.cmd != nil {
		w.state = "stopping"
		// One that is killed at this moment needs no word.
		_, _ = io.WriteString(w.stdin, stopWord+"\n")
	}
}

// killed reports whether a process was ended by a signal.
func killed(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && exit.ExitCode() == -1
}

// prefixer says of each line who wrote it.
type prefixer struct {
	to     io.Writer
	prefix string
	part   []byte // of a line
}

func (p *prefixer) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		p.part = append(p.part, line...)
		if line[len(line)-1] == '\n' {
			fmt.Fprintf(p.to, "%s%s", p.prefix, p.part)
			p.part = p.part[:0]
		}
	}
	return len(text), nil
}
