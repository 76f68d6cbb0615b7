//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
)

// talk is a process that speaks and listens line by line.
type talk struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	errors bytes.Buffer
}

func startTalk(cmd *exec.Cmd) (*talk, error) {
	t := &talk{cmd: cmd}
	cmd.Stderr = &t.errors
	var err error
	if t.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	t.out = bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd, err)
	}
	return t, nil
}

func (t *talk) line() ([]byte, error) {
	line, err := t.out.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("listening to %s: %w\n%s", t.cmd, err, t.errors.String())
	}
	return line, nil
}

// ask says something and decodes the answer.
func (t *talk) ask(what string, answer any) error {
	if _, err := fmt.Fprintln(t.in, what); err != nil {
		return fmt.Errorf("telling %s: %w", t.cmd, err)
	}
	line, err := t.line()
	if err != nil {
		return err
	}
	return json.Unmarshal(line, answer)
}

func (t *talk) end() {
	_ = t.in.Close()
	_ = t.cmd.Process.Kill() // it may have ended
	_ = t.cmd.Wait()
}
