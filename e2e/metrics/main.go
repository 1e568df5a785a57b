// Metrics tells autoscalers how many requests a second each pod of the sample answers: the custom metric requests_per_second, as
// the API server's aggregator asks for it (custom.metrics.k8s.io/v1beta2).
//
//	metrics -listen ADDRESS -server URL -ca FILE -cert FILE -key FILE
//
// It asks the API server which pods a selector means, and each pod for its own figure (GET /rate), whenever it is asked itself. The
// certificate serves both ways; whoever asks must have one of the same authority.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	var listen, server, authority, certificate, key string
	flag.StringVar(&listen, "listen", "127.0.0.1:6444", "where to answer")
	flag.StringVar(&server, "server", "", "the API server")
	flag.StringVar(&authority, "ca", "", "certificate of the authority")
	flag.StringVar(&certificate, "cert", "", "own certificate")
	flag.StringVar(&key, "key", "", "its key")
	flag.Parse()

	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		log.Fatal(err)
	}
	text, err := os.ReadFile(authority)
	if err != nil {
		log.Fatal(err)
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(text) {
		log.Fatalf("%s holds no certificate", authority)
	}
	outward := &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: trusted}
	inward := &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: trusted, ClientAuth: tls.RequireAndVerifyClientCert}

	a := adapter{server: server, cluster: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: outward}}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /apis/custom.metrics.k8s.io/v1beta2", discover)
	mux.HandleFunc("GET /apis/custom.metrics.k8s.io/v1beta2/namespaces/{namespace}/pods/{pod}/requests_per_second", a.answer)
	s := &http.Server{Addr: listen, Handler: mux, TLSConfig: inward, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(s.ListenAndServeTLS("", ""))
}
