// Sample is the application that the stories deploy: a server that tells its version, an HTTP lifecycle hook, and a Job.
//
//	sample                       serves on $ADDRESS (:8080)
//	sample exit CODE [MESSAGE]   writes MESSAGE and ends with CODE
//	sample sleep DURATION [CODE [MESSAGE]]
//	sample get URL [HOST]        prints the answer; ends with 1 unless it is a 2xx; HOST is the Host header, if not the URL's
//
// The server's settings: VERSION; FAIL=1 answers 500; DELAY=200ms answers late; LINGER=3s is how long it still serves after
// SIGTERM, while the gateway learns that it goes; CRASH=1 ends with 1 at once. A request's ?status=500 and ?delay=100ms do the same for
// that request alone. GET /rate?seconds=5 tells how many it answered a second, for autoscalers. POST /crash?after=6s ends it with 1: it
// is not ready from then on and serves for so long all the same; without a time it ends at once.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

func main() {
	if len(os.Args) < 2 {
		os.Exit(serve())
	}
	os.Exit(run(os.Args[1], os.Args[2:]))
}

// run is the Job's side; its answer is the exit code.
func run(verb string, args []string) int {
	switch {
	case verb == "exit" && len(args) > 0:
		return finish(args)
	case verb == "sleep" && len(args) > 0:
		duration, err := time.ParseDuration(args[0])
		if err != nil {
			return refuse(err.Error())
		}
		time.Sleep(duration)
		return finish(args[1:])
	case verb == "get" && (len(args) == 1 || len(args) == 2):
		return get(args[0], append(args[1:], "")[0])
	}
	return refuse("usage: sample [exit CODE [MESSAGE] | sleep DURATION [CODE [MESSAGE]] | get URL [HOST]]")
}

func finish(args []string) int {
	if len(args) == 0 {
		return 0
	}
	code, err := strconv.Atoi(args[0])
	if err != nil {
		return refuse(err.Error())
	}
	for _, message := range args[1:] {
		fmt.Println(message)
	}
	return code
}

func get(url, host string) int {
	client := http.Client{Timeout: 10 * time.Second}
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return refuse(err.Error())
	}
	request.Host = host
	answer, err := client.Do(request)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer answer.Body.Close()
	fmt.Println(answer.Status)
	if _, err := io.Copy(os.Stdout, answer.Body); err != nil || answer.StatusCode < 200 || answer.StatusCode > 299 {
		return 1
	}
	return 0
}

func refuse(why string) int {
	fmt.Fprintln(os.Stderr, why)
	return 64
}
