// A minimal auth proxy in Go: net/http's ReverseProxy behind an HMAC check of the gateway's tokens.
// Usage: goauth PORT ORIGIN-PORT, with the tokens' key in BENCH_KEY. It keeps no sessions and no log.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"time"
)

const prefix = "Bearer gw1."

// check returns the session id that a well-signed token names.
func check(key []byte, authorization string) (string, bool) {
	token, ok := strings.CutPrefix(authorization, prefix)
	end := strings.LastIndexByte(token, '.')
	if !ok || end < 0 {
		return "", false
	}
	given, err := base64.RawURLEncoding.DecodeString(token[end+1:])
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(token[:end]))
	if err != nil || !hmac.Equal(mac.Sum(nil), given) {
		return "", false
	}
	id, _, _ := strings.Cut(token, ".")
	return id, true
}

func main() {
	key, err := hex.DecodeString(os.Getenv("BENCH_KEY"))
	if err != nil {
		log.Fatal(err)
	}
	origin := &url.URL{Scheme: "http", Host: "127.0.0.1:" + os.Args[2]}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(origin) },
		Transport: &http.Transport{
			MaxIdleConns:        1024,
			MaxIdleConnsPerHost: 1024,
			IdleConnTimeout:     90 * time.Second,
			DisableCompression:  true,
		},
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		id, ok := check(key, r.Header.Get("Authorization"))
		if !ok {
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		r.Header.Del("Authorization")
		r.Header.Set("X-Session-Id", id)
		proxy.ServeHTTP(w, r)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(handler)))
}
