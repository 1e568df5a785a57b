package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// second is what one second of the run saw, by the time requests were sent.
type second struct {
	T        int            `json:"t"` // seconds since the start
	Versions map[string]int `json:"versions"`
	Errors   int            `json:"errors"`
}

type summary struct {
	StartedAt     time.Time      `json:"startedAt"`
	Total         int            `json:"total"`
	Failures      int            `json:"failures"`
	ByVersion     map[string]int `json:"byVersion"`
	ByError       map[string]int `json:"byError"`
	SlowestMillis int64          `json:"slowestMillis"`
	BySecond      []second       `json:"bySecond"`
}

type tally struct {
	mu sync.Mutex
	summary
}

func newTally(start time.Time) *tally {
	return &tally{summary: summary{StartedAt: start.UTC(), ByVersion: map[string]int{}, ByError: map[string]int{}, BySecond: []second{}}}
}

func (t *tally) count(sent time.Time, took time.Duration, version string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.second(sent)
	t.Total++
	t.SlowestMillis = max(t.SlowestMillis, took.Milliseconds())
	if err != nil {
		t.Failures++
		t.ByError[err.Error()]++
		s.Errors++
		return
	}
	t.ByVersion[version]++
	s.Versions[version]++
}

// second finds the entry of an instant; seconds without a request have one too.
func (t *tally) second(at time.Time) *second {
	index := int(at.Sub(t.StartedAt) / time.Second)
	for len(t.BySecond) <= index {
		t.BySecond = append(t.BySecond, second{T: len(t.BySecond), Versions: map[string]int{}})
	}
	return &t.BySecond[index]
}

// lastSecond describes the second before now.
func (t *tally) lastSecond(now time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.second(now.Add(-time.Second))
	var line strings.Builder
	fmt.Fprintf(&line, "%4d s", s.T)
	for _, version := range slices.Sorted(maps.Keys(s.Versions)) {
		fmt.Fprintf(&line, "  %s: %d", version, s.Versions[version])
	}
	fmt.Fprintf(&line, "  errors: %d", s.Errors)
	return line.String()
}

// write puts the summary into a file, or on standard output for "-", and answers with the number of failures.
func (t *tally) write(file string) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	text, err := json.MarshalIndent(t.summary, "", "  ")
	if err != nil {
		return 0, err
	}
	text = append(text, '\n')
	if file == "-" {
		_, err = os.Stdout.Write(text)
		return t.Failures, err
	}
	// What is there and is no regular file (/dev/null, a pipe) is written to; a rename would put a file in its place.
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		return t.Failures, os.WriteFile(file, text, 0o644)
	}
	partial := file + ".part"
	if err := os.WriteFile(partial, text, 0o644); err != nil {
		return 0, err
	}
	return t.Failures, os.Rename(partial, file)
}
