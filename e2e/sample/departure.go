package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// departure is how the server ends: it serves on for a while, every answer being its connection's last, lets what is in flight end,
// and is gone. After SIGTERM with 0, after a crash that somebody asked for with 1.
type departure struct {
	isUnready, isLeaving atomic.Bool
	crashes              chan time.Duration
}

func newDeparture() *departure { return &departure{crashes: make(chan time.Duration, 1)} }

// health is GET /healthz.
func (d *departure) health(w http.ResponseWriter, _ *http.Request) {
	if d.isUnready.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// crash is POST /crash?after=6s: not ready from now on, it serves for that long all the same, so that nothing that is still sent here
// is lost by the crash itself. Without a time it ends at once.
func (d *departure) crash(w http.ResponseWriter, r *http.Request) {
	after, err := time.ParseDuration(r.URL.Query().Get("after"))
	if err != nil {
		after = 0
	}
	d.isUnready.Store(true)
	select {
	case d.crashes <- min(after, longestDelay):
	default:
	}
	w.WriteHeader(http.StatusAccepted)
}

// closing has answers close their connections once the server is about to end: no client may send its next request on one then.
func (d *departure) closing(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.isLeaving.Load() {
			w.Header().Set("Connection", "close")
		}
		handler.ServeHTTP(w, r)
	})
}

// await waits for the end and carries it out; its answer is the exit code.
func (d *departure) await(server *http.Server, linger time.Duration) int {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	code := 0
	select {
	case <-ended:
	case linger = <-d.crashes:
		code = 1
	}
	d.isLeaving.Store(true)
	time.Sleep(linger)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		log.Printf("shutdown: %v", err)
	}
	return code
}
