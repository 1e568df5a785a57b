package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"time"
)

// Over how many seconds the sample counts.
const window = 5

type adapter struct {
	server  string
	cluster *http.Client
}

type pod struct {
	Metadata struct{ Name string }
	Status   struct{ Phase, PodIP string }
}

// discover says what there is: one metric of pods.
func discover(w http.ResponseWriter, _ *http.Request) {
	respond(w, map[string]any{
		"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "custom.metrics.k8s.io/v1beta2",
		"resources": []any{map[string]any{
			"name": "pods/requests_per_second", "singularName": "", "namespaced": true, "kind": "MetricValueList", "verbs": []string{"get"},
		}},
	})
}

// answer gives the metric of every pod that the selector means; a pod that does not tell has none.
func (a adapter) answer(w http.ResponseWriter, r *http.Request) {
	namespace, selector := r.PathValue("namespace"), r.URL.Query().Get("labelSelector")
	pods, err := a.pods(namespace, selector)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	items := []any{}
	for _, pod := range pods {
		if wanted := r.PathValue("pod"); wanted != "*" && wanted != pod.Metadata.Name {
			continue
		}
		rate, err := rateOf(pod)
		if err != nil {
			log.Printf("%s/%s: %v", namespace, pod.Metadata.Name, err)
			continue
		}
		items = append(items, map[string]any{
			"describedObject": map[string]any{"kind": "Pod", "apiVersion": "/v1", "namespace": namespace, "name": pod.Metadata.Name},
			"metric":          map[string]any{"name": "requests_per_second", "selector": nil},
			"timestamp":       time.Now().UTC().Format(time.RFC3339),
			"windowSeconds":   window,
			"value":           fmt.Sprintf("%dm", int(rate*1000)),
		})
	}
	respond(w, map[string]any{
		"kind": "MetricValueList", "apiVersion": "custom.metrics.k8s.io/v1beta2", "metadata": map[string]any{}, "items": items,
	})
}

func (a adapter) pods(namespace, selector string) ([]pod, error) {
	query := url.Values{"labelSelector": {selector}}
	answer, err := a.cluster.Get(fmt.Sprintf("%s/api/v1/namespaces/%s/pods?%s", a.server, url.PathEscape(namespace), query.Encode()))
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("pods %s of %s: %s", selector, namespace, answer.Status)
	}
	var list struct{ Items []pod }
	err = json.NewDecoder(answer.Body).Decode(&list)
	return list.Items, err
}

func rateOf(p pod) (float64, error) {
	if p.Status.Phase != "Running" || p.Status.PodIP == "" {
		return 0, fmt.Errorf("it is %s", p.Status.Phase)
	}
	client := http.Client{Timeout: 2 * time.Second}
	answer, err := client.Get(fmt.Sprintf("http://%s:8080/rate?seconds=%d", p.Status.PodIP, window))
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	var told struct{ Rate float64 }
	err = json.NewDecoder(answer.Body).Decode(&told)
	return told.Rate, err
}

func respond(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Printf("answer: %v", err)
	}
}
