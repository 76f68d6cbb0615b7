//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc; the kernel has had no other for decades.
const tick = 10 * time.Millisecond

// stat is what /proc says of a process.
type stat struct {
	parent        int
	own, children time.Duration // CPU; children are those that have ended
}

func statOf(pid int) (stat, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, fmt.Errorf("reading what process %d spent: %w", pid, err)
	}
	// The name of the command, in parentheses, may hold anything.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	var n [15]int
	for i := 1; i < len(n); i++ {
		if n[i], err = strconv.Atoi(fields[i]); err != nil {
			return stat{}, fmt.Errorf("reading what process %d spent: %w", pid, err)
		}
	}
	return stat{parent: n[1], own: time.Duration(n[11]+n[12]) * tick, children: time.Duration(n[13]+n[14]) * tick}, nil
}

// familyCPU is the CPU that a process and its children have spent, those included
// that have ended.
func familyCPU(pid int) (time.Duration, error) {
	s, err := statOf(pid)
	if err != nil {
		return 0, err
	}
	total := s.own + s.children
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, err := statOf(child); err == nil && s.parent == pid { // it may end meanwhile
			total += s.own
		}
	}
	return total, nil
}

// memory is the resident memory of a process in bytes, the most so far and now.
func memory(pid int) (peak, now int64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("reading the memory of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(line, ":")
		kB, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmHWM":
			peak = kB << 10
		case "VmRSS":
			now = kB << 10
		}
	}
	return peak, now, nil
}
