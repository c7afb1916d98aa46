// A client and a server of gorilla/websocket: `peer client …`, `peer server`; see README.md.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// Longest session of a client: far longer than a session takes, shorter than a test waits for it.
const sessionLimit = 30 * time.Second

type report struct {
	Event  string  `json:"event"`
	Path   string  `json:"path,omitempty"`
	Code   *int    `json:"code"`
	Reason *string `json:"reason"`
	Clean  *bool   `json:"clean"`
	Error  *string `json:"error"`
}

var lines sync.Mutex

func emit(value interface{}) {
	lines.Lock()
	defer lines.Unlock()
	json.NewEncoder(os.Stdout).Encode(value)
}

// The report of the library: a CloseError with its code, or the error of the transport, which has no code.
func ended(path string, err error) report {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		if closed.Code == websocket.CloseAbnormalClosure {
			// There was no Close, and so no reason: the text is the library's own.
			return report{Event: "closed", Path: path, Code: &closed.Code, Error: &closed.Text}
		}
		return report{Event: "closed", Path: path, Code: &closed.Code, Reason: &closed.Text}
	}
	var errno syscall.Errno
	name := err.Error()
	if errors.As(err, &errno) && errno == syscall.ECONNRESET {
		name = "ECONNRESET"
	} else if errors.Is(err, net.ErrClosed) {
		name = "net.ErrClosed"
	}
	return report{Event: "closed", Path: path, Error: &name}
}

// Ends the session in the way that `action` names; see README.md.
func end(ws *websocket.Conn, action string, parameters []string) {
	switch action {
	case "close":
		code, _ := strconv.Atoi(parameters[0])
		reason := ""
		if len(parameters) > 1 {
			reason = parameters[1]
		}
		ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason))
	case "close-empty":
		ws.WriteMessage(websocket.CloseMessage, nil)
	case "terminate":
		ws.Close()
	case "reset":
		ws.UnderlyingConn().(*net.TCPConn).SetLinger(0)
		ws.Close()
	case "wait":
		ws.WriteMessage(websocket.TextMessage, []byte("go"))
	case "exit", "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
}

func session(address, action string, parameters ...string) (report, error) {
	ws, _, err := websocket.DefaultDialer.Dial(address, nil)
	if err != nil {
		return report{}, err
	}
	defer ws.Close()
	ws.SetReadDeadline(time.Now().Add(sessionLimit))
	if err := ws.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		return report{}, err
	}
	if _, _, err := ws.ReadMessage(); err != nil {
		return report{}, fmt.Errorf("ended before the echo: %w", err)
	}
	end(ws, action, parameters)
	for {
		if _, _, err := ws.ReadMessage(); err != nil {
			return ended("", err), nil
		}
	}
}

func ask(words []string) {
	if len(words) < 2 {
		words = append(words, "", "")
	}
	said, err := session(words[0], words[1], words[2:]...)
	if err != nil {
		emit(map[string]string{"event": "failed", "error": err.Error()})
		os.Exit(1)
	}
	emit(said)
}

func serve(response http.ResponseWriter, request *http.Request) {
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := upgrader.Upgrade(response, request, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	path := request.URL.EscapedPath()
	parts := strings.Split(path[1:], "/")
	for index := range parts {
		parts[index], _ = url.PathUnescape(parts[index])
	}
	for {
		kind, message, err := ws.ReadMessage()
		if err != nil {
			emit(ended(path, err))
			return
		}
		if parts[0] != "echo" && string(message) == "go" {
			end(ws, parts[0], parts[1:])
		} else if err := ws.WriteMessage(kind, message); err != nil {
			emit(ended(path, err))
			return
		}
	}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "server" {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		emit(map[string]int{"listening": listener.Addr().(*net.TCPAddr).Port})
		go http.Serve(listener, http.HandlerFunc(serve))
		io.Copy(io.Discard, os.Stdin)
		return
	}
	if len(os.Args) > 2 {
		ask(os.Args[2:])
		return
	}
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		var words []string
		if err := json.Unmarshal(input.Bytes(), &words); err != nil {
			panic(err)
		}
		ask(words)
	}
}
