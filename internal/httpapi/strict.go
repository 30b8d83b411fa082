package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// strict refuses what a route would read over: a parameter that it does not have, which may be
// a mistyped dry_run, a query of which the library drops what it cannot read, and a body that is
// not what it seems.
func strict(to route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if problem := parameters(to.query, r.URL.RawQuery); problem != "" {
			refuse(w, badRequest, problem, nil)
			return
		}
		if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
			refuse(w, badMedia, fmt.Sprintf("the body comes with Content-Encoding %q; send it as it is, without one", coding), nil)
			return
		}
		to.serve(w, r)
	}
}

// parameters says what is wrong with a query, "" if nothing is. known names the parameters that
// there are: name? is true or false, name* may be there more than once, "*" alone is anything.
func parameters(known, query string) string {
	if known == "*" {
		return ""
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "the query cannot be read: " + err.Error()
	}
	names := strings.Fields(known)
	for name, given := range values {
		flag, list := slices.Contains(names, name+"?"), slices.Contains(names, name+"*")
		switch {
		case !flag && !list && !slices.Contains(names, name):
			takes := "; it takes none here"
			if known != "" {
				takes = "; there are " + strings.NewReplacer("?", "", "*", "", " ", ", ").Replace(known)
			}
			return fmt.Sprintf("there is no parameter %q%s", name, takes)
		case !list && len(given) > 1:
			return fmt.Sprintf("the parameter %s is there %d times", name, len(given))
		case flag && given[0] != "" && given[0] != "true" && given[0] != "false":
			return fmt.Sprintf("%s is true or false, not %q", name, given[0])
		}
	}
	return ""
}
