package node

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// anyOrigin lets pages of every origin read.
const anyOrigin = "*"

// origins are those whose pages may use the API from a browser: read and submit, or with anyOrigin read. No page may
// send credentials; there are none. https://fetch.spec.whatwg.org/#http-cors-protocol
type origins []string

// validate reports every fault at once.
func (o origins) validate() error {
	var errs []error
	for _, origin := range o {
		if origin != anyOrigin && !isOrigin(origin) {
			errs = append(errs, fmt.Errorf("origin %q: want https://host[:port], or * for reading by everybody", origin))
		}
	}
	return errors.Join(errs...)
}

func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && !strings.Contains(u.Host, anyOrigin) &&
		s == u.Scheme+"://"+u.Host
}

// wrap answers preflights, and tells browsers which answers a page may see.
func (o origins) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(o) > 0 {
			w.Header().Add("Vary", "Origin")
		}
		preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
		method := r.Method
		if preflight {
			method = r.Header.Get("Access-Control-Request-Method")
		}
		if allowed := o.allow(r.Header.Get("Origin"), method); allowed != "" {
			w.Header().Set("Access-Control-Allow-Origin", allowed)
			w.Header().Set("Access-Control-Expose-Headers", "ETag, Retry-After")
		}
		if !preflight {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
		w.Header().Set("Access-Control-Allow-Headers", "Content-Type, If-None-Match, Last-Event-ID")
		w.Header().Set("Access-Control-Max-Age", strconv.Itoa(int(preflightAge.Seconds())))
		w.WriteHeader(http.StatusNoContent)
	})
}

// allow returns what Access-Control-Allow-Origin is to say, empty for nothing.
func (o origins) allow(origin, method string) string {
	reads := method == http.MethodGet || method == http.MethodHead
	switch {
	case origin == "" || !reads && method != http.MethodPost:
		return ""
	case slices.Contains(o, origin) && origin != anyOrigin:
		return origin
	case reads && slices.Contains(o, anyOrigin):
		return anyOrigin
	}
	return ""
}
