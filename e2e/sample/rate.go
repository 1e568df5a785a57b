package main

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Seconds that are remembered.
const remembered = 16

// rate counts answers by the second.
type rate struct {
	mutex  sync.Mutex
	counts [remembered]int
	times  [remembered]int64
}

func (r *rate) count(now time.Time) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	second := now.Unix()
	slot := second % remembered
	if r.times[slot] != second {
		r.times[slot], r.counts[slot] = second, 0
	}
	r.counts[slot]++
}

// over tells the answers a second over so many whole seconds before now.
func (r *rate) over(seconds int64, now time.Time) float64 {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	sum := 0
	for second := now.Unix() - seconds; second < now.Unix(); second++ {
		if slot := second % remembered; r.times[slot] == second {
			sum += r.counts[slot]
		}
	}
	return float64(sum) / float64(seconds)
}

// answer is GET /rate?seconds=5; it does not count itself.
func (r *rate) answer(w http.ResponseWriter, request *http.Request) {
	seconds, err := strconv.ParseInt(request.URL.Query().Get("seconds"), 10, 64)
	if err != nil || seconds < 1 || seconds >= remembered {
		seconds = 5
	}
	respond(w, http.StatusOK, map[string]float64{"rate": r.over(seconds, time.Now())})
}
