// Load sends a steady stream of GET requests and counts the answers by second and by version (header X-Version).
//
//	load -url URL -rps N -duration D [-host H] [-keepalive all|none|mixed] [-out FILE] [-live]
//
// It ends after -duration (0: never), or on SIGINT or SIGTERM, and writes its summary as JSON to FILE (or standard output). A
// request fails when no answer comes (transport error, -timeout) or when its status is not 2xx. Exit code 1 if any failed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

type options struct {
	url, host, keepAlive, out string
	rps                       int
	duration, timeout         time.Duration
	live                      bool
}

func main() {
	o, err := readOptions()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(64)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if o.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	t := newTally(time.Now())
	send(ctx, o, t)
	failures, err := t.write(o.out)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if failures > 0 {
		os.Exit(1)
	}
}

func readOptions() (options, error) {
	var o options
	flag.StringVar(&o.url, "url", "", "where to send requests")
	flag.StringVar(&o.host, "host", "", "Host header, if not the URL's")
	flag.StringVar(&o.keepAlive, "keepalive", "mixed", "connections: all kept, none kept, or mixed (every other request on a new one)")
	flag.StringVar(&o.out, "out", "-", "file for the summary")
	flag.IntVar(&o.rps, "rps", 20, "requests a second")
	flag.DurationVar(&o.duration, "duration", 10*time.Second, "how long; 0 is until told to end")
	flag.DurationVar(&o.timeout, "timeout", 10*time.Second, "longest wait for an answer")
	flag.BoolVar(&o.live, "live", false, "print a line a second on standard error")
	flag.Parse()
	switch {
	case o.url == "":
		return o, fmt.Errorf("-url is missing")
	case o.rps < 1 || o.rps > 10000:
		return o, fmt.Errorf("-rps must be between 1 and 10000")
	case o.keepAlive != "all" && o.keepAlive != "none" && o.keepAlive != "mixed":
		return o, fmt.Errorf("-keepalive must be all, none or mixed")
	}
	return o, nil
}
