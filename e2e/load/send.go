package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// send starts one request every 1/rps seconds whether or not earlier ones were answered, so a slow server is not spared.
func send(ctx context.Context, o options, t *tally) {
	kept := client(o, true)
	fresh := client(o, false)
	ticker := time.NewTicker(time.Second / time.Duration(o.rps))
	defer ticker.Stop()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	var requests sync.WaitGroup
	for n := 0; ; {
		select {
		case <-ctx.Done():
			requests.Wait()
			return
		case <-second.C:
			if o.live {
				fmt.Fprintln(os.Stderr, t.lastSecond(time.Now()))
			}
		case <-ticker.C:
			c := kept
			if o.keepAlive == "none" || o.keepAlive == "mixed" && n%2 == 1 {
				c = fresh
			}
			n++
			requests.Go(func() { request(c, o, t) })
		}
	}
}

func client(o options, keepAlive bool) *http.Client {
	return &http.Client{
		Timeout:       o.timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableKeepAlives: !keepAlive, MaxIdleConnsPerHost: 100, Proxy: nil},
	}
}

// request counts in the second in which it was sent.
func request(c *http.Client, o options, t *tally) {
	sent := time.Now()
	version, err := ask(c, o)
	t.count(sent, time.Since(sent), version, err)
}

func ask(c *http.Client, o options) (string, error) {
	r, err := http.NewRequest(http.MethodGet, o.url, nil)
	if err != nil {
		return "", err
	}
	r.Host = o.host
	answer, err := c.Do(r)
	if err != nil {
		return "", rootCause(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return "", err
	}
	version := answer.Header.Get("X-Version")
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return version, fmt.Errorf("status %d", answer.StatusCode)
	}
	if version == "" {
		version = "unknown"
	}
	return version, nil
}

// rootCause drops the URL and the ports, which would make every error a different one.
func rootCause(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	if text := err.Error(); strings.Contains(text, "Client.Timeout") {
		return errors.New("no answer in time")
	}
	return err
}
