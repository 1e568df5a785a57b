package main

import (
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"strconv"
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

// serve answers until it is told to end: on SIGTERM for $LINGER more, as endpoints are withdrawn while the pod already knows that it
// must go. Its answer is the exit code.
func serve() int {
	if os.Getenv("CRASH") != "" {
		log.Print("CRASH is set")
		return 1
	}
	s := settings{version: setting("VERSION", "1"), fails: os.Getenv("FAIL") == "1", delay: duration("DELAY", "0s"), rate: &rate{}}
	end := newDeparture()

	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", end.health)
	mux.HandleFunc("POST /crash", end.crash)
	addHooks(mux)
	mux.HandleFunc("GET /rate", s.rate.answer)
	mux.HandleFunc("/", s.answer)
	server := &http.Server{Addr: setting("ADDRESS", ":8080"), Handler: end.closing(mux), ReadHeaderTimeout: 10 * time.Second}

	code := make(chan int)
	go func() { code <- end.await(server, duration("LINGER", "3s")) }()
	log.Printf("version %s listens on %s", s.version, server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	return <-code
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
