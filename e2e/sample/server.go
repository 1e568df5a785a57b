package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// Longest delay that a request may ask for.
const longestDelay = time.Minute

type settings struct {
	version string
	fails   bool
	delay   time.Duration
	rate    *rate
}

// serve answers until SIGTERM, then for $LINGER more: endpoints are withdrawn while the pod already knows that it must go.
func serve() {
	s := settings{version: setting("VERSION", "1"), fails: os.Getenv("FAIL") == "1", delay: duration("DELAY", "0s"), rate: &rate{}}
	linger := duration("LINGER", "3s")

	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	addHooks(mux)
	mux.HandleFunc("GET /rate", s.rate.answer)
	mux.HandleFunc("/", s.answer)
	server := &http.Server{Addr: setting("ADDRESS", ":8080"), Handler: mux, ReadHeaderTimeout: 10 * time.Second}

	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	drained := make(chan struct{})
	go func() {
		<-ended
		time.Sleep(linger)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			log.Printf("shutdown: %v", err)
		}
		close(drained)
	}()
	log.Printf("version %s listens on %s", s.version, server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	<-drained
}

func (s settings) answer(w http.ResponseWriter, r *http.Request) {
	delay, status := s.delay, http.StatusOK
	if s.fails {
		status = http.StatusInternalServerError
	}
	if asked, err := time.ParseDuration(r.URL.Query().Get("delay")); err == nil {
		delay = min(asked, longestDelay)
	}
	if asked, err := strconv.Atoi(r.URL.Query().Get("status")); err == nil && asked >= 200 && asked <= 599 {
		status = asked
	}
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		return
	}
	s.rate.count(time.Now())
	w.Header().Set("X-Version", s.version)
	respond(w, status, map[string]string{"version": s.version})
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Printf("answer: %v", err)
	}
}

func setting(name, otherwise string) string {
	if value, set := os.LookupEnv(name); set {
		return value
	}
	return otherwise
}

func duration(name, otherwise string) time.Duration {
	value, err := time.ParseDuration(setting(name, otherwise))
	if err != nil {
		log.Fatalf("%s: %v", name, err)
	}
	return value
}
