// Bundles serves the files of a folder over HTTP, with the faults that a story asks for in the URL.
//
//	bundles -listen 10.99.0.1:18090 -dir FOLDER
//
// Faults: ?cut=N ends the connection after N bytes of the first answer for that URL (a Range request goes on where it was cut),
// ?stall=N sends N bytes of it and then nothing; with &always=1 so does every answer. ?wrong=1 changes one byte in the middle.
// With &only=ADDRESS they befall that client alone. Each request is told on stderr, in a line.
package main

import (
	"errors"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// How long a stalled answer is held open at most.
const longestStall = 5 * time.Minute

type server struct {
	folder string
	lock   sync.Mutex
	asked  map[string]bool
}

func main() {
	listen := flag.String("listen", "127.0.0.1:18090", "address to listen on")
	folder := flag.String("dir", ".", "the folder")
	flag.Parse()
	s := &server{folder: *folder, asked: map[string]bool{}}
	log.Printf("serving %s on %s", *folder, *listen)
	web := &http.Server{Addr: *listen, Handler: s, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(web.ListenAndServe())
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	client, _, _ := net.SplitHostPort(r.RemoteAddr)
	log.Printf("%s asks for %s, range %q", client, r.URL, r.Header.Get("Range"))
	file, err := os.Open(filepath.Join(s.folder, filepath.FromSlash(path.Clean("/"+r.URL.Path))))
	if err != nil {
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	defer file.Close()
	about, err := file.Stat()
	if err != nil || about.IsDir() {
		http.Error(w, "this is no file", http.StatusNotFound)
		return
	}
	w.Header().Set("ETag", strconv.Quote(strconv.FormatInt(about.ModTime().UnixNano(), 36)))
	content := io.ReadSeeker(file)
	query := r.URL.Query()
	switch {
	case query.Has("only") && query.Get("only") != client:
	case query.Has("wrong"):
		content = &changed{ReadSeeker: file, at: about.Size() / 2}
	case !query.Has("always") && !s.isFirst(r.URL.String()):
	case query.Has("cut"):
		w = &limited{ResponseWriter: w, left: number(query.Get("cut"))}
	case query.Has("stall"):
		w = &limited{ResponseWriter: w, left: number(query.Get("stall")), stalls: r}
	}
	http.ServeContent(w, r, about.Name(), about.ModTime(), content)
}

func (s *server) isFirst(url string) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	was := s.asked[url]
	s.asked[url] = true
	return !was
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// limited lets so many bytes through; then the connection ends, or nothing more comes.
type limited struct {
	http.ResponseWriter
	left   int64
	stalls *http.Request
}

func (l *limited) Write(bytes []byte) (int, error) {
	if int64(len(bytes)) <= l.left {
		l.left -= int64(len(bytes))
		return l.ResponseWriter.Write(bytes)
	}
	n, _ := l.ResponseWriter.Write(bytes[:l.left])
	l.left = 0
	_ = http.NewResponseController(l.ResponseWriter).Flush()
	if l.stalls != nil {
		select {
		case <-l.stalls.Context().Done():
		case <-time.After(longestStall):
		}
		return n, errors.New("stalled")
	}
	panic(http.ErrAbortHandler)
}

// changed reads a file with one byte other than it is.
type changed struct {
	io.ReadSeeker
	at int64
}

func (c *changed) Read(bytes []byte) (int, error) {
	from, err := c.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	n, err := c.ReadSeeker.Read(bytes)
	if c.at >= from && c.at < from+int64(n) {
		bytes[c.at-from] ^= 0xff
	}
	return n, err
}
