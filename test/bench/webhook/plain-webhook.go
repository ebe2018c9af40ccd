// A webhook on plain net/http that answers at once: allowed, or denied where the path ends in the HTTP status to deny with.
// It decodes no more than it needs. The environment has its certificate; it prints its port.
package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path"
	"strconv"
)

type status struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type verdict struct {
	UID     string  `json:"uid"`
	Allowed bool    `json:"allowed"`
	Status  *status `json:"status,omitempty"`
}

type review struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Response   *verdict `json:"response"`
}

func answer(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Request struct {
			UID string `json:"uid"`
		} `json:"request"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	response := &verdict{UID: asked.Request.UID, Allowed: true}
	if code, err := strconv.Atoi(path.Base(r.URL.Path)); err == nil {
		response.Allowed, response.Status = false, &status{Code: code, Message: "no"}
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(review{"admission.k8s.io/v1", "AdmissionReview", response}); err != nil {
		log.Print(err)
	}
}

func main() {
	pair, err := tls.X509KeyPair([]byte(os.Getenv("TLS_CERT")), []byte(os.Getenv("TLS_KEY")))
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	server := &http.Server{
		Handler:   http.HandlerFunc(answer),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}},
	}
	log.Fatal(server.ServeTLS(listener, "", ""))
}
