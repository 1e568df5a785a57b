package main

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

// Largest hook call that is read, and how many are remembered.
const (
	largestCall     = 1 << 16
	rememberedCalls = 1000
)

// call is one hook call as it arrived.
type call struct {
	Path string          `json:"path"`
	At   time.Time       `json:"at"`
	Body json.RawMessage `json:"body"`
}

// hooks answers lifecycle hook calls, each path in its own way, and remembers every call for GET /hook/seen.
type hooks struct {
	mu     sync.Mutex
	seen   []call
	failed map[string]int // calls that /hook/flaky refused, by execution id
}

func addHooks(mux *http.ServeMux) {
	h := &hooks{failed: map[string]int{}}
	mux.HandleFunc("GET /hook/seen", h.list)
	mux.HandleFunc("DELETE /hook/seen", h.forget)
	mux.HandleFunc("POST /hook/succeed", h.remember(answerWith(http.StatusOK, "Succeeded", "")))
	mux.HandleFunc("POST /hook/fail", h.remember(answerWith(http.StatusOK, "Failed", "the sample says no")))
	mux.HandleFunc("POST /hook/400", h.remember(answerWith(http.StatusBadRequest, "", "the sample refuses this call")))
	mux.HandleFunc("POST /hook/later", h.remember(func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusAccepted) }))
	mux.HandleFunc("POST /hook/silence", h.remember(func(_ http.ResponseWriter, r *http.Request, _ string) { <-r.Context().Done() }))
	mux.HandleFunc("/hook/", http.NotFound)
	mux.HandleFunc("POST /hook/flaky", h.remember(h.answerThirdCall))
}

// remember reads the call, keeps it, and hands its execution id to the answer.
func (h *hooks) remember(answer func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestCall))
		var named struct {
			ID string `json:"LifecycleEventHookExecutionId"`
		}
		if err != nil || json.Unmarshal(body, &named) != nil {
			respond(w, http.StatusUnprocessableEntity, map[string]string{"message": "not a hook call"})
			return
		}
		h.mu.Lock()
		h.seen = append(h.seen, call{Path: r.URL.Path, At: time.Now().UTC(), Body: body})
		if len(h.seen) > rememberedCalls {
			h.seen = h.seen[1:]
		}
		h.mu.Unlock()
		answer(w, r, named.ID)
	}
}

func answerWith(code int, status, message string) func(http.ResponseWriter, *http.Request, string) {
	body := map[string]string{}
	if status != "" {
		body["status"] = status
	}
	if message != "" {
		body["message"] = message
	}
	return func(w http.ResponseWriter, _ *http.Request, _ string) { respond(w, code, body) }
}

// answerThirdCall is unavailable twice for each execution and succeeds then.
func (h *hooks) answerThirdCall(w http.ResponseWriter, _ *http.Request, id string) {
	h.mu.Lock()
	h.failed[id]++
	calls := h.failed[id]
	h.mu.Unlock()
	if calls <= 2 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	respond(w, http.StatusOK, map[string]string{"status": "Succeeded"})
}

func (h *hooks) list(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen == nil {
		h.seen = []call{}
	}
	respond(w, http.StatusOK, h.seen)
}

func (h *hooks) forget(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = nil
	w.WriteHeader(http.StatusNoContent)
}
